//! I7: the members that are stored are those whom one query over everybody finds, for many definitions, after
//! each kind of change.

use crate::hub::Hub;
use onefold_tests::demo::World;
use onefold_tests::vendors::time::Clock;
use serde_json::Value;
use std::collections::BTreeSet;

const AUDIENCES: &str = r#"
[[audience]]
name = "poles"
who = { trait = "country", is = "PL" }

[[audience]]
name = "regulars"
who = { event = "Order Completed", count = { at_least = 3 } }

[[audience]]
name = "recent"
who = { event = "Order Completed", within = "90d" }

[[audience]]
name = "silent"
who = { not = { event = "Order Completed" } }

[[audience]]
name = "readers"
who.any = [
  { event = "Email Opened", within = "30d" },
  { event = "Email Link Clicked" },
]

[[audience]]
name = "lapsed_abroad"
who.all = [
  { not = { trait = "country", is = "PL" } },
  { event = "Order Completed", count = { at_least = 2 } },
  { not = { event = "Order Completed", within = "60d" } },
]
"#;

const NAMES: [&str; 7] = [
    "lapsed_vip",
    "poles",
    "regulars",
    "recent",
    "silent",
    "readers",
    "lapsed_abroad",
];

fn ids(answer: &Value) -> BTreeSet<&str> {
    let members = answer["members"].as_array().unwrap().iter();
    members
        .map(|member| member["id"].as_str().unwrap())
        .collect()
}

fn compare(hub: &Hub) -> usize {
    let mut members = 0;
    for name in NAMES {
        let stored = hub.json(&["audience", "show", name, "--limit", "100000"]);
        let computed = hub.json(&["audience", "preview", name, "--limit", "100000"]);
        assert_eq!(ids(&stored), ids(&computed), "{name}");
        assert_eq!(
            stored["size"].as_u64().unwrap() as usize,
            ids(&stored).len()
        );
        members += ids(&stored).len();
    }
    members
}

#[test]
fn stored_members_are_those_that_one_query_over_everybody_finds() {
    let world = World::start(11, 400, Clock::System.now_ms()).unwrap();
    let hub = Hub::demo(&world);
    hub.run(&["run", "--no-delivery"]);
    // Definitions that are new fall on people who are there already.
    hub.write("more.toml", AUDIENCES);
    hub.run(&["run", "--no-delivery"]);
    let before = compare(&hub);
    assert!(before > 400, "the audiences must not be empty: {before}");
    // Contacts change country and leave; their people enter and leave.
    world.hubspot.with(|hubspot| {
        let now_ms = hubspot.clock.now_ms();
        let ids: Vec<u64> = hubspot.contacts.ids().collect();
        for (at, id) in ids.into_iter().enumerate() {
            match at % 5 {
                0 => {
                    hubspot.contacts.edit(id, &[("country", "PL")], now_ms);
                }
                1 => {
                    hubspot.contacts.edit(id, &[("country", "DE")], now_ms);
                }
                2 => hubspot.contacts.archive(id, now_ms),
                _ => {}
            }
        }
    });
    hub.run(&["run", "--no-delivery"]);
    assert_ne!(compare(&hub), before);
}
