//! The document of keys against the reader: every example loads, every key is read, and what the schema refuses the reader refuses.

use super::*;
use crate::manifest::Version;
use crate::manifest::tests::{VALID, load_text};
use crate::problem::codes;
use std::collections::BTreeSet;
use toml::Value;

/// What examples refer to and do not show.
const BASE: &str = r#"
[hub]
name = "acme"
store = "sqlite:acme.db"

[[purpose]]
name = "marketing_email"

[[source]]
name = "shop"
connector = "hubspot"
credential.token = "env:HUBSPOT_TOKEN"

[[source.stream]]
name = "contacts"
map.country = "properties.country | country"
map.phone = "properties.phone | phone"
map.last_name = "properties.lastname"
map.visits = "properties.visits | number"
map.orders = "properties.orders | number"
map.clicks = "properties.clicks | number"
map.currency = "properties.currency"
map.trial_started_at = "properties.started | timestamp"
map.trial_ends_at = "properties.ends | timestamp"

[[source.stream]]
name = "deals"
to = "event"
event = "Order Refunded"
key = "id"
map = { email = "email | email" }

[[source]]
name = "crm"
connector = "hubspot"
credential.token = "env:HUBSPOT_TOKEN"

[[source]]
name = "payments"
connector = "stripe"
credential.key = "env:STRIPE_KEY"

[[audience]]
name = "vip"
who = { trait = "country", is = "PL" }

[[audience]]
name = "regular"
who = { trait = "country", is = "DE" }
"#;

fn validator() -> &'static jsonschema::Validator {
    static VALIDATOR: LazyLock<jsonschema::Validator> =
        LazyLock::new(|| jsonschema::validator_for(&json_schema()).expect("a valid schema"));
    &VALIDATOR
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Datetime(time) => time.to_string().into(),
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Table(table) => {
            let entries = table.iter().map(|(key, value)| (key.clone(), json(value)));
            serde_json::Value::Object(entries.collect())
        }
        other => serde_json::to_value(other).expect("a scalar"),
    }
}

fn parse(text: &str) -> Value {
    Value::Table(toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}")))
}

pub(in crate::manifest) fn assert_valid(text: &str) {
    let value = json(&parse(text));
    if let Err(error) = validator().validate(&value) {
        panic!("at `{}`: {error}\n{text}", error.instance_path());
    }
}

fn is_valid(manifest: &Value) -> bool {
    validator().is_valid(&json(manifest))
}

/// An example as a hub of its own: with the parts of `BASE` that it does not have itself.
fn whole(example: &str) -> Value {
    let mut manifest = parse(example);
    let Value::Table(base) = parse(BASE) else {
        unreachable!("`parse` makes a table")
    };
    let tables = manifest.as_table_mut().expect("a table");
    for (key, value) in base {
        match (tables.get_mut(&key), value) {
            (None, value) => drop(tables.insert(key, value)),
            (Some(Value::Array(own)), Value::Array(more)) => {
                let name = |entry: &Value| entry.get("name").cloned();
                let taken: Vec<_> = own.iter().map(name).collect();
                own.extend(more.into_iter().filter(|one| !taken.contains(&name(one))));
            }
            (Some(_), _) => {}
        }
    }
    manifest
}

fn read(manifest: &Value) -> Result<crate::manifest::Plan, Vec<crate::problem::Problem>> {
    load_text(&toml::to_string(manifest).expect("TOML"))
}

/// A value in an example: a key's, or one of a type with a closed list.
struct Found {
    path: Vec<String>,
    table: &'static str,
    key: Option<&'static Key>,
    words: Vec<String>,
}

