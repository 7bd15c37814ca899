//! A version of a hub's manifests: all that was read of its folder, and how two versions differ. Compares texts, not plans, so
//! that a version whose connectors are gone, or that this program would refuse, can be compared, too.

use crate::manifest::Plan;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use toml::{Table, Value};

/// How much of a hash is shown.
const SHOWN: usize = 12;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Of everything else.
    #[serde(skip)]
    pub hash: String,
    /// Names and texts.
    pub files: Vec<(String, String)>,
    /// The hash of each connector's component, by the connector's name.
    pub components: BTreeMap<String, String>,
}

impl Version {
    pub fn new(files: &[(String, String)], components: &BTreeMap<String, String>) -> Self {
        let written = format!("{files:?} {components:?}");
        Self {
            hash: blake3::hash(written.as_bytes()).to_hex()[..32].to_owned(),
            files: files.to_vec(),
            components: components.clone(),
        }
    }

    /// As it is shown and typed.
    pub fn short(&self) -> &str {
        short(&self.hash)
    }

    /// What its `[apply]` table lets happen without a plan; none when it has no such table, and everything is applied.
    pub fn automatic(&self) -> Option<Vec<String>> {
        let tables = self.files.iter().filter_map(|(_, text)| parsed(text));
        let mut tables = tables.filter_map(|table| table.get("apply").cloned());
        let words = tables.next()?.get("automatic").cloned();
        let words = words.as_ref().and_then(Value::as_array);
        let words = words.into_iter().flatten().filter_map(Value::as_str);
        Some(words.map(str::to_owned).collect())
    }

    /// A connector of which the other version has another build.
    pub fn is_built_otherwise<'v>(&self, other: &'v Self) -> Option<&'v str> {
        let mut components = other.components.iter();
        let found = components.find(|(name, hash)| {
            let known = self.components.get(*name);
            known.is_some_and(|known| known != *hash)
        });
        found.map(|(name, _)| name.as_str())
    }

    /// Where the hub is stored, if one of the files says it.
    pub fn store(files: &[(String, String)]) -> Option<String> {
        let mut tables = files.iter().filter_map(|(_, text)| parsed(text));
        tables.find_map(|table| Some(table.get("hub")?.get("store")?.as_str()?.to_owned()))
    }

    /// Where something says what it was called before: what it is, its name, and the one before.
    pub fn former_names(&self) -> Vec<(String, String, String)> {
        let parts = parts(&self.files).into_iter();
        let said = parts.filter_map(|((what, name), value)| {
            let was = value.get("was")?.as_str()?.to_owned();
            Some((what, name, was))
        });
        said.filter(|(what, ..)| what != "stream").collect()
    }

    /// What becomes different by going from this version to another.
    pub fn differences(&self, new: &Self) -> Vec<Difference> {
        let (old, new_parts) = (parts(&self.files), parts(&new.files));
        let mut found = compare(&old, &new_parts);
        for (name, component) in &new.components {
            if self
                .components
                .get(name)
                .is_some_and(|one| one != component)
            {
                found.push(Difference::of("connector", name, Change::Changed));
            }
        }
        found
    }
}

impl Plan {
    /// What is known of the files that connectors were read from. One that changes alone makes other manifests, too.
    pub fn read_from(&mut self, components: &BTreeMap<String, String>) {
        self.version = Version::new(&self.version.files, components);
        let text = format!("{} {components:?}", self.digest);
        self.digest = blake3::hash(text.as_bytes()).to_hex()[..32].to_owned();
    }
}

pub fn short(hash: &str) -> &str {
    hash.get(..SHOWN).unwrap_or(hash)
}

fn parsed(text: &str) -> Option<Table> {
    text.parse().ok()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Added,
    Changed,
    Removed,
    Renamed,
}

/// One thing of the manifests that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `source`, `stream`, `audience`, … as the tables of manifests are named.
    pub what: String,
    /// A stream's begins with its source's; empty for a table of which there is one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    pub change: Change,
    /// The name before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// What changed in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.is_empty() {
            true => write!(out, "`[{}]`", self.what)?,
            false => write!(out, "{} {}", self.what, self.name)?,
        }
        match (self.change, &self.was) {
            (Change::Added, _) => out.write_str(" is new")?,
            (Change::Removed, _) => out.write_str(" is taken out")?,
            (Change::Renamed, Some(was)) => write!(out, " was {was}")?,
            (Change::Changed | Change::Renamed, _) => out.write_str(" changes")?,
        }
        match self.keys.is_empty() {
            true => Ok(()),
            false => write!(out, ": {}", self.keys.join(", ")),
        }
    }
}

