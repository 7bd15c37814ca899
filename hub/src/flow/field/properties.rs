//! Who is written to, against a model that fits on a page: statements by address with and without times; records that are edited,
//! archived, deleted and made again; what comes back from the tool that the hub writes to; operators.

use super::consent::Hub;
use crate::flow::properties::{RUNTIME, sequences};
use crate::model::ConsentStatus;
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

const CONTACTS: (&str, &str) = ("crm", "contacts");
const MEMBERS: (&str, &str) = ("list", "members");

const DAY: i64 = 86_400_000;

const MANIFEST: &str = r#"
[hub]
name = "test"
store = "sqlite:unused.db"

[[source]]
name = "crm"
connector = "another"
[[source.stream]]
name = "contacts"
to = "person"
key = "id"
updated_at = "updated"
map.email = "email"
map.job_title = "job"
consent.marketing_email = { status = "status", at = "said" }

[[source]]
name = "list"
connector = "any"
config = { account = "the same tool" }
[[source.stream]]
name = "members"
to = "person"
key = "id"
updated_at = "updated"
map.email = "email"
map.job_title = "job"
consent.marketing_email = { status = "status", at = "said" }

[[audience]]
name = "everybody"
who = { trait = "email", exists = true }

[[destination]]
name = "news"
connector = "any"
config = { account = "the same tool" }
consent = ["marketing_email"]
audiences = ["everybody"]
guard = { max_removed = "100%" }
"#;

#[derive(Debug, Clone)]
enum Operation {
    /// A record of a source: its id, address, what it says, and whether it says since when.
    Put(bool, u8, u8, Option<bool>, Option<u8>),
    /// Something else of it is edited.
    Edit(bool, u8),
    Delete(bool, u8),
    /// Two versions in one read, the second with another address or word.
    Twice(u8, (u8, Option<bool>), (u8, Option<bool>)),
    /// Everything that the tool holds comes back, as members that are subscribed.
    Echo,
    /// The member that the hub made at an address leaves or joins again, at the tool.
    Answer(u8, bool),
    State(u8, bool),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let said = || prop::option::weighted(0.8, any::<bool>());
    let ago = || prop::option::of(0..9u8);
    let operation = prop_oneof![
        6 => (any::<bool>(), 0..3u8, 0..3u8, said(), ago())
            .prop_map(|(crm, id, address, said, ago)| Operation::Put(crm, id, address, said, ago)),
        2 => (any::<bool>(), 0..3u8).prop_map(|(crm, id)| Operation::Edit(crm, id)),
        2 => (any::<bool>(), 0..3u8).prop_map(|(crm, id)| Operation::Delete(crm, id)),
        1 => (0..3u8, (0..3u8, said()), (0..3u8, said()))
            .prop_map(|(id, first, second)| Operation::Twice(id, first, second)),
        2 => Just(Operation::Echo),
        2 => (0..3u8, any::<bool>()).prop_map(|(address, joins)| Operation::Answer(address, joins)),
        1 => (0..3u8, any::<bool>()).prop_map(|(address, grants)| Operation::State(address, grants)),
    ];
    prop::collection::vec(operation, 1..12)
}

/// Without what comes back from the tool that the hub writes to.
fn operations_of_a_crm() -> impl Strategy<Value = Vec<Operation>> {
    use Operation::{Answer, Delete, Echo, Edit, Put};
    let of_crm = |operation| match operation {
        Put(_, id, address, said, ago) => Some(Put(true, id, address, said, ago)),
        Edit(_, id) => Some(Edit(true, id)),
        Delete(_, id) => Some(Delete(true, id)),
        Echo | Answer(..) => None,
        other => Some(other),
    };
    operations().prop_map(move |all| all.into_iter().filter_map(of_crm).collect())
}

/// One statement: at which address, whether it grants, when, and whether that is known.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Word {
    address: u8,
    grants: bool,
    time: i64,
    is_known: bool,
    /// Since when its record does not say it any more.
    gone: Option<i64>,
}

impl Word {
    /// The time before which it was said, where that is known.
    fn said_by(&self) -> Option<i64> {
        match self.is_known {
            true => Some(self.time),
            false => self.gone,
        }
    }
}

/// A record: its address and whether it makes a claim of it, what it says, and what of that counts.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    address: u8,
    claims: bool,
    says: Option<Word>,
    word: Option<Word>,
    /// Since when it says what the hub made it say.
    echo: Option<i64>,
}

