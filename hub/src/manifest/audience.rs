//! `[[audience]]`, `[[priority]]` and `[exclude]`: named conditions, and what they take from each other. Priorities,
//! exclusions and hold-outs are compiled into plain conditions, so nothing after the manifest has to know about them.

use crate::expression::{Condition, POSITIONS};
use crate::manifest::tree::{Item, Spot};
use crate::manifest::{Audience, Link, Loader, Names, Subject};
use crate::problem::codes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a hold-out's own audience is called, after its audience and a slash.
const HOLDOUT: &str = "holdout";

/// An audience as it is written.
pub(super) struct Declared {
    name: Arc<str>,
    description: String,
    of: Subject,
    who: Condition,
    /// Places of a split that are sent nothing.
    held_out: Option<u32>,
    is_excludable: bool,
}

/// What audiences do to others, by the name of the one to which it is done.
#[derive(Default)]
pub(super) struct Relations {
    /// Everybody who is in one of these is in no other audience.
    pub excluded: Vec<(String, Spot)>,
    /// Audiences that come first.
    ahead: BTreeMap<String, Vec<(String, Spot)>>,
}

impl Relations {
    /// Nobody in the excluded audiences, if there are any and this audience is not one of them.
    pub fn without_excluded(
        &self,
        name: &Arc<str>,
        kinds: &BTreeMap<String, Subject>,
        links: &mut Vec<Link>,
    ) -> Option<Condition> {
        if self.excluded.is_empty() || self.excluded.iter().any(|(one, _)| *one == **name) {
            return None;
        }
        let mut excluded = Vec::new();
        for (other, spot) in &self.excluded {
            links.push(Link {
                from: name.clone(),
                to: other.clone(),
                spot: spot.clone(),
                hint: Some(format!(
                    "`exclude = false` on `{name}` takes it out of `[exclude]`"
                )),
            });
            excluded.push(match kinds.get(other) {
                Some(Subject::Account) => Condition::AccountAudience {
                    name: other.clone(),
                    lasting: 0,
                },
                _ => Condition::audience(other.clone()),
            });
        }
        Some(Condition::Any(excluded).negated())
    }
}