/// What a stream and its source were called before these differences.
pub fn former_stream<'d>(
    differences: &'d [Difference],
    source: &'d str,
    stream: &'d str,
) -> (&'d str, &'d str) {
    let renamed = differences.iter();
    let renamed = renamed.filter(|one| one.change == Change::Renamed);
    let (mut was, mut named) = (source, stream);
    for one in renamed {
        let before = one.was.as_deref().unwrap_or_default();
        let is_it = one.name.split_once('/') == Some((source, stream));
        match one.what.as_str() {
            "source" if one.name == source => was = before,
            "stream" if is_it => named = last(before),
            _ => {}
        }
    }
    (was, named)
}

/// What `[apply]` can let happen by itself, with what each word is about.
pub const AUTOMATIC: [&str; 9] = [
    "descriptions",
    "schedules",
    "limits",
    "connectors",
    "new sources",
    "new streams",
    "new traits",
    "new audiences",
    "new destinations",
];

impl Difference {
    fn of(what: &str, name: &str, change: Change) -> Self {
        Self {
            what: what.to_owned(),
            name: name.to_owned(),
            change,
            was: None,
            keys: Vec::new(),
        }
    }

    /// Whether it may happen by itself where these words are.
    pub fn is_automatic(&self, words: &[String]) -> bool {
        let needed = self.words();
        let is_there = |word: &&str| words.iter().any(|one| one == word);
        needed.is_some_and(|needed| needed.iter().all(is_there))
    }

    /// The words that it needs; none when it is never automatic.
    fn words(&self) -> Option<BTreeSet<&'static str>> {
        let word = match (self.change, self.what.as_str()) {
            (Change::Added, "source") => "new sources",
            (Change::Added, "stream") => "new streams",
            (Change::Added, "trait") => "new traits",
            (Change::Added, "audience" | "journey") => "new audiences",
            (Change::Added, "destination") => "new destinations",
            (Change::Changed, "connector") => "connectors",
            (Change::Changed, what) if !self.keys.is_empty() => {
                let words = self.keys.iter().map(|key| word_of(what, key));
                return words.collect();
            }
            _ => return None,
        };
        Some([word].into())
    }
}

fn word_of(what: &str, key: &str) -> Option<&'static str> {
    match (what, key.split('.').next().unwrap_or_default()) {
        (_, "description") => Some("descriptions"),
        ("source", "schedule") => Some("schedules"),
        ("source" | "destination", "limits" | "rates") | ("limits", _) => Some("limits"),
        _ => None,
    }
}

/// By what it is and its name.
type Parts = BTreeMap<(String, String), Value>;

fn parts(files: &[(String, String)]) -> Parts {
    let mut parts = Parts::new();
    for (file, text) in files {
        let Some(table) = parsed(text) else {
            parts.insert(("file".into(), file.clone()), text.as_str().into());
            continue;
        };
        for (what, value) in table {
            match value {
                Value::Array(values) if values.iter().all(has_name) => {
                    for value in values {
                        add(&mut parts, &what, value);
                    }
                }
                value => {
                    // A list over several files is one list.
                    let entry = parts.entry((what, String::new()));
                    let known = entry.or_insert_with(|| Value::Array(Vec::new()));
                    if let Value::Array(list) = known {
                        list.push(value);
                    }
                }
            }
        }
    }
    parts
}

fn has_name(value: &Value) -> bool {
    name_of(value).is_some()
}

fn name_of(value: &Value) -> Option<&str> {
    value.get("name")?.as_str()
}

fn add(parts: &mut Parts, what: &str, mut value: Value) {
    let name = name_of(&value).unwrap_or_default().to_owned();
    if let (Some(table), "source") = (value.as_table_mut(), what) {
        let listed = table.remove("streams");
        for stream in listed.iter().filter_map(Value::as_array).flatten() {
            let stream = format!("{name}/{}", stream.as_str().unwrap_or_default());
            parts.insert(("stream".into(), stream), Value::Table(Table::new()));
        }
        for stream in table
            .remove("stream")
            .iter()
            .filter_map(Value::as_array)
            .flatten()
        {
            let stream_name = format!("{name}/{}", name_of(stream).unwrap_or_default());
            parts.insert(("stream".into(), stream_name), stream.clone());
        }
    }
    parts.insert((what.to_owned(), name), value);
}

