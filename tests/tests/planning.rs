//! Plan and apply: what edited manifests would do is said under a hash, and exactly that is applied.

mod renames;
mod watching;

use crate::hub::{Hub, State};
use crate::small::Small;
use serde_json::Value;

/// A mapping of contacts in the place of the connector's alone.
const MAPPED: &str = "\n[[source.stream]]\nname = \"contacts\"\nmap.first_name = \"properties.lastname\"\n\n[[source]]\nname = \"payments\"";
const UNMAPPED: &str = "streams = [\"contacts\"]\n\n[[source]]\nname = \"payments\"";

fn state(hub: &Hub) -> State {
    hub.state("small.db", &["buyers"])
}

fn plan(small: &Small, more: &[&str]) -> Value {
    small.hub.json(&[&["plan"], more].concat())
}

fn hash(plan: &Value) -> String {
    plan["hash"].as_str().unwrap().to_owned()
}

fn versions(small: &Small) -> Vec<Value> {
    let known = small.hub.json(&["versions"]);
    known["versions"].as_array().unwrap().clone()
}

/// What a new hub with the same manifests and the same vendors makes of it.
fn fresh(small: &Small) -> State {
    let hub = Hub::new();
    let text = std::fs::read_to_string(small.hub.path().join("hub.toml")).unwrap();
    hub.write("hub.toml", &text);
    hub.run(&["run", "--no-delivery"]).ends_with(0);
    state(&hub)
}

fn read_all(small: &Small) -> State {
    small.hub.run(&["run", "--no-delivery"]).ends_with(0);
    state(&small.hub)
}

#[test]
fn a_mapping_is_planned_applied_by_its_hash_and_taken_back() {
    let small = Small::new();
    let first = read_all(&small);
    let version = versions(&small)[0]["version"].as_str().unwrap().to_owned();
    assert_eq!(plan(&small, &[])["hash"], Value::Null);

    small.edit(UNMAPPED, &format!("\n{MAPPED}"));
    let planned = plan(&small, &[]);
    assert_eq!(planned["streams"][0]["records"], 3, "{planned:#}");
    let difference = planned["differences"][0].clone();
    assert_eq!(
        (
            &difference["what"],
            &difference["name"],
            &difference["keys"]
        ),
        (
            &"stream".into(),
            &"crm/contacts".into(),
            &serde_json::json!(["map"])
        )
    );
    assert_eq!(versions(&small).len(), 1, "a plan writes nothing");
    assert_eq!(plan(&small, &[])["hash"], planned["hash"]);

    // Something changes in between.
    let stale = hash(&planned);
    small.edit("properties.lastname", "properties.lastname | upper");
    let refused = small.hub.run(&["apply", &stale]).ends_with(2);
    assert!(refused.stderr.contains("OF0921"), "{refused:?}");
    assert_eq!((state(&small.hub), versions(&small).len()), (first, 1));

    let said = small.hub.run(&["plan"]).ends_with(0).stdout;
    assert!(
        said.contains("after mapping 3 stored records again"),
        "{said}"
    );
    let fresh_plan = hash(&plan(&small, &[]));
    assert!(
        said.contains(&format!("onefold apply {fresh_plan}")),
        "{said}"
    );
    let applied = small.hub.run(&["apply", &fresh_plan]).ends_with(0);
    assert!(
        applied.stdout.contains("mapped again  3 records"),
        "{applied:?}"
    );
    assert_eq!(state(&small.hub), fresh(&small));
    let twice = small.hub.run(&["apply", &fresh_plan]).ends_with(2);
    assert!(twice.stderr.contains("applied already"), "{twice:?}");
    assert_eq!(versions(&small).len(), 2);

    // Back, with an edit of the folder that nobody applied.
    let back = hash(&plan(&small, &["--from", &version]));
    let text = std::fs::read_to_string(small.hub.path().join("hub.toml")).unwrap();
    small
        .hub
        .write("hub.toml", &format!("{text}\n# not applied\n"));
    let refused = small.hub.run(&["apply", &back, "--from", &version]);
    assert!(refused.ends_with(2).stderr.contains("OF0922"));
    small.hub.write("hub.toml", &text);
    small.hub.write("more.toml", "");
    small.hub.run(&["run", "--no-delivery"]).ends_with(0);
    let back = hash(&plan(&small, &["--from", &version]));
    small
        .hub
        .run(&["apply", &back, "--from", &version])
        .ends_with(0);
    let known = versions(&small);
    assert_eq!(known.len(), 4);
    assert_eq!(known[0]["version"], version.as_str());
    let text = std::fs::read_to_string(small.hub.path().join("hub.toml")).unwrap();
    assert!(text.contains(UNMAPPED), "the folder follows");
    assert!(!small.hub.path().join("more.toml").exists());
    assert_eq!(state(&small.hub), fresh(&small));
    assert_eq!(plan(&small, &[])["hash"], Value::Null);
}

#[test]
fn identity_rules_are_part_of_a_plan_and_are_applied_with_it() {
    let small = Small::new();
    read_all(&small);
    let rules = "[identity]\nblocked = [\"email:ada@poczta.example\"]\n\n[[audience]]";
    small.edit("[[audience]]", rules);
    let planned = plan(&small, &[]);
    assert!(
        planned["identity"]["touched"].as_i64() > Some(0),
        "{planned:#}"
    );
    let applied = small.hub.run(&["apply", &hash(&planned)]).ends_with(0);
    assert!(!applied.stderr.contains("OF06"), "{applied:?}");
    assert_eq!(state(&small.hub), fresh(&small));
    assert_eq!(plan(&small, &[])["identity"], Value::Null);
}
