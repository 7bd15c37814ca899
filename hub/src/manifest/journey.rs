//! `[[journey]]`: a sequence of stages, as audiences. Like any other audience, a journey describes people at a moment:
//! people who no longer meet the entry, or who meet the exit, are in no stage.
//!
//! For stages `a` and `b` there are the audiences `journey/entered`, `journey/a/reached` (entered, waited, `when`), and so
//! on for each stage but the last; `journey/a` is the people who reached `a` but not `b`, `journey/b` is the people who reached `b`.

use crate::expression::Condition;
use crate::manifest::audience::{Relations, together};
use crate::manifest::tree::{Item, Table};
use crate::manifest::{Audience, Link, Loader, Names, Subject, schedule};
use crate::problem::codes;
use std::sync::Arc;

/// A stage as it is written.
struct JourneyStage {
    name: Arc<str>,
    when: Option<Condition>,
    /// Milliseconds in the stage before.
    after: i64,
}

impl Loader<'_> {
    pub(super) fn journey(
        &mut self,
        item: &Item<'_>,
        names: &mut Names,
        relations: &Relations,
    ) -> Vec<Audience> {
        let Some(table) = item.table("a journey", "journey", &mut self.report) else {
            return Vec::new();
        };
        let name = self.name("a journey", &table, names);
        let shown = name.clone().unwrap_or_else(|| "journey".into());
        let entered: Arc<str> = format!("{shown}/entered").into();
        let mut entry = Vec::new();
        match table.need("entry", "a journey", &mut self.report) {
            Some(item) => entry.extend(self.who(&item, Some(&entered))),
            None => return Vec::new(),
        }
        if let Some(item) = table.get("exit") {
            entry.extend(self.who(&item, Some(&entered)).map(Condition::negated));
        }
        let excludes = table
            .get("exclude")
            .and_then(|item| item.boolean(&mut self.report));
        if excludes.unwrap_or(true) {
            entry.extend(relations.without_excluded(
                &entered,
                &self.kinds,
                &mut self.mentions.links,
            ));
        }
        let description = table
            .get("description")
            .and_then(|item| item.text(&mut self.report))
            .unwrap_or_default();
        let stages = self.journey_stages(&table, &shown);
        if name.is_none() || entry.is_empty() {
            return Vec::new();
        }
        let mut audiences = vec![step(entered.clone(), together(entry))];
        audiences.extend(chain(&shown, entered, &stages, description));
        self.link(&audiences, item);
        audiences
    }

    /// What the stages of a journey refer to, so that a cycle through them is detected.
    fn link(&mut self, audiences: &[Audience], item: &Item<'_>) {
        for audience in audiences {
            audience.who.visit(&mut |leaf| {
                if let Condition::Audience { name, .. } = leaf {
                    self.mentions.links.push(Link {
                        from: audience.name.clone(),
                        to: name.clone(),
                        spot: item.key_spot(),
                        hint: None,
                    });
                }
            });
        }
    }

    fn journey_stages(&mut self, table: &Table<'_>, journey: &str) -> Vec<JourneyStage> {
        let Some(list) = table.need("stage", "a journey", &mut self.report) else {
            return Vec::new();
        };
        let items = list.tables(&mut self.report);
        if items.is_empty() {
            let message = "a journey has one stage or more";
            self.report
                .error(&codes::MISSING_KEY, &list.spot(), message);
        }
        let mut names = Names::default();
        let mut stages = Vec::new();
        for item in &items {
            stages.extend(self.journey_stage(item, journey, &mut names));
        }
        stages
    }

    fn journey_stage(
        &mut self,
        item: &Item<'_>,
        journey: &str,
        names: &mut Names,
    ) -> Option<JourneyStage> {
        let table = item.table("a stage", "journey.stage", &mut self.report)?;
        let name = self.name("a stage", &table, names);
        let owner: Arc<str> = format!("{journey}/{}", name.as_deref().unwrap_or("stage")).into();
        let after = match table.get("after") {
            Some(item) => schedule::duration(&item, &mut self.report),
            None => Some(0),
        };
        let when = match table.get("when") {
            Some(item) => self.who(&item, Some(&owner)).map(Some),
            None => Some(None),
        };
        let name = name?;
        if matches!(&*name, "entered") {
            let message =
                "`entered` is what a journey calls the people who wait for the first stage";
            self.report.error(&codes::BAD_NAME, &table.spot(), message);
            return None;
        }
        Some(JourneyStage {
            name,
            when: when?,
            after: after?,
        })
    }
}

/// Each stage's audiences: who has reached it, and who of these is not further yet.
fn chain(
    journey: &str,
    entered: Arc<str>,
    stages: &[JourneyStage],
    description: &str,
) -> Vec<Audience> {
    let current: Vec<Arc<str>> = stages
        .iter()
        .map(|stage| format!("{journey}/{}", stage.name).into())
        .collect();
    // Nothing comes after the last stage: everyone who has reached it is in it.
    let reached: Vec<Arc<str>> = current
        .iter()
        .enumerate()
        .map(|(index, name)| match index + 1 == stages.len() {
            true => name.clone(),
            false => format!("{name}/reached").into(),
        })
        .collect();
    let mut audiences = Vec::new();
    let mut before = entered;
    for (index, stage) in stages.iter().enumerate() {
        let mut parts = vec![Condition::Audience {
            name: before.to_string(),
            lasting: stage.after,
        }];
        parts.extend(stage.when.clone());
        let (name, description) = (current[index].clone(), description.to_owned());
        match reached.get(index + 1) {
            None => audiences.push(Audience::new(
                name,
                description,
                Subject::Person,
                together(parts),
            )),
            Some(next) => {
                audiences.push(step(reached[index].clone(), together(parts)));
                let parts = vec![
                    Condition::audience(&*reached[index]),
                    Condition::audience(&**next).negated(),
                ];
                audiences.push(Audience::new(
                    name,
                    description,
                    Subject::Person,
                    together(parts),
                ));
            }
        }
        before = reached[index].clone();
    }
    audiences
}

/// An audience that is only there for others to refer to.
pub(super) fn step(name: Arc<str>, who: Condition) -> Audience {
    Audience {
        is_step: true,
        ..Audience::new(name, String::new(), Subject::Person, who)
    }
}

/// The names of a journey's stages as audiences.
pub(super) fn stage_names(table: &toml::de::DeTable<'_>) -> Vec<String> {
    let name = |table: &toml::de::DeTable<'_>| {
        let name = table.get("name")?.get_ref().as_str()?;
        Some(name.to_owned())
    };
    let stages = table
        .get("stage")
        .and_then(|stages| stages.get_ref().as_array());
    let (Some(journey), Some(stages)) = (name(table), stages) else {
        return Vec::new();
    };
    stages
        .iter()
        .filter_map(|stage| name(stage.get_ref().as_table()?))
        .map(|stage| format!("{journey}/{stage}"))
        .collect()
}