fn compare(old: &Parts, new: &Parts) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut renamed: BTreeSet<(String, String)> = BTreeSet::new();
    for ((what, name), value) in new {
        let place = (what.clone(), name.clone());
        if let Some(before) = old.get(&place) {
            let keys = changed(before, value);
            if !keys.is_empty() {
                let one = Difference::of(what, name, Change::Changed);
                found.push(Difference { keys, ..one });
            }
            continue;
        }
        let source = name.split_once('/').map(|(source, _)| source);
        let source = source.filter(|_| what == "stream");
        let was = former(new, old, &place);
        if let Some((was, before)) = was {
            renamed.insert((what.clone(), was.clone()));
            let keys = changed(before, value);
            let is_only_its_sources = source.is_some() && last(&was) == last(name);
            if is_only_its_sources && keys.is_empty() {
                continue;
            }
            let one = Difference::of(what, name, Change::Renamed);
            found.push(Difference {
                keys,
                was: Some(was),
                ..one
            });
        } else if source.is_none_or(|source| {
            // A new source's streams are part of it.
            let place = ("source".to_owned(), source.to_owned());
            old.contains_key(&place) || former(new, old, &place).is_some()
        }) {
            found.push(Difference::of(what, name, Change::Added));
        }
    }
    for (what, name) in old.keys() {
        let is_there = |what: &str, name: &str| {
            let place = (what.to_owned(), name.to_owned());
            new.contains_key(&place) || renamed.contains(&place)
        };
        let source = name.split_once('/').map(|(source, _)| source);
        let goes_with_source =
            what == "stream" && source.is_some_and(|source| !is_there("source", source));
        if !is_there(what, name) && !goes_with_source {
            found.push(Difference::of(what, name, Change::Removed));
        }
    }
    found
}

fn last(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, stream)| stream)
}

/// What something is called in the old version, where that is not its name there.
fn former<'p>(
    new: &Parts,
    old: &'p Parts,
    place: &(String, String),
) -> Option<(String, &'p Value)> {
    let (what, name) = place;
    let said = |value: &Value| Some(value.get("was")?.as_str()?.to_owned());
    let own = said(new.get(place)?);
    let was = match name.split_once('/').filter(|_| what == "stream") {
        None => own?,
        Some((source, stream)) => {
            let of = ("source".to_owned(), source.to_owned());
            let source = former(new, old, &of).map_or(source.to_owned(), |(was, _)| was);
            format!("{source}/{}", own.as_deref().unwrap_or(stream))
        }
    };
    let before = (what.clone(), was);
    let is_taken = old.contains_key(place) || new.contains_key(&before);
    let value = old.get(&before).filter(|_| !is_taken)?;
    Some((before.1, value))
}

/// The keys whose values differ; of tables in tables those of the inner one.
fn changed(old: &Value, new: &Value) -> Vec<String> {
    let (Some(before), Some(now)) = (old.as_table(), new.as_table()) else {
        let (Some([before]), Some([now])) = (
            old.as_array().map(Vec::as_slice),
            new.as_array().map(Vec::as_slice),
        ) else {
            return match old == new {
                true => Vec::new(),
                false => vec!["…".to_owned()],
            };
        };
        if before.is_table() && now.is_table() {
            return changed(before, now);
        }
        return match before == now {
            true => Vec::new(),
            false => vec!["…".to_owned()],
        };
    };
    let mut keys = Vec::new();
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    for name in names {
        match (before.get(name), now.get(name)) {
            _ if name == "was" || name == "name" => {}
            (one, other) if one == other => {}
            (Some(Value::Table(one)), Some(Value::Table(other))) => {
                let inner: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
                let inner = inner
                    .into_iter()
                    .filter(|key| one.get(*key) != other.get(*key));
                keys.extend(inner.map(|key| format!("{name}.{key}")));
            }
            _ => keys.push(name.clone()),
        }
    }
    keys
}