/// The model.
#[derive(Default)]
struct Model {
    records: BTreeMap<(bool, String), Row>,
    /// Words without a record: of records that are gone, and operators'.
    standing: Vec<Word>,
    /// Operators' grants, which end whatever was said before.
    granted: Vec<Word>,
    /// What the tool holds, since when.
    held: BTreeMap<u8, i64>,
}

impl Model {
    fn put(&mut self, key: (bool, String), mut row: Row, now: i64) {
        let before = self.records.remove(&key);
        let since = self.held.get(&row.address).filter(|_| !key.0);
        // What the hub wrote says nothing new.
        let said = before.and_then(|before| before.word);
        if let Some(grant) = row.word.filter(|word| word.grants) {
            let agrees = |since: &i64| grant.is_known && grant.time > since + DAY;
            let made = since.filter(|since| before.is_none() && !agrees(since));
            let made = made.map(|_| grant.time);
            let repeats = before.and_then(|old| old.echo);
            let repeats =
                repeats.filter(|at| said.is_none() && (!grant.is_known || grant.time <= *at));
            row.echo = made.or(repeats);
            row.word = row.word.filter(|_| row.echo.is_none());
        }
        let claimed = before.is_some_and(|old| old.claims && old.address == row.address);
        row.claims = since.is_none() || claimed || row.word.is_some_and(|word| word.grants);
        let is_silent = row.word.is_none() && row.echo.is_none();
        match (said, &mut row.word) {
            (Some(old), word) if is_silent && old.address == row.address => {
                let gone = old.gone.or(Some(now));
                *word = (!old.grants).then_some(Word { gone, ..old });
            }
            (Some(old), Some(new)) if old.address == new.address => {
                if old.grants == new.grants && !new.is_known {
                    (new.time, new.is_known) = (old.time, old.is_known);
                }
                if old.is_known && new.is_known && !old.grants && new.grants && new.time <= old.time
                {
                    self.outlives(old, now);
                }
            }
            (Some(old), _) => self.outlives(old, now),
            (None, _) => {}
        }
        self.records.insert(key, row);
    }

    fn delete(&mut self, key: &(bool, String), now: i64) {
        let word = self.records.remove(key).and_then(|row| row.word);
        word.into_iter().for_each(|word| self.outlives(word, now));
    }

    fn outlives(&mut self, word: Word, now: i64) {
        let gone = word.gone.or(Some(now));
        self.standing
            .extend((!word.grants).then_some(Word { gone, ..word }));
    }

    fn allows(&self, address: u8) -> bool {
        let living = self.records.values().filter_map(|row| row.word.as_ref());
        let all = living.chain(&self.standing).chain(&self.granted);
        let all: Vec<&Word> = all.filter(|word| word.address == address).collect();
        let by_operator = |word: &Word| self.granted.contains(word);
        let ends = |grant: &Word, no: &Word| match by_operator(grant) {
            true => grant.time > no.time,
            false => grant.is_known && no.said_by().is_some_and(|said| grant.time > said),
        };
        let grants = || all.iter().filter(|word| word.grants);
        let mut refusals = all.iter().filter(|word| !word.grants);
        grants().count() > 0 && refusals.all(|no| grants().any(|grant| ends(grant, no)))
    }

    fn wanted(&self) -> BTreeSet<u8> {
        let claimed = self.records.values().filter(|row| row.claims);
        claimed
            .map(|row| row.address)
            .filter(|address| self.allows(*address))
            .collect()
    }
}

fn name(address: u8) -> String {
    format!("a{address}@example.com")
}

/// Whether each address is a person, or all are one person's, who is sent at another address than that of the profile where only that
/// one agreed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum People {
    Many,
    One,
}

impl People {
    fn manifest(self) -> String {
        match self {
            Self::Many => MANIFEST.to_owned(),
            Self::One => MANIFEST
                .replace("map.job_title", "map.user_id = \"'u1'\"\nmap.job_title")
                .replace("guard =", "other_addresses = true\nguard ="),
        }
    }
}