fn find_all(
    value: &Value,
    kind: &str,
    path: &[String],
    table: &'static str,
    found: &mut Vec<Found>,
) {
    let below = |step: &dyn ToString| [path, &[step.to_string()]].concat();
    for kind in alternatives(kind) {
        if let (Some(inside), Some(items)) = (within(kind, "[", "]"), value.as_array()) {
            for (at, item) in items.iter().enumerate() {
                find_all(item, inside, &below(&at), table, found);
            }
        } else if let (Some(inside), Some(entries)) = (within(kind, "{", "}"), value.as_table()) {
            for (name, entry) in entries {
                find_all(entry, inside, &below(name), table, found);
            }
        } else if let (Some(of), Some(entries)) = (find(kind), value.as_table()) {
            let keys = of.keys();
            let has = |name: &String| keys.iter().any(|key| key.key == *name);
            let whole = keys
                .iter()
                .all(|key| !key.needed || entries.contains_key(&key.key));
            if !whole || (of.others.is_none() && !entries.keys().all(has)) {
                continue;
            }
            for key in keys {
                let Some(entry) = entries.get(&key.key) else {
                    continue;
                };
                let path = below(&key.key);
                found.push(Found {
                    path: path.clone(),
                    table: &of.name,
                    key: Some(key),
                    words: key.choices.clone(),
                });
                find_all(
                    entry,
                    key.kind.as_deref().unwrap_or_default(),
                    &path,
                    &of.name,
                    found,
                );
            }
        } else if let Some(one) = types().iter().find(|one| one.name == kind) {
            if let Some(is) = &one.is {
                find_all(value, is, path, table, found);
            }
            let words = one
                .schema
                .as_ref()
                .and_then(|schema| schema.get("enum")?.as_array());
            let words = words
                .into_iter()
                .flatten()
                .filter_map(|word| Some(word.as_str()?.to_owned()));
            let words: Vec<String> = words.collect();
            if !words.is_empty() {
                found.push(Found {
                    path: path.to_vec(),
                    table,
                    key: None,
                    words,
                });
            }
        }
    }
}

/// Every value of every example once, with the example as a whole hub.
fn everything() -> Vec<(Value, Vec<Found>)> {
    let mut seen = BTreeSet::new();
    let examples = tables().iter().map(|table| whole(&table.example));
    let found = examples.map(|mut manifest| {
        let mut found = Vec::new();
        find_all(&manifest, "manifest", &[], "", &mut found);
        found.retain(|one| {
            let name = one.key.map(|key| key.key.as_str());
            seen.insert((one.table, name, at(&mut manifest, &one.path).to_string()))
        });
        (manifest, found)
    });
    found.collect()
}

fn at<'v>(manifest: &'v mut Value, path: &[String]) -> &'v mut Value {
    path.iter().fold(manifest, |value, step| match value {
        Value::Array(items) => &mut items[step.parse::<usize>().expect("an index")],
        value => value.get_mut(step.as_str()).expect("a key of the example"),
    })
}

fn with(manifest: &Value, path: &[String], value: Value) -> Value {
    let mut changed = manifest.clone();
    *at(&mut changed, path) = value;
    changed
}

fn without(manifest: &Value, path: &[String]) -> Value {
    let mut changed = manifest.clone();
    let (key, above) = path.split_last().expect("not the whole");
    let table = at(&mut changed, above).as_table_mut().expect("a table");
    table.remove(key);
    changed
}

