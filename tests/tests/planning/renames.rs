//! A new name changes nothing but the name.

use super::{hash, plan, state, versions};
use crate::small::{Small, set};
use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use std::collections::BTreeMap;

/// What has to differ: versions, counters, leases, times of runs.
const LEFT_OUT: [&str; 6] = [
    "manifest_version",
    "namespace",
    "counter",
    "job",
    "hub",
    "_sqlx_migrations",
];

/// Every row of every table as text, with another word in the place of one.
fn dump(small: &Small, from: &str, to: &str) -> BTreeMap<String, Vec<String>> {
    let file = Connection::open(small.hub.path().join("small.db")).unwrap();
    let names = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'";
    let mut names = file.prepare(names).unwrap();
    let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut dump = BTreeMap::new();
    for table in names.map(Result::unwrap) {
        if LEFT_OUT.contains(&&*table) {
            continue;
        }
        let mut rows = file.prepare(&format!("select * from {table}")).unwrap();
        let width = rows.column_count();
        let rows = rows.query_map([], |row| {
            let cells = (0..width).map(|at| row.get::<_, Cell>(at).unwrap());
            let cells: Vec<String> = cells.map(|cell| format!("{cell:?}")).collect();
            Ok(cells.join(" ").replace(from, to))
        });
        let mut rows: Vec<String> = rows.unwrap().map(Result::unwrap).collect();
        rows.sort();
        dump.insert(table, rows);
    }
    dump
}

/// Applies an edit of the manifest, and compares everything that is stored.
fn renames(small: &Small, edit: (&str, &str), names: (&str, &str)) {
    let before = dump(small, names.0, names.1);
    small.edit(edit.0, edit.1);
    let planned = plan(small, &[]);
    let change = planned["differences"][0].clone();
    assert_eq!(change["change"], "renamed", "{planned:#}");
    small.hub.run(&["apply", &hash(&planned)]).ends_with(0);
    let after = dump(small, names.0, names.1);
    for (table, rows) in &before {
        assert_eq!(rows, &after[table], "{table}");
    }
}

#[test]
fn a_source_a_destination_and_a_trait_keep_everything_under_new_names() {
    let small = Small::new();
    let full =
        "[[trait]]\nname = \"full\"\nderive = \"first_name ~ ' ' ~ last_name\"\n\n[[audience]]";
    small.edit("[[audience]]", full);
    small.edit("LNAME = \"last_name\"", "LNAME = \"full\"");
    small.hub.run(&["run"]).ends_with(0);
    let (first, writes) = (state(&small.hub), small.writes().len());
    let people = small
        .hub
        .json(&["profile", "show", "external:crm:11", "--why"]);

    renames(
        &small,
        ("name = \"crm\"", "name = \"salesdesk\"\nwas = \"crm\""),
        ("salesdesk", "crm"),
    );
    assert_eq!(state(&small.hub), first);
    let known = small
        .hub
        .json(&["profile", "show", "external:salesdesk:11", "--why"]);
    let text = known.to_string();
    assert!(
        text.contains("salesdesk") && !text.contains("crm"),
        "{known:#}"
    );
    assert_eq!(known["id"], people["id"]);
    assert_eq!(known["traits"], people["traits"]);

    let named = "name = \"newsletter-out\"";
    renames(
        &small,
        (named, "name = \"mailing\"\nwas = \"newsletter-out\""),
        ("newsletter-out", "mailing"),
    );

    // The trait's own value has the new name, and nothing else changes.
    small.edit("name = \"full\"", "name = \"whole\"\nwas = \"full\"");
    small.edit("LNAME = \"full\"", "LNAME = \"whole\"");
    small
        .hub
        .run(&["apply", &hash(&plan(&small, &[]))])
        .ends_with(0);
    let ada = small
        .hub
        .json(&["profile", "show", "email:ada@poczta.example"]);
    assert_eq!(ada["traits"]["whole"], people["traits"]["full"]);
    assert_eq!(ada["traits"].get("full"), None);

    // Everything comes again, and is known.
    small.hub.run(&["run", "--full"]).ends_with(0);
    assert_eq!(state(&small.hub).people.len(), first.people.len());
    assert_eq!(state(&small.hub).members, first.members);
    assert_eq!(small.writes().len(), writes, "nothing is sent");
    assert_eq!(
        small.tagged(),
        set(["ada@poczta.example", "zofia@poczta.example"])
    );

    // Left in the manifest, or taken out, it does nothing.
    let count = versions(&small).len();
    small.edit("\nwas = \"crm\"", "");
    assert_eq!(plan(&small, &[])["differences"], serde_json::json!([]));
    small.hub.run(&["run", "--no-delivery"]).ends_with(0);
    assert_eq!(versions(&small).len(), count + 1);

    // A new source of the old name is another one.
    let text = std::fs::read_to_string(small.hub.path().join("hub.toml")).unwrap();
    let from = text.find("[[source]]").unwrap();
    let to = from + 1 + text[from + 1..].find("[[source]]").unwrap();
    let again = text[from..to].replace("salesdesk", "crm");
    small.hub.write("again.toml", &again);
    small.hub.run(&["run", "--no-delivery"]).ends_with(0);
    let both = small.hub.json(&["profile", "show", "external:crm:11"]);
    assert_eq!(both["id"], people["id"], "one e-mail address, one person");
    let text = both["identifiers"].to_string();
    assert!(
        text.contains("external:crm") && text.contains("external:salesdesk"),
        "{text}"
    );
}

