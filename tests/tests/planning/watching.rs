//! A service that watches its folder: whole versions only, the latest in the end, and none that nobody approved.

use super::{hash, plan, versions};
use crate::hub::beside_program;
use crate::serve::every_second;
use crate::small::{Small, set};
use std::io::{Seek, Write};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::process::Child;

fn wait(small: &Small, ms: u64) {
    let time = Duration::from_millis(ms);
    small
        .hub
        .runtime
        .block_on(async { tokio::time::sleep(time).await });
}

#[track_caller]
fn until(small: &Small, what: &str, is: impl Fn() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        wait(small, 50);
    }
}

fn text(small: &Small) -> String {
    std::fs::read_to_string(small.hub.path().join("hub.toml")).unwrap()
}

/// Ends a service; what it wrote to standard error.
fn ended(small: &Small, mut child: Child) -> String {
    let id = child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let mut said = String::new();
    small.hub.runtime.block_on(async {
        let mut stderr = child.stderr.take().unwrap();
        let ended = async {
            stderr.read_to_string(&mut said).await.unwrap();
            child.wait().await.unwrap()
        };
        let ended = tokio::time::timeout(Duration::from_secs(60), ended).await;
        assert_eq!(ended.unwrap().code(), Some(0));
    });
    said
}

fn serving() -> (Small, Child) {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    every_second(&small);
    let child = small.hub.spawn(&["serve"]);
    until(&small, "the schedule is in force", || {
        versions(&small).len() == 2
    });
    (small, child)
}

fn tagged(small: &Small, addresses: &[&str]) {
    let wanted = addresses.iter().map(|one| (*one).to_owned()).collect();
    until(small, "the audience changes", || small.tagged() == wanted);
}

#[test]
fn s13_a_save_in_place_is_worked_by_whole_or_not_at_all_and_the_last_one_wins() {
    let (small, child) = serving();
    let path = small.hub.path().join("hub.toml");
    let whole = text(&small);
    // The first half is a hub of its own.
    let half = whole.find("[[destination]]").unwrap();
    for count in 3..15 {
        let new = whole.replace("at_least = 2", &format!("at_least = {count}"));
        let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(0).unwrap();
        wait(&small, 130);
        file.rewind().unwrap();
        file.write_all(&new.as_bytes()[..half]).unwrap();
        wait(&small, 170);
        file.write_all(&new.as_bytes()[half..]).unwrap();
    }
    tagged(&small, &[]);
    until(&small, "the last one wins", || {
        plan(&small, &[])["differences"] == serde_json::json!([])
    });
    for version in versions(&small) {
        let changes = version["changes"].as_str().unwrap();
        assert!(!changes.contains("taken out"), "{changes}");
    }
    ended(&small, child);
}

#[test]
fn s13_a_broken_save_changes_nothing_is_said_once_and_a_good_one_follows() {
    let (small, child) = serving();
    small.edit("at_least = 2", "at_leest = 9");
    wait(&small, 4_000);
    small.hubspot.with(|hubspot| {
        let now_ms = hubspot.clock.now_ms();
        hubspot.contacts.edit(11, &[("lastname", "King")], now_ms);
    });
    until(&small, "it goes on by the applied version", || {
        let snapshot = small.mailchimp.with(|mailchimp| mailchimp.snapshot());
        snapshot.members["ada@poczta.example"].1["LNAME"] == "King"
    });
    assert_eq!(
        small.tagged(),
        set(["ada@poczta.example", "zofia@poczta.example"])
    );
    assert_eq!(versions(&small).len(), 2);
    small.edit("at_leest = 9", "at_least = 9");
    tagged(&small, &[]);
    let said = ended(&small, child);
    assert_eq!(said.matches("unknown key `at_leest`").count(), 1, "{said}");
    assert_eq!(
        said.matches("goes on by the applied version").count(),
        1,
        "{said}"
    );
}