/// All in a line.
pub fn in_a_line(differences: &[Difference]) -> String {
    let mut line = String::new();
    for difference in differences {
        let comma = if line.is_empty() { "" } else { "; " };
        let _ = write!(line, "{comma}{difference}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::new(
            &[("hub.toml".to_owned(), text.to_owned())],
            &BTreeMap::new(),
        )
    }

    fn said(old: &str, new: &str) -> Vec<String> {
        let found = version(old).differences(&version(new));
        found.iter().map(ToString::to_string).collect()
    }

    const OLD: &str = "[hub]\nname = \"a\"\n[[source]]\nname = \"crm\"\nconnector = \"x\"\nstreams = [\"deals\"]\n\
        [[source.stream]]\nname = \"contacts\"\nmap.email = \"mail\"\n[[audience]]\nname = \"vip\"\nwho = 1\n";

    #[test]
    fn what_is_new_changed_renamed_and_taken_out_is_said_by_name() {
        assert_eq!(
            said(OLD, &format!("# a comment\n{OLD}")),
            Vec::<String>::new()
        );
        let mapped = OLD.replace("map.email = \"mail\"", "map.email = \"e\"\nmap.x = \"y\"");
        assert_eq!(
            said(OLD, &mapped),
            ["stream crm/contacts changes: map.email, map.x"]
        );
        assert_eq!(
            said(
                OLD,
                &OLD.replace(
                    "[[audience]]\nname = \"vip\"",
                    "[[audience]]\nname = \"top\""
                )
            ),
            ["audience top is new", "audience vip is taken out"]
        );
        assert_eq!(
            said(
                OLD,
                &OLD.replace("name = \"vip\"", "name = \"top\"\nwas = \"vip\"")
            ),
            ["audience top was vip"]
        );
        assert_eq!(
            said(
                OLD,
                &OLD.replace("name = \"crm\"", "name = \"sales\"\nwas = \"crm\"")
            ),
            ["source sales was crm"]
        );
        assert_eq!(
            said(
                OLD,
                &OLD.replace(
                    "name = \"contacts\"",
                    "name = \"people\"\nwas = \"contacts\""
                )
            ),
            ["stream crm/people was crm/contacts"]
        );
        assert_eq!(
            said(
                OLD,
                &OLD.replace("name = \"a\"", "name = \"b\"\nstore = \"c\"")
            ),
            ["`[hub]` changes: store"]
        );
        let without = &OLD[..OLD.find("[[source]]").unwrap()];
        assert_eq!(
            said(OLD, without),
            ["audience vip is taken out", "source crm is taken out"]
        );
        assert_eq!(
            said(without, OLD),
            ["audience vip is new", "source crm is new"]
        );
    }

    #[test]
    fn a_name_that_was_does_nothing_once_it_is_applied() {
        let renamed = OLD.replace("name = \"crm\"", "name = \"sales\"\nwas = \"crm\"");
        assert_eq!(
            said(&renamed, &renamed.replace("was = \"crm\"\n", "")),
            Vec::<String>::new()
        );
    }

    #[test]
    fn what_is_automatic_needs_its_word() {
        let automatic = |old: &str, new: &str, words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let found = version(old).differences(&version(new));
            found.iter().all(|one| one.is_automatic(&words))
        };
        let described = OLD.replace("who = 1", "who = 1\ndescription = \"d\"");
        assert!(automatic(OLD, &described, &["descriptions"]));
        assert!(!automatic(OLD, &described, &["schedules"]));
        assert!(!automatic(
            OLD,
            &described.replace("who = 1", "who = 2"),
            &["descriptions"]
        ));
        let more = format!("{OLD}[[source]]\nname = \"b\"\nstreams = [\"x\"]\n");
        assert!(automatic(OLD, &more, &["new sources"]));
        assert!(!automatic(&more, OLD, &AUTOMATIC));
        let policy = format!("{OLD}[apply]\nautomatic = [\"schedules\"]\n");
        assert!(
            !automatic(OLD, &policy, &AUTOMATIC),
            "`[apply]` itself never is"
        );
        assert_eq!(
            version(&policy).automatic(),
            Some(vec!["schedules".to_owned()])
        );
        assert_eq!(version(OLD).automatic(), None);
    }
}
