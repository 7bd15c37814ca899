//! `onefold serve`: sources at their schedules, one run at a time, until a signal.

use crate::small::{Small, set};
use onefold_tests::vendors::Fault;
use std::process::Command;
use std::time::Duration;
use tokio::sync::mpsc;

/// Gives the small world's CRM a schedule of every second.
pub fn every_second(small: &Small) {
    let manifest = std::fs::read_to_string(small.hub.path().join("hub.toml")).unwrap();
    let schedule = "connector = \"hubspot\"\nschedule = { cron = \"* * * * * *\", timezone = \"Europe/Warsaw\" }";
    let manifest = manifest.replace("connector = \"hubspot\"", schedule);
    small.hub.write("hub.toml", &manifest);
}

#[test]
fn a_source_runs_at_each_second_never_twice_at_once_until_it_is_told_to_stop() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    every_second(&small);
    let (tell, mut requests) = mpsc::channel(10_000);
    small.hubspot.tell(tell);
    // The first answer takes longer than the schedule's second: what falls due meanwhile must wait.
    let pause = Duration::from_millis(150);
    small.hubspot.fail_next(1, "", Fault::Dribble { pause });
    let mut child = small.hub.spawn(&["serve"]);
    let id = child.id().unwrap().to_string();
    let status = small.hub.runtime.block_on(async {
        // A run of the small CRM asks for its archived contacts once, at its end.
        let mut runs = 0;
        while runs < 3 {
            let asked = tokio::time::timeout(Duration::from_secs(60), requests.recv());
            let line = asked.await.unwrap().unwrap();
            runs += usize::from(line.contains("archived=true"));
        }
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        tokio::time::timeout(Duration::from_secs(30), child.wait())
            .await
            .unwrap()
            .unwrap()
    });
    assert_eq!(status.code(), Some(0));
    let overlapping = "select count(*) from run a join run b on a.id < b.id and a.source = b.source \
        and a.stream = b.stream and b.started_at < a.finished_at";
    assert_eq!(small.hub.number("small.db", overlapping), 0);
    let ended = "select count(*) from run where source = 'crm' and finished_at is null";
    assert_eq!(small.hub.number("small.db", ended), 0);
    let done = "select count(*) from run where source = 'crm' and state = 'done'";
    assert!(small.hub.number("small.db", done) >= 3);
    let skipped = "select sum(times) from missed where source = 'crm' and reason like '%overlap%'";
    assert!(small.hub.number("small.db", skipped) >= 1);
    let runs = small.hub.json(&["runs", "--source", "crm"]);
    let runs = runs["runs"].as_array().unwrap();
    let missed = runs.iter().find(|run| run["state"] == "missed").unwrap();
    let shown = small
        .hub
        .run(&["runs", "show", &missed["id"].to_string()])
        .ends_with(0);
    assert!(
        shown
            .stdout
            .contains("why       the read before was still going"),
        "{shown:?}"
    );
    assert_eq!(small.people(), 5);
    assert_eq!(
        small.tagged(),
        set(["ada@poczta.example", "zofia@poczta.example"])
    );
}

// I13, I15: a list of suppressions that was read when the service began is an old one by now.
#[test]
fn a_hub_that_serves_obeys_a_suppression_from_another_terminal() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    every_second(&small);
    let (tell, mut requests) = mpsc::channel(10_000);
    small.hubspot.tell(tell);
    let mut child = small.hub.spawn(&["serve"]);
    let id = child.id().unwrap().to_string();
    let mut wait_for = |mut runs: usize| {
        small.hub.runtime.block_on(async {
            while runs > 0 {
                let asked = tokio::time::timeout(Duration::from_secs(60), requests.recv());
                let line = asked.await.unwrap().unwrap();
                runs -= usize::from(line.contains("archived=true"));
            }
        });
    };
    wait_for(1);
    let suppress = ["suppress", "external:crm:11", "--reason", "asked by phone"];
    small.hub.run(&suppress).ends_with(0);
    small.hubspot.with(|hubspot| {
        let now_ms = hubspot.clock.now_ms();
        hubspot.contacts.edit(11, &[("lastname", "King")], now_ms);
        hubspot.contacts.edit(13, &[("lastname", "Miller")], now_ms);
    });
    wait_for(4);
    let kill = Command::new("kill").args(["-TERM", &id]).status();
    assert!(kill.unwrap().success());
    let ended = async { tokio::time::timeout(Duration::from_secs(30), child.wait()).await };
    let status = small.hub.runtime.block_on(ended).unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
    let mia = small
        .hub
        .json(&["profile", "show", "email:mia@mail.example"]);
    assert_eq!(mia["traits"]["last_name"], "Miller");
    assert_eq!(small.tagged(), set(["zofia@poczta.example"]));
    let writes = small.writes();
    let king = writes
        .iter()
        .filter(|write| write.content["merge_fields"]["LNAME"] == "King");
    assert_eq!(king.count(), 0);
}