#[test]
fn every_example_loads_and_together_they_have_every_key() {
    let mut shown = BTreeSet::new();
    let mut wrong = Vec::new();
    for (table, (manifest, found)) in tables().iter().zip(everything()) {
        if let Err(problems) = read(&manifest) {
            let messages = problems.iter().map(|one| one.message.as_str());
            wrong.push((table.name.as_str(), messages.collect::<Vec<_>>().join("; ")));
        }
        shown.extend(
            found
                .iter()
                .filter_map(|one| one.key.map(std::ptr::from_ref)),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // A key that several tables share is shown where one of them has it.
    let own = |table: &'static Table| table.keys.iter().map(move |key| (table, key));
    let all = tables().iter().flat_map(own);
    let missing = all.filter(|(_, key)| !shown.contains(&std::ptr::from_ref::<Key>(key)));
    let missing = missing.map(|(table, key)| format!("{}.{}", table.name, key.key));
    let missing: Vec<String> = missing.collect();
    assert!(missing.is_empty(), "no example has {missing:?}");
}

#[test]
fn every_type_and_table_that_a_key_names_exists() {
    fn check(kind: &str) {
        for kind in alternatives(kind) {
            match within(kind, "[", "]").or_else(|| within(kind, "{", "}")) {
                Some(inside) => check(inside),
                None => assert!(
                    find(kind).is_some() || types().iter().any(|one| one.name == kind),
                    "there is no `{kind}`"
                ),
            }
        }
    }
    for table in tables() {
        table.with.iter().for_each(|name| check(name));
        table.others.iter().for_each(|kind| check(kind));
        for key in table.keys() {
            assert!(key.kind.is_some() || !key.choices.is_empty(), "{}", key.key);
            key.kind.iter().for_each(|kind| check(kind));
        }
    }
    types()
        .iter()
        .filter_map(|one| one.is.as_deref())
        .for_each(check);
}

#[test]
fn what_the_schema_refuses_the_reader_refuses() {
    let candidates = [
        Value::Boolean(true),
        Value::Integer(-7),
        Value::String("§".to_owned()),
        Value::Array(vec![Value::Boolean(true)]),
        parse("'§' = true"),
    ];
    let mut refused = BTreeSet::new();
    let mut free = BTreeSet::new();
    let mut done = BTreeSet::new();
    for (manifest, found) in everything() {
        for one in &found {
            let name = (one.table, one.key.map(|key| key.key.as_str()));
            // Once for each key: the whole hub is read each time.
            if !done.insert(name) {
                continue;
            }
            for candidate in &candidates {
                let changed = with(&manifest, &one.path, candidate.clone());
                if is_valid(&changed) {
                    free.insert(name);
                } else {
                    refused.insert(name);
                    let text = toml::to_string(&changed).unwrap();
                    assert!(read(&changed).is_err(), "{name:?} = {candidate}\n{text}");
                }
            }
            if one.key.is_some_and(|key| key.needed) {
                let changed = without(&manifest, &one.path);
                assert!(!is_valid(&changed) && read(&changed).is_err(), "{name:?}");
            }
        }
    }
    assert!(free.is_subset(&refused), "{:?}", free.difference(&refused));
}

#[test]
fn closed_lists_are_the_readers() {
    let mut seen = 0;
    for (manifest, found) in everything() {
        for one in found.iter().filter(|one| !one.words.is_empty()) {
            let wrong = with(&manifest, &one.path, Value::String("§".to_owned()));
            let problems = read(&wrong).expect_err("not a choice");
            let problem = problems
                .iter()
                .find(|problem| *problem.code == codes::UNKNOWN_CHOICE);
            let hint = problem
                .and_then(|problem| problem.hint.as_deref())
                .unwrap_or_default();
            let known: BTreeSet<&str> = hint.split('`').skip(1).step_by(2).collect();
            let words: BTreeSet<&str> = one.words.iter().map(String::as_str).collect();
            assert_eq!(known, words, "{:?}", one.path);
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn a_default_is_what_the_hub_does_without_the_key() {
    let plan = |manifest: &Value| {
        let mut plan = read(manifest).ok()?;
        (plan.digest, plan.warnings) = (String::new(), Vec::new());
        plan.version = Version::default();
        Some(format!("{plan:#?}"))
    };
    let mut compared = BTreeSet::new();
    let mut all = BTreeSet::new();
    for (manifest, found) in everything() {
        for one in &found {
            let Some((key, default)) = one.key.and_then(|key| Some((key, key.default.clone()?)))
            else {
                continue;
            };
            all.insert((one.table, &key.key));
            let written = plan(&with(&manifest, &one.path, default));
            let left_out = plan(&without(&manifest, &one.path));
            if let (Some(written), Some(left_out)) = (written, left_out) {
                assert_eq!(written, left_out, "{:?}", one.path);
                compared.insert((one.table, &key.key));
            }
        }
    }
    assert_eq!(compared, all);
}

#[test]
fn manifests_of_the_repository_are_valid_by_the_schema() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let file = |path: &str| std::fs::read_to_string(root.join(path)).expect("a readable file");
    assert_valid(VALID);
    for name in ["hub", "sources", "audiences", "destinations"] {
        assert_valid(&file(&format!("manifests/demo/{name}.toml")));
    }
    let made = file("hub/src/cli/hub.toml");
    let is_toml =
        |line: &&str| !line.starts_with("# ") || line.contains(" = ") || line.contains("[[");
    let lines = made.lines().filter(is_toml);
    let open: Vec<&str> = lines.map(|line| line.trim_start_matches("# ")).collect();
    assert!(open.contains(&"[[destination]]"), "{open:?}");
    assert_valid(&open.join("\n").replace("{name}", "acme"));
    let readme = file("README.md");
    let blocks = readme.split("```toml\n").skip(1);
    let blocks = blocks.filter_map(|block| block.split("```").next());
    let known = known("manifest");
    let ours = blocks.filter(|block| {
        let keys = parse(block);
        keys.as_table()
            .is_some_and(|keys| keys.keys().all(|key| known.contains(&key.as_str())))
    });
    let read = ours
        .inspect(|block| assert_valid(&in_a_source(block)))
        .count();
    assert!(read >= 8, "{read}");
}

/// A stream that is shown alone, in a source.
fn in_a_source(block: &str) -> String {
    let source = "[[source]]\nname = \"crm\"\nconnector = \"hubspot\"\n";
    match (
        block.find("[[source.stream]]"),
        block.contains("[[source]]"),
    ) {
        (Some(at), false) => format!("{}{source}{}", &block[..at], &block[at..]),
        _ => block.to_owned(),
    }
}