async fn check(operations: &[Operation], people: People) -> Result<(), TestCaseError> {
    let hub = Hub::with(&people.manifest()).await;
    let mut model = Model::default();
    let word = |address, said: Option<bool>, time: i64, is_known| {
        said.map(|grants| Word {
            address,
            grants,
            time,
            is_known,
            gone: None,
        })
    };
    let line = |id: &str, row: &Row, updated: i64| {
        let status = row
            .says
            .map(|word| if word.grants { "granted" } else { "withdrawn" });
        let said = row.says.filter(|word| word.is_known).map(|word| word.time);
        json!({ "id": id, "email": name(row.address), "status": status, "said": said, "updated": updated, "job": updated })
    };
    for (step, operation) in operations.iter().enumerate() {
        let now = hub.go_on((step as i64 + 1) * 26 * 60);
        let row = |address, word| Row {
            address,
            claims: true,
            says: word,
            word,
            echo: None,
        };
        match operation {
            Operation::Put(crm, id, address, said, ago) => {
                let time = now - ago.map_or(0, |ago| i64::from(ago) * 86_400_000 + 1);
                let row = row(*address, word(*address, *said, time, ago.is_some()));
                let of = if *crm { CONTACTS } else { MEMBERS };
                hub.put(of, line(&format!("k{id}"), &row, now)).await;
                model.put((*crm, format!("k{id}")), row, now);
            }
            Operation::Edit(crm, id) => {
                let key = (*crm, format!("k{id}"));
                if let Some(before) = model.records.get(&key) {
                    let row = row(before.address, before.says);
                    let of = if *crm { CONTACTS } else { MEMBERS };
                    hub.put(of, line(&key.1, &row, now)).await;
                    model.put(key, row, now);
                }
            }
            Operation::Delete(crm, id) => {
                let of = if *crm { CONTACTS } else { MEMBERS };
                hub.delete(of, &format!("k{id}")).await;
                model.delete(&(*crm, format!("k{id}")), now);
            }
            Operation::Twice(id, first, second) => {
                let rows = [first, second]
                    .map(|(address, said)| row(*address, word(*address, *said, now, false)));
                let id = format!("t{id}");
                let lines = [0, 1].map(|at| line(&id, &rows[at], now + at as i64));
                hub.put_all(CONTACTS, &lines).await;
                for row in rows {
                    model.put((true, id.clone()), row, now);
                }
            }
            Operation::Echo => {
                for (address, since) in model.held.clone() {
                    let (id, row) = (
                        format!("e{address}"),
                        row(address, word(address, Some(true), since, true)),
                    );
                    hub.put(MEMBERS, line(&id, &row, now)).await;
                    model.put((false, id), row, now);
                }
            }
            Operation::Answer(address, joins) => {
                let key = (false, format!("e{address}"));
                if model.records.contains_key(&key) {
                    let row = row(*address, word(*address, Some(*joins), now, true));
                    hub.put(MEMBERS, line(&key.1, &row, now)).await;
                    model.put(key, row, now);
                }
            }
            Operation::State(address, grants) => {
                let status = match grants {
                    true => ConsentStatus::Granted,
                    false => ConsentStatus::Denied,
                };
                hub.state(&name(*address), status).await;
                let word = Word {
                    address: *address,
                    grants: *grants,
                    time: now,
                    is_known: true,
                    gone: None,
                };
                let of = if *grants {
                    &mut model.granted
                } else {
                    &mut model.standing
                };
                of.push(word);
            }
        }
        let wanted = model.wanted();
        let names: Vec<String> = wanted.iter().map(|address| name(*address)).collect();
        let sent = hub.sent().await;
        if people == People::One {
            // Each address its own: what one agreed to is nothing that another agreed to.
            let is_allowed = sent.iter().all(|address| names.contains(address));
            prop_assert!(
                is_allowed,
                "{:?} of {:?} after {} {:?}",
                sent,
                names,
                step,
                operation
            );
            prop_assert_eq!(
                sent.len(),
                names.len().min(1),
                "after {} {:?}",
                step,
                operation
            );
            continue;
        }
        prop_assert_eq!(sent, names, "after {} {:?}", step, operation);
        model.held.retain(|address, _| wanted.contains(address));
        for address in wanted {
            model.held.entry(address).or_insert(now);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: sequences(), max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() })]

    // I13
    #[test]
    fn what_is_sent_is_what_the_model_allows(operations in operations()) {
        RUNTIME.block_on(check(&operations, People::Many))?;
    }

    // I13
    #[test]
    fn one_address_lends_its_consent_to_no_other(operations in operations_of_a_crm()) {
        RUNTIME.block_on(check(&operations, People::One))?;
    }
}
