//! The demo's parts: vendors with their population, the manifests with the vendors' ports in, and the comparison of
//! what Onefold found with what is true. Runs nothing by itself and prints nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::population::{
    Population, Truth, generate, load_hubspot, load_mailchimp, load_stripe, next_day,
};
use crate::vendors::hubspot::{self, HubSpot};
use crate::vendors::mailchimp::{self, Mailchimp, Write};
use crate::vendors::stripe::{self, Stripe};
use crate::vendors::{Running, start};

pub const AUDIENCE: &str = "lapsed_vip";
/// Defined on the next day.
pub const REFUNDED: &str = "refunded";

/// The day on which what was found is compared with what is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    First,
    Next,
}

/// The addresses that the manifests name, in the order HubSpot, Stripe, Mailchimp.
const PLACES: [&str; 3] = ["127.0.0.1:8411", "127.0.0.1:8412", "127.0.0.1:8413"];

/// The three vendors, serving one population.
pub struct World {
    pub population: Population,
    pub hubspot: Running<HubSpot>,
    pub stripe: Running<Stripe>,
    pub mailchimp: Running<Mailchimp>,
}

impl World {
    pub fn start(seed: u64, people: usize, now_ms: i64) -> Result<World> {
        let population = generate(seed, people, now_ms);
        let (mut hubspot, mut stripe, mut mailchimp) =
            (HubSpot::default(), Stripe::default(), Mailchimp::default());
        load_hubspot(&population, &mut hubspot);
        load_stripe(&population, &mut stripe);
        load_mailchimp(&population, &mut mailchimp);
        let anywhere: SocketAddr = ([127, 0, 0, 1], 0).into();
        Ok(World {
            population,
            hubspot: start(hubspot, anywhere)?,
            stripe: start(stripe, anywhere)?,
            mailchimp: start(mailchimp, anywhere)?,
        })
    }

    /// The next day at the vendors, see `population::Later`.
    pub fn next_day(&self) {
        let Self {
            hubspot,
            stripe,
            mailchimp,
            ..
        } = self;
        next_day(&self.population, hubspot, stripe, mailchimp);
    }

    pub fn truth(&self, day: Day) -> &Truth {
        match day {
            Day::First => &self.population.truth,
            Day::Next => &self.population.tomorrow,
        }
    }

    /// The addresses of people who have another last name on each day and are not in the newsletter under theirs.
    pub fn wrong_names(&self, day: Day) -> Vec<String> {
        let snapshot = self.mailchimp.with(|mailchimp| mailchimp.snapshot());
        let has = |email: &str| {
            let (_, fields) = snapshot.members.get(email)?;
            fields.get("LNAME")?.as_str()
        };
        let wrong = self.population.renamed.iter().filter(|(email, names)| {
            let (today, tomorrow) = names;
            let name = match day {
                Day::First => today,
                Day::Next => tomorrow,
            };
            has(email) != Some(name)
        });
        wrong.map(|(email, _)| email.clone()).collect()
    }

    /// What the operator adds on the next day.
    pub fn write_next_day(&self, folder: &Path) -> Result<()> {
        let audience = format!(
            "[[audience]]\nname = \"{REFUNDED}\"\ndescription = \"Got money back\"\nwho = {{ event = \"Order Refunded\" }}\n"
        );
        Ok(std::fs::write(folder.join("next_day.toml"), audience)?)
    }

