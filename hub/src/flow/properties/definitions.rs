//! I7, I8 while definitions are edited, added, removed and brought back, in the middle of the work on earlier ones and while
//! records arrive: when the hub has finished its work, everything is as if these had always been the definitions.
//! Answers of destinations get lost now and then.

use super::sink::{Members, Sink};
use super::{Going, Operation, RUNTIME, new_name, operation};
use crate::delivery;
use crate::flow;
use crate::flow::commit::view::read_consents;
use crate::flow::upkeep::fill::Filling;
use crate::flow::upkeep::models;
use crate::manifest::Destination;
use crate::model::{ConsentStatus, Fields};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// People that a part of the work has.
const PEOPLE: i64 = 2;

/// Which of a few variants each definition is; 0 where there is none.
#[derive(Debug, Clone, Copy, Default)]
struct Definitions {
    traits: u8,
    audiences: [u8; 4],
    is_excluding: bool,
    destinations: [u8; 2],
}

fn definitions() -> impl Strategy<Value = Definitions> {
    let four = (0..3u8, 0..3u8, 0..3u8, 0..3u8);
    (0..4u8, four, any::<bool>(), (0..5u8, 0..5u8)).prop_map(
        |(traits, (a, b, c, d), is_excluding, (one, two))| Definitions {
            traits,
            audiences: [a, b, c, d],
            is_excluding,
            destinations: [one, two],
        },
    )
}

impl Definitions {
    fn text(&self) -> String {
        let orders = match self.traits {
            0 => "",
            1 => ", within = \"30d\"",
            2 => ", within = \"5d\"",
            _ => ", within = \"90d\"",
        };
        let mut text = String::new();
        if self.traits > 0 {
            text += &format!(
                "[[trait]]\nname = \"orders\"\ncount = {{ event = \"Order Completed\"{orders} }}\n\
                 [[trait]]\nname = \"tier\"\nstages = [{{ name = \"buyer\", who = {{ trait = \"orders\", at_least = 1 }} }}, {{ name = \"other\" }}]\n"
            );
        }
        let mut names = Vec::new();
        for (name, who, more) in self.conditions() {
            text += &format!("[[audience]]\nname = \"{name}\"\nwho = {who}\n{more}\n");
            names.push(format!("\"{name}\""));
        }
        if self.is_excluding {
            text += "[exclude]\naudiences = [\"left_out\"]\n[[audience]]\nname = \"left_out\"\n\
                     who = { trait = \"first_name\", is = \"n0\" }\nexclude = false\n";
        }
        let tier = if self.traits > 0 {
            ", tier = \"tier\""
        } else {
            ""
        };
        for (name, variant) in ["one", "two"].iter().zip(self.destinations) {
            let all = names.join(", ");
            let first = names.first().cloned().unwrap_or_default();
            let rest = match variant {
                0 => continue,
                1 => format!("audiences = [{all}]\nconsent = [\"marketing_email\"]"),
                2 => format!("audiences = [{first}]\nconsent = []"),
                3 => format!(
                    "audiences = [{all}]\nconsent = [\"marketing_email\"]\n\
                     person = {{ match = \"email\", map = {{ name = \"first_name\"{tier} }} }}"
                ),
                _ => format!(
                    "consent = []\nperson = {{ match = \"email\", only = [{first}], map = {{ name = \"first_name\", last = \"last_name\" }} }}"
                ),
            };
            text += &format!(
                "[[destination]]\nname = \"{name}\"\nconnector = \"tool\"\n{rest}\nguard = {{ max_removed = \"100%\" }}\n"
            );
        }
        text
    }

    /// Name, condition and what else each audience says.
    fn conditions(&self) -> Vec<(&'static str, String, &'static str)> {
        let [buyers, repeat, agreed, held] = self.audiences;
        let buyers = match (buyers, self.traits) {
            (0, _) => None,
            (_, 0) => Some("{ trait = \"first_name\", is = \"n2\" }"),
            (1, _) => Some("{ trait = \"tier\", is = \"buyer\" }"),
            _ => Some("{ trait = \"tier\", is = \"other\" }"),
        };
        let repeat = match repeat {
            0 => None,
            1 => {
                Some("{ event = \"Order Completed\", count = { at_least = 2 }, within = \"30d\" }")
            }
            _ => Some("{ event = \"Order Completed\", within = \"5d\" }"),
        };
        let agreed = match (agreed, repeat) {
            (0, _) => None,
            (2, Some(_)) => {
                Some("{ all = [{ audience = \"repeat\" }, { consent = \"marketing_email\" }] }")
            }
            _ => Some("{ consent = \"marketing_email\" }"),
        };
        let held = match held {
            0 => None,
            1 => Some("{ trait = \"email\", exists = true }"),
            _ => Some("{ trait = \"first_name\", in = [\"n1\", \"n2\"] }"),
        };
        [
            ("buyers", buyers, ""),
            ("repeat", repeat, ""),
            ("agreed", agreed, ""),
            ("held", held, "holdout = \"50%\""),
        ]
        .into_iter()
        .filter_map(|(name, who, more)| Some((name, who?.to_owned(), more)))
        .collect()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Plain(Operation),
    Define(Definitions),
    /// This many parts of the work on definitions.
    Fill(u8),
    /// All that is left of it, and what follows.
    Finish,
    /// The same, and a delivery whose answers are all lost.
    FinishAndLose,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => operation().prop_map(Step::Plain),
        3 => definitions().prop_map(Step::Define),
        2 => (1..4u8).prop_map(Step::Fill),
        1 => Just(Step::Finish),
        1 => Just(Step::FinishAndLose),
    ];
    (definitions(), prop::collection::vec(step, 3..12)).prop_map(|(first, mut steps)| {
        steps.insert(0, Step::Define(first));
        steps.push(Step::Finish);
        steps
    })
}