impl Loader<'_> {
    pub(super) fn audience(&mut self, item: &Item<'_>, names: &mut Names) -> Option<Declared> {
        let table = item.table("an audience", "audience", &mut self.report)?;
        let kinds = [("person", Subject::Person), ("account", Subject::Account)];
        let of = match table.get("of") {
            Some(item) => item.choice(&kinds, &mut self.report),
            None => Some(Subject::Person),
        };
        let name = self.name("an audience", &table, names);
        let description = table
            .get("description")
            .and_then(|item| item.text(&mut self.report))
            .unwrap_or_default();
        let held_out = table.get("holdout").and_then(|item| self.holdout(&item));
        let exclude = table.get("exclude");
        if let Some(item) = exclude.filter(|_| of == Some(Subject::Account)) {
            let message = "`[exclude]` is about people, and this is an audience of accounts";
            self.report
                .error(&codes::BAD_CONDITION, &item.key_spot(), message);
        }
        let is_excludable = exclude
            .and_then(|item| item.boolean(&mut self.report))
            .unwrap_or(of == Some(Subject::Person));
        let who = table.need("who", "an audience", &mut self.report)?;
        self.subject = of?;
        let who = self.who(&who, name.as_ref());
        self.subject = Subject::Person;
        Some(Declared {
            name: name?,
            description: description.to_owned(),
            of: of?,
            who: who?,
            held_out,
            is_excludable,
        })
    }

    fn holdout(&mut self, item: &Item<'_>) -> Option<u32> {
        let positions = self.percent(item)?;
        if positions == 0 || positions == POSITIONS {
            let message = "`holdout` must be above 0% and below 100%";
            self.report.error(&codes::BAD_NUMBER, &item.spot(), message);
            return None;
        }
        Some(positions)
    }

    /// `[exclude]` and all `[[priority]]`.
    pub(super) fn relations(&mut self, exclude: &[Item<'_>], priorities: &[Item<'_>]) -> Relations {
        let mut relations = Relations::default();
        for item in exclude {
            let Some(table) = item.table("`[exclude]`", "exclude", &mut self.report) else {
                continue;
            };
            if let Some(list) = table.need("audiences", "`[exclude]`", &mut self.report) {
                relations.excluded.extend(self.listed(&list));
            }
        }
        let mut names = Names::default();
        for item in priorities {
            self.priority(item, &mut names, &mut relations);
        }
        relations
    }

    fn priority(&mut self, item: &Item<'_>, names: &mut Names, relations: &mut Relations) {
        let Some(table) = item.table("a priority", "priority", &mut self.report) else {
            return;
        };
        self.name("a priority", &table, names);
        let Some(list) = table.need("audiences", "a priority", &mut self.report) else {
            return;
        };
        let listed = self.listed(&list);
        if listed.len() == 1 {
            let message = "a priority is between two audiences or more";
            self.report
                .error(&codes::BAD_CONDITION, &list.spot(), message);
        }
        let kind = |name: &String| self.kinds.get(name).copied();
        let mut kinds = listed
            .iter()
            .filter_map(|(name, spot)| Some((kind(name)?, spot)));
        if let Some((first, _)) = kinds.next()
            && let Some((_, spot)) = kinds.find(|(other, _)| *other != first)
        {
            let message = "a priority is between audiences of people or of accounts, not both";
            self.report.error(&codes::BAD_CONDITION, spot, message);
        }
        for (index, (name, _)) in listed.iter().enumerate() {
            let ahead = relations.ahead.entry(name.clone()).or_default();
            ahead.extend_from_slice(&listed[..index]);
        }
    }

    /// Names of audiences, each once.
    fn listed(&mut self, list: &Item<'_>) -> Vec<(String, Spot)> {
        let mut listed: Vec<(String, Spot)> = Vec::new();
        for (item, name) in list.texts(&mut self.report) {
            if listed.iter().any(|(taken, _)| taken == name) {
                let message = format!("`{name}` is listed twice");
                self.report.error(&codes::DUPLICATE, &item.spot(), message);
                continue;
            }
            let mention = (name.to_owned(), None, item.spot());
            self.mentions.audiences.push(mention);
            listed.push((name.to_owned(), item.spot()));
        }
        listed
    }

    /// The audiences as everything after the manifest knows them.
    pub(super) fn compose(
        &mut self,
        declared: Vec<Declared>,
        relations: &Relations,
    ) -> Vec<Audience> {
        let held: BTreeSet<Arc<str>> = declared
            .iter()
            .filter(|one| one.held_out.is_some())
            .map(|one| one.name.clone())
            .collect();
        let mut audiences = Vec::new();
        for one in declared {
            let mut parts = vec![one.who];
            if one.is_excludable {
                parts.extend(relations.without_excluded(
                    &one.name,
                    &self.kinds,
                    &mut self.mentions.links,
                ));
            }
            let mut ahead = Vec::new();
            for (other, spot) in relations.ahead.get(&*one.name).into_iter().flatten() {
                self.mentions.links.push(Link {
                    from: one.name.clone(),
                    to: other.clone(),
                    spot: spot.clone(),
                    hint: Some(
                        "a `[[priority]]` lets later audiences refer to earlier ones".to_owned(),
                    ),
                });
                ahead.push(Condition::audience(other.clone()));
                // A person held out of the first is not sent as a member of the others either.
                if held.contains(other.as_str()) {
                    ahead.push(Condition::audience(format!("{other}/{HOLDOUT}")));
                }
            }
            if !ahead.is_empty() {
                parts.push(Condition::Any(ahead).negated());
            }
            let (name, about, of) = (one.name, one.description, one.of);
            let Some(positions) = one.held_out else {
                audiences.push(Audience::new(name, about, of, together(parts)));
                continue;
            };
            let control = Condition::Split {
                name: format!("{HOLDOUT}/{name}"),
                from: 0,
                until: positions,
            };
            let mut sent = parts.clone();
            sent.push(control.clone().negated());
            parts.push(control);
            let control = format!("{name}/{HOLDOUT}").into();
            let about_control = format!("held out of {name}");
            audiences.push(Audience::new(name, about, of, together(sent)));
            let control = Audience::new(control, about_control, of, together(parts));
            audiences.push(control);
        }
        audiences
    }
}

impl Audience {
    pub(super) fn new(name: Arc<str>, description: String, of: Subject, who: Condition) -> Self {
        let digest = blake3::hash(format!("{of:?} {who:?}").as_bytes()).to_hex()[..32].to_owned();
        Self {
            name,
            description,
            of,
            who,
            is_step: false,
            digest,
        }
    }
}

/// One condition alone, or several of which all must hold.
pub(super) fn together(mut parts: Vec<Condition>) -> Condition {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            Condition::All(parts)
        }
    }
}

/// The further names under which an audience's table can be mentioned.
pub(super) fn further_names(table: &toml::de::DeTable<'_>) -> Option<String> {
    let name = table.get("name")?.get_ref().as_str()?;
    table.get("holdout").map(|_| format!("{name}/{HOLDOUT}"))
}
