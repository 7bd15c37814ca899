//! A canary of every kind of credential through every kind of answer: where it is found afterwards is what `hub/THREATS.md`
//! admits, no more and no less.

use super::echo::{Echo, WAYS, canary, finds, needle, seen_by};
use super::{KINDS, files, hub, manifest};
use crate::guests::World;
use crate::hub::in_repository;
use onefold::manifest::SecretRef;
use std::collections::BTreeMap;

/// Whether a secret is found by the connector, in files, and in messages and logs.
type Found = [bool; 3];

/// The table of the page's last part: a way in backticks, and three times `yes` or `no`.
fn admitted() -> BTreeMap<String, Found> {
    let page = std::fs::read_to_string(in_repository("hub/THREATS.md")).unwrap();
    let (_, part) = page
        .split_once("\n## Where a secret may still be found\n")
        .unwrap();
    let rows = part.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let way = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
        let yes = |cell: &str| match cell {
            "yes" => true,
            "no" => false,
            other => panic!("`{other}` in the row of `{way}`"),
        };
        let [guest, files, messages] = cells.get(3..6)? else {
            return None;
        };
        Some((way.to_owned(), [yes(guest), yes(files), yes(messages)]))
    });
    rows.collect()
}

#[test]
fn canary_secrets_are_found_where_the_page_admits_it_and_nowhere_else() {
    let echo = Echo::start();
    let mut sources = Vec::new();
    for kind in KINDS {
        sources.extend(WAYS.map(|way| (format!("{kind}_{way}"), kind, way)));
    }
    // One hub whose connectors pass records on, and one whose connectors fail with what the vendor says.
    let mut stored = Vec::new();
    let mut shown = String::new();
    for stream in ["tell", "tell-in-error"] {
        let hub = hub(&manifest(&echo, stream, &sources));
        let commands: [&[&str]; 5] = [
            &["run", "--capture"],
            &["dead-letters", "list"],
            &["--json", "dead-letters", "list"],
            &["status"],
            &["connector", "run-one"],
        ];
        for command in commands {
            let ran = hub.run(command);
            shown += &(ran.stdout + &ran.stderr);
        }
        stored.extend(files(hub.path()).into_iter().map(|(_, content)| content));
    }
    let world = World::new();
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for (_, kind, way) in sources {
        let mut source = world.source("adversary");
        source.grants.addresses = vec![format!("127.0.0.1:{}", echo.port)];
        source.config =
            serde_json::json!({ "url": echo.url(way, kind), "auth": super::auth(kind) });
        for kind in KINDS {
            let file = SecretRef::File(echo.keep(way, kind));
            source.credentials.insert(kind.to_owned(), file);
        }
        let mut connector = world.open(&source);
        let seen = seen_by(&mut *connector, &echo.url(way, kind));
        let seen = String::from_utf8_lossy(&seen);
        let report = connector.check().unwrap();
        let sought = needle(kind, way);
        let here = [
            finds(&seen, &sought),
            stored.iter().any(|content| finds(content, &sought)),
            finds(&shown, &sought) || finds(&format!("{report:?}"), &sought),
        ];
        let of_way = found.entry(way.to_owned()).or_default();
        for (all, one) in of_way.iter_mut().zip(here) {
            *all |= one;
        }
        if kind != "hook" {
            let carried = echo.heads();
            let carried = carried.iter().any(|head| head.contains(&sent(kind, way)));
            assert!(carried, "{kind} of {way} was sent to its vendor");
        }
    }
    assert_eq!(found, admitted());
}

/// What a request with a credential holds.
fn sent(kind: &str, way: &str) -> String {
    use base64::Engine;
    let value = canary(kind, way);
    match kind {
        "login" => base64::engine::general_purpose::STANDARD.encode(format!("ada:{value}")),
        _ => value,
    }
}