#[test]
fn a_name_that_is_taken_cannot_have_been_another_ones() {
    let small = Small::new();
    small.edit("name = \"crm\"", "name = \"crm\"\nwas = \"payments\"");
    let refused = small.hub.run(&["check"]).ends_with(2);
    assert!(refused.stderr.contains("OF0923"), "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("there is still a source `payments`"),
        "{refused:?}"
    );
    small.edit("was = \"payments\"", "was = \"old\"");
    small.edit("name = \"payments\"", "name = \"payments\"\nwas = \"old\"");
    let refused = small.hub.run(&["check"]).ends_with(2);
    assert!(refused.stderr.contains("too"), "{refused:?}");
}

/// What the hub holds would stay under a name that nothing has, and come once more under another one.
#[test]
fn a_name_that_leads_nowhere_is_refused_before_anything_is_read_twice() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    let first = versions(&small)[0]["version"].as_str().unwrap().to_owned();
    let before = state(&small.hub);
    // A name that was never in force, as when one edit is saved over another.
    small.edit("name = \"crm\"", "name = \"leads\"\nwas = \"sales\"");
    let refused = small.hub.run(&["run"]).ends_with(2);
    assert!(refused.stderr.contains("OF0923"), "{refused:?}");
    assert!(
        refused.stderr.contains("no source of that name"),
        "{refused:?}"
    );
    small.edit("was = \"sales\"", "was = \"crm\"");
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(state(&small.hub), before);
    // The way back by a version that does not say the new name.
    let refused = small.hub.run(&["plan", "--from", &first]).ends_with(2);
    assert!(refused.stderr.contains("OF0923"), "{refused:?}");
    // The same by hand without saying it, and then as the hint says it.
    small.edit("name = \"leads\"\nwas = \"crm\"", "name = \"crm\"");
    let refused = small.hub.run(&["run"]).ends_with(2);
    assert!(
        refused.stderr.contains("write `was = \"leads\"`"),
        "{refused:?}"
    );
    small.edit("name = \"crm\"", "name = \"crm\"\nwas = \"leads\"");
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(state(&small.hub), before);
    let namespaces = "select count(*) from namespace";
    assert_eq!(small.hub.number("small.db", namespaces), 0);
}

#[test]
fn a_source_that_is_taken_out_is_kept_retired_or_erased_as_was_said() {
    let small = Small::new();
    small.edit("[[audience]]", "[apply]\n\n[[audience]]");
    small.hub.run(&["run", "--no-delivery"]).ends_with(0);
    let text = std::fs::read_to_string(small.hub.path().join("hub.toml")).unwrap();
    let from = text.find("[[source]]").unwrap();
    let to = from + 1 + text[from + 1..].find("[[source]]").unwrap();
    small
        .hub
        .write("hub.toml", &[&text[..from], &text[to..]].concat());
    let shown = small.hub.run(&["plan"]).ends_with(0);
    assert!(
        shown.stdout.contains("--removed crm=keep|retire|erase"),
        "{shown:?}"
    );
    let hash = hash(&plan(&small, &[]));
    for (removed, why) in [
        (None, "it is not said what becomes of its records"),
        (Some("crm=burn"), "write `crm=keep`"),
        (
            Some("payments=keep"),
            "there is no source that is taken out `payments`",
        ),
    ] {
        let removed = removed.map(|said| ["--removed", said]);
        let arguments = [
            &["apply", &*hash][..],
            removed.as_ref().map_or(&[], |one| one),
        ];
        let refused = small.hub.run(&arguments.concat()).ends_with(2);
        assert!(refused.stderr.contains(why), "{refused:?}");
    }
    let said = ["apply", &hash, "--removed", "crm=erase"];
    small.hub.run(&said).ends_with(0);
    assert_eq!(state(&small.hub), super::fresh(&small));
    let left = "select count(*) from record_version where instr(body, 'Lovelace') > 0 and instr(body, 'properties') > 0";
    assert_eq!(small.hub.number("small.db", left), 0);
    assert_eq!(
        small.hub.json(&["status"])["left_over"],
        serde_json::json!([])
    );
}