    /// Copies a folder of manifests, with the vendors' addresses in place of those it names.
    pub fn write_manifests(&self, from: &Path, to: &Path) -> Result<()> {
        std::fs::create_dir_all(to)?;
        let entries =
            std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let mut text = std::fs::read_to_string(&path)?;
            let addresses = [
                self.hubspot.address,
                self.stripe.address,
                self.mailchimp.address,
            ];
            for (place, address) in PLACES.iter().zip(addresses) {
                text = text.replace(place, &address.to_string());
            }
            std::fs::write(
                to.join(path.file_name().context("a manifest without a name")?),
                text,
            )?;
        }
        Ok(())
    }

    /// The environment variables that the manifests name.
    pub fn secrets() -> [(&'static str, &'static str); 3] {
        [
            ("HUBSPOT_TOKEN", hubspot::TOKEN),
            ("STRIPE_KEY", stripe::KEY),
            ("MAILCHIMP_KEY", mailchimp::KEY),
        ]
    }

    pub fn writes(&self) -> Vec<Write> {
        self.mailchimp.with(|mailchimp| mailchimp.writes.clone())
    }

    pub fn audience(&self) -> BTreeSet<String> {
        self.mailchimp
            .with(|mailchimp| mailchimp.segment_members(AUDIENCE))
    }
}

/// A number in what a command of `onefold` printed as JSON.
pub fn number_in(printed: &str, name: &str) -> Result<usize> {
    let printed: Value =
        serde_json::from_str(printed).context("a command with `--json` did not print JSON")?;
    let number = printed[name].as_u64();
    let number = number.with_context(|| format!("what it printed has no number `{name}`"))?;
    Ok(number as usize)
}

/// What was applied more than once with the same content.
pub fn applied_twice(writes: &[Write]) -> Vec<String> {
    let mut last: BTreeMap<&str, &Write> = BTreeMap::new();
    let mut twice = Vec::new();
    for write in writes {
        let same = |before: &&Write| {
            before.content == write.content
                && (before.action == write.action || (puts(before) && puts(write)))
        };
        if last.get(write.object.as_str()).is_some_and(same) {
            twice.push(format!("{} {}", write.action, write.object));
        }
        last.insert(&write.object, write);
    }
    twice
}

/// A member that is made a second time exists already: what was lost comes again as an update.
fn puts(write: &Write) -> bool {
    matches!(write.action, "created" | "updated")
}

/// How two sets of addresses differ, in words, with a few examples; `None` when they are equal.
pub fn difference(found: &BTreeSet<String>, expected: &BTreeSet<String>) -> Option<String> {
    let some = |left: &BTreeSet<String>, right: &BTreeSet<String>| {
        let rows: Vec<&str> = left.difference(right).map(String::as_str).collect();
        let examples = rows.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        format!("{} ({examples})", rows.len())
    };
    if found == expected {
        return None;
    }
    Some(format!(
        "missing {}; too many {}",
        some(expected, found),
        some(found, expected)
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn write(object: &str, content: Value) -> Write {
        Write {
            at_ms: 0,
            object: object.into(),
            action: "updated",
            content,
            changed: true,
        }
    }

    #[test]
    fn the_same_content_twice_in_a_row_is_seen_and_a_change_and_back_is_not() {
        let (a, b) = (json!({"FNAME": "A"}), json!({"FNAME": "B"}));
        let back_and_forth = [
            write("m:1", a.clone()),
            write("m:1", b.clone()),
            write("m:1", a.clone()),
        ];
        assert!(applied_twice(&back_and_forth).is_empty());
        let again = [
            write("m:1", a.clone()),
            write("m:2", a.clone()),
            write("m:1", a),
        ];
        assert_eq!(applied_twice(&again), ["updated m:1"]);
        let mut made_again = again;
        made_again[0].action = "created";
        assert_eq!(applied_twice(&made_again), ["updated m:1"]);
    }

    #[test]
    fn manifests_get_the_real_addresses() {
        let world = World::start(1, 10, 1_790_000_000_000).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/demo");
        world.write_manifests(&from, folder.path()).unwrap();
        let sources = std::fs::read_to_string(folder.path().join("sources.toml")).unwrap();
        for address in [
            world.hubspot.address,
            world.stripe.address,
            world.mailchimp.address,
        ] {
            assert_eq!(
                sources.matches(&address.to_string()).count(),
                2,
                "{address}"
            );
        }
        for (variable, _) in World::secrets() {
            assert!(sources.contains(&format!("env:{variable}")));
        }
    }
}