struct Changing {
    going: Going,
    /// Work under way.
    filling: Option<Filling>,
    sinks: BTreeMap<String, Sink>,
}

impl Changing {
    async fn run(&mut self, number: usize, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Plain(operation) => self.going.run(number, operation).await,
            Step::Define(definitions) => self.define(definitions).await,
            Step::Fill(parts) => {
                for _ in 0..*parts {
                    self.fill().await;
                }
            }
            Step::Finish => {
                self.finish().await?;
                self.deliver().await;
                self.check_sinks().await?;
            }
            Step::FinishAndLose => {
                self.finish().await?;
                self.lose().await;
            }
        }
        Ok(())
    }

    /// Leaves work under way unfinished, as a killed process would.
    async fn define(&mut self, definitions: &Definitions) {
        let world = &mut self.going.world;
        world.redefine(&definitions.text()).await;
        flow::upkeep::announce::announce(&world.context)
            .await
            .unwrap();
        self.filling = None;
    }

    async fn fill(&mut self) -> bool {
        let context = &self.going.world.context;
        let filling = match &mut self.filling {
            Some(filling) => filling,
            None => {
                let begun = Filling::begin(context, PEOPLE).await.unwrap();
                self.filling.insert(begun)
            }
        };
        filling.go_on(context).await.unwrap()
    }

    async fn finish(&mut self) -> Result<(), TestCaseError> {
        // As a run does it: traits first where they changed, audiences first where they did not.
        if models::are_behind(&self.going.world.context).await.unwrap() {
            let context = &mut self.going.world.context;
            models::refresh(context, &|_, _| {}).await.unwrap();
        }
        while self.fill().await {}
        self.filling = None;
        let context = &mut self.going.world.context;
        models::refresh(context, &|_, _| {}).await.unwrap();
        flow::due(context).await.unwrap();
        prop_assert_eq!(flow::backfill(context).await.unwrap(), 0);
        prop_assert_eq!(self.going.people().await, self.going.expected());
        Ok(())
    }

    async fn deliver(&mut self) {
        let context = &self.going.world.context;
        for destination in &context.plan.destinations {
            let sink = self.sinks.entry(destination.name.to_string()).or_default();
            let sink = Box::new(sink.clone());
            let report =
                flow::deliver(context, destination, sink, flow::DeliveryOptions::default()).await;
            let report = report.unwrap();
            assert!(!report.guarded && report.problems.is_empty(), "{report:?}");
        }
    }

    async fn lose(&mut self) {
        let context = &self.going.world.context;
        for destination in &context.plan.destinations {
            let sink = self.sinks.entry(destination.name.to_string()).or_default();
            let sink = Box::new(Sink {
                loses: true,
                ..sink.clone()
            });
            let report =
                flow::deliver(context, destination, sink, flow::DeliveryOptions::default()).await;
            assert!(!report.unwrap().guarded);
        }
    }

    // I8
    async fn check_sinks(&self) -> Result<(), TestCaseError> {
        for destination in &self.going.world.context.plan.destinations {
            let sink = &self.sinks[&*destination.name];
            let (members, rows) = self.wanted(destination).await;
            prop_assert_eq!(
                &*sink.members.lock().unwrap(),
                &members,
                "{}",
                destination.name
            );
            // A profile that is no longer wanted stays as it is.
            let held = sink.rows.lock().unwrap();
            for (key, row) in &rows {
                prop_assert_eq!(held.get(key), Some(row), "{} {}", destination.name, key);
            }
        }
        Ok(())
    }

    /// What a destination should hold, from everybody who is stored. Of several people with one key, the first by id counts.
    async fn wanted(&self, destination: &Destination) -> (Members, BTreeMap<String, Fields>) {
        let mut tx = self.going.world.context.store.read().await.unwrap();
        let mut people = tx.find_persons("", 10_000).await.unwrap();
        people.sort_by_key(|row| std::cmp::Reverse(row.uuid));
        let (mut members, mut rows) = (Members::new(), BTreeMap::new());
        for row in people {
            let traits: Fields = serde_json::from_str(&row.traits).unwrap();
            let consents = read_consents(row.id, &row.consents).unwrap();
            let email = traits.get("email").and_then(|value| value.as_str());
            let granted = |purpose: &String| {
                let entry = consents.get(purpose);
                let at = entry
                    .zip(email)
                    .and_then(|(entry, email)| entry.addresses.get(email));
                at.is_some_and(|one| one.status == ConsentStatus::Granted)
            };
            if !destination.consent.iter().all(granted) {
                continue;
            }
            let audiences = tx.memberships_of([row.id]).await.unwrap();
            let audiences: BTreeSet<String> =
                audiences.into_iter().map(|row| row.audience).collect();
            for wanted in delivery::wanted(destination, &traits, &audiences) {
                match wanted.object.strip_prefix("audience:") {
                    Some(name) => {
                        members.insert((name.to_owned(), wanted.remote_key));
                    }
                    None => {
                        let row = serde_json::from_str(&wanted.payload).unwrap();
                        rows.insert(wanted.remote_key, row);
                    }
                }
            }
        }
        (members, rows)
    }
}

async fn check(steps: &[Step], start: usize) -> Result<(), TestCaseError> {
    let mut changing = Changing {
        going: Going::alone(&new_name(), start).await,
        filling: None,
        sinks: BTreeMap::new(),
    };
    for (number, step) in steps.iter().enumerate() {
        changing.run(number, step).await?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, max_shrink_iters: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn i7_i8_definitions_that_change_while_records_arrive_end_as_if_they_had_always_been_so(steps in steps(), start in 0..3usize) {
        RUNTIME.block_on(check(&steps, start))?;
    }
}