#[test]
fn s13_files_that_belong_together_are_worked_by_together() {
    let (small, child) = serving();
    // Each edit alone cannot be worked by.
    small.edit("audiences = [\"buyers\"]", "audiences = [\"often\"]");
    wait(&small, 3_000);
    assert_eq!(versions(&small).len(), 2);
    let often = "[[audience]]\nname = \"often\"\nwho = { event = \"Order Completed\", count = { at_least = 1 } }\n";
    small.hub.write("often.toml", "");
    wait(&small, 2_500);
    small.hub.write("often.toml", often);
    until(&small, "both are in force", || versions(&small).len() == 3);
    let changes = versions(&small)[0]["changes"].as_str().unwrap().to_owned();
    assert!(changes.contains("audience often is new"), "{changes}");
    assert!(
        changes.contains("destination newsletter-out changes: audiences"),
        "{changes}"
    );
    ended(&small, child);
}

#[test]
fn s13_a_connector_that_changes_alone_is_another_version() {
    let small = Small::new();
    let folder = small.hub.path().join("connectors");
    std::fs::create_dir(&folder).unwrap();
    let bundled = beside_program("connectors").join("hubspot.wasm");
    let mut component = std::fs::read(bundled).unwrap();
    let file = folder.join("hubspot.wasm");
    std::fs::write(&file, &component).unwrap();
    small.hub.run(&["run"]).ends_with(0);
    let child = small.hub.spawn(&["serve"]);
    wait(&small, 2_000);
    // A custom section, which nobody reads.
    component.extend([0, 5, 4, b'n', b'o', b't', b'e']);
    std::fs::write(&file, &component).unwrap();
    until(&small, "the other build is in force", || {
        versions(&small).len() == 2
    });
    assert_eq!(versions(&small)[0]["changes"], "connector hubspot changes");
    ended(&small, child);
}

#[test]
fn edits_wait_for_their_plan_where_the_manifests_say_so() {
    let small = Small::new();
    small.edit(
        "[[audience]]",
        "[apply]\nautomatic = [\"descriptions\"]\n\n[[audience]]",
    );
    every_second(&small);
    small.hub.run(&["run"]).ends_with(0);
    small.edit("Ordered at least twice", "Came back");
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(
        versions(&small)[0]["changes"],
        "audience buyers changes: description"
    );

    small.edit("at_least = 2", "at_least = 9");
    for command in [&["run"][..], &["dead-letters", "retry"]] {
        let refused = small.hub.run(command).ends_with(2);
        assert!(refused.stderr.contains("OF0920"), "{refused:?}");
        assert!(refused.stderr.contains("onefold plan"), "{refused:?}");
    }
    let shown = small.hub.run(&["status"]).ends_with(0);
    assert!(shown.stdout.contains("a plan is pending"), "{shown:?}");

    // A service begins by the applied version, and goes on by it until the plan is applied.
    let child = small.hub.spawn(&["serve"]);
    small.hubspot.with(|hubspot| {
        let now_ms = hubspot.clock.now_ms();
        hubspot.contacts.edit(11, &[("lastname", "King")], now_ms);
    });
    until(&small, "it reads by the applied version", || {
        let snapshot = small.mailchimp.with(|mailchimp| mailchimp.snapshot());
        snapshot.members["ada@poczta.example"].1["LNAME"] == "King"
    });
    assert_eq!(
        small.tagged(),
        set(["ada@poczta.example", "zofia@poczta.example"])
    );
    assert_eq!(versions(&small).len(), 2);
    let planned = plan(&small, &[]);
    let audience = &planned["audiences"][0];
    assert_eq!(
        (&audience["entered"], audience["left"].as_i64()),
        (&0.into(), Some(3))
    );
    small.hub.run(&["apply", &hash(&planned)]).ends_with(0);
    tagged(&small, &[]);
    let said = ended(&small, child);
    assert!(said.contains("a plan is pending"), "{said}");

    // Even where the folder cannot be read.
    small.edit("at_least = 9", "at_leest = 9");
    let child = small.hub.spawn(&["serve"]);
    small.hubspot.with(|hubspot| {
        let now_ms = hubspot.clock.now_ms();
        hubspot.contacts.edit(11, &[("lastname", "Byron")], now_ms);
    });
    until(&small, "it goes on by the applied version", || {
        let snapshot = small.mailchimp.with(|mailchimp| mailchimp.snapshot());
        snapshot.members["ada@poczta.example"].1["LNAME"] == "Byron"
    });
    let said = ended(&small, child);
    assert!(said.contains("unknown key `at_leest`"), "{said}");
}
