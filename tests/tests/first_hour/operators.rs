//! N9 to N20: what an operator meets who sets a hub up from nothing.

use crate::hub::{Hub, in_repository};
use crate::small::Small;
use onefold_tests::vendors::{Fault, Reply, Request, Running, Vendor, start};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn n9_a_wrong_list_is_one_problem_and_its_rows_wait() {
    let small = Small::new();
    let path = small.hub.path().join("hub.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let (sources, destination) = text.split_at(text.find("[[destination]]").unwrap());
    let wrong = destination.replace("a1b2c3d4e5", "ffffffffff");
    small.hub.write("hub.toml", &format!("{sources}{wrong}"));
    let ran = small.hub.run(&["run"]).ends_with(1);
    assert_eq!(ran.stderr.matches("error[OF").count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("newsletter-out"), "{}", ran.stderr);
    let status = small.hub.json(&["status"]);
    assert_eq!(status["dead_letters"], 0, "{status}");
    assert_ne!(status["changes_pending"], 0, "{status}");
    // Corrected, everything is sent; and from then on the list is not looked at again.
    small.hub.write("hub.toml", &text);
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(small.tagged().len(), 2);
    let checks = |small: &Small| {
        let requests = small.mailchimp.requests();
        let of_list = requests.iter().filter(|one| {
            one.target
                .split('?')
                .next()
                .is_some_and(|path| path.ends_with("/lists/a1b2c3d4e5"))
        });
        of_list.count()
    };
    let before = checks(&small);
    small.edit("at_least = 2", "at_least = 3");
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(checks(&small), before);
}

#[test]
fn n12_every_example_in_a_new_hub_passes_check_when_it_is_uncommented() {
    let hub = Hub::new();
    hub.run(&["init", "--name", "hub"]).ends_with(0);
    let text = std::fs::read_to_string(hub.path().join("hub.toml")).unwrap();
    assert!(text.contains("FNAME = "), "{text}");
    let is_example = |line: &str| {
        let bare = line.trim_start_matches("# ");
        bare.is_empty() || bare == "#" || bare.starts_with('[') || bare.split_once(" = ").is_some()
    };
    let lines = text.lines().map(|line| match line.strip_prefix("# ") {
        Some(bare) if is_example(line) => bare,
        _ => line,
    });
    let uncommented = lines.collect::<Vec<_>>().join("\n");
    assert!(uncommented.contains("\n[[destination]]\n"), "{uncommented}");
    hub.write("hub.toml", &uncommented);
    let ran = hub.run(&["check"]).ends_with(0);
    assert!(
        ran.stdout.contains("1 destination; no problem found"),
        "{ran:?}"
    );
}

// A hub of which no source states a consent sends nothing, and both examples were such hubs.
#[test]
fn n13_the_first_manifest_of_the_readme_passes_check_as_it_is_written() {
    let hub = Hub::new();
    let readme = std::fs::read_to_string(in_repository("README.md")).unwrap();
    let (_, from) = readme.split_once("```toml\n# acme/hub.toml\n").unwrap();
    let (text, _) = from.split_once("```").unwrap();
    hub.write("hub.toml", text);
    let ran = hub.run(&["check"]).ends_with(0);
    assert!(ran.stdout.contains("no problem found"), "{ran:?}");
    assert!(!ran.stderr.contains("error"), "{ran:?}");
}

#[test]
fn n13_who_is_withheld_why_and_what_to_do() {
    let small = Small::new();
    small
        .hub
        .run(&[
            "suppress",
            "email:zofia@poczta.example",
            "--reason",
            "asked",
        ])
        .ends_with(0);
    let ran = small.hub.run(&["run", "--show", "20"]).ends_with(0);
    let line = "3 withheld (1 without consent, 1 refused, 1 suppressed)";
    assert!(ran.stdout.contains(line), "{}", ran.stdout);
    for row in [
        "upsert    ada@poczta.example",
        "withhold  jan@poczta.example            refused",
        "withhold  mia@mail.example              without consent",
        "withhold  zofia@poczta.example          suppressed",
    ] {
        assert!(ran.stdout.contains(row), "{row}: {}", ran.stdout);
    }
    let explained = |who: &str| {
        let ran = small
            .hub
            .run(&["destination", "explain", "newsletter-out", who]);
        ran.ends_with(0).stdout
    };
    let jan = explained("email:jan@poczta.example");
    assert!(
        jan.contains("needs         marketing_email: withdrawn"),
        "{jan}"
    );
    assert!(jan.contains("by newsletter members/"), "{jan}");
    assert!(jan.contains("profile       withheld: refused"), "{jan}");
    let mia = explained("email:mia@mail.example");
    assert!(mia.contains("nothing was said for this address"), "{mia}");
    let ada = explained("email:ada@poczta.example");
    assert!(
        ada.contains("profile       sent\nbuyers        sent"),
        "{ada}"
    );
    let listed = small.hub.json(&["destination", "list"]);
    let listed = &listed["destinations"][0];
    assert_eq!(
        (&listed["name"], &listed["withheld"]),
        (&json!("newsletter-out"), &json!(3))
    );
    // A purpose of which no stream says anything.
    small.edit(
        "consent = [\"marketing_email\"]",
        "consent = [\"offers_email\"]",
    );
    let path = small.hub.path().join("hub.toml");
    let text = std::fs::read_to_string(path).unwrap();
    small.hub.write(
        "hub.toml",
        &(text + "\n[[purpose]]\nname = \"offers_email\"\n"),
    );
    let planned = small.hub.run(&["plan", "--show", "2"]).ends_with(0).stdout;
    assert!(
        planned.contains("no stream states the consent `offers_email`"),
        "{planned}"
    );
    assert!(
        planned.contains("remove    ada@poczta.example"),
        "{planned}"
    );
}

// It asked to raise the limit.
#[test]
fn n10_a_guard_names_the_likely_cause_first() {
    let small = Small::guarded("10%");
    small.hub.run(&["run"]).ends_with(0);
    let path = small.hub.path().join("hub.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let edited = text.replace(
        "consent = [\"marketing_email\"]",
        "consent = [\"offers_email\"]",
    );
    small.hub.write(
        "hub.toml",
        &(edited + "\n[[purpose]]\nname = \"offers_email\"\n"),
    );
    for command in ["plan", "run"] {
        let ran = small.hub.run(&[command]).ends_with(3);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            told.contains("are in the audience still and have no consent to `offers_email`"),
            "{told}"
        );
    }
    small
        .hub
        .write("hub.toml", &text.replace("at_least = 2", "at_least = 200"));
    let ran = small.hub.run(&["plan"]).ends_with(3);
    assert!(
        ran.stderr.contains("most of them left the audience"),
        "{}",
        ran.stderr
    );
}

#[test]
fn n14_a_stand_in_is_called_one_and_by_which_rule() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    for (identifier, rule) in [
        (
            "email:nobody@shop.example",
            "a mailbox of nobody in particular",
        ),
        ("email:name@example.com", "an address of forms and manuals"),
        (
            "phone:+48500500500",
            "one digit or one group of digits over and over",
        ),
        (
            "user_id:null",
            "a word that is written where there is no value",
        ),
    ] {
        let ran = small
            .hub
            .run(&["audience", "explain", "buyers", identifier])
            .ends_with(2);
        assert!(ran.stderr.contains("is a stand-in"), "{}", ran.stderr);
        assert!(ran.stderr.contains(rule), "{}", ran.stderr);
    }
}

#[test]
fn n15_check_sees_what_a_run_would_miss() {
    let small = Small::new();
    let checked = small.hub.run(&["check"]).ends_with(0);
    assert!(
        checked
            .stdout
            .contains("`crm`, `payments`, `newsletter` without a `schedule`"),
        "{checked:?}"
    );
    let live = small.hub.run(&["check", "--live"]).ends_with(0);
    assert_eq!(live.stdout.matches(" works").count(), 4, "{}", live.stdout);
}

#[test]
fn n15_what_is_missing_is_a_warning_and_ends_no_check() {
    let mut small = Small::new();
    small.hub.forget_secret("STRIPE_KEY");
    let path = small.hub.path().join("hub.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let file = "credential.token = \"file:/nowhere/token\"";
    small.hub.write(
        "hub.toml",
        &text.replace("credential.token = \"env:HUBSPOT_TOKEN\"", file),
    );
    let checked = small.hub.run(&["check"]).ends_with(0);
    assert!(
        checked
            .stderr
            .contains("`env:STRIPE_KEY`, which is not set"),
        "{}",
        checked.stderr
    );
    assert!(
        checked
            .stderr
            .contains("`file:/nowhere/token`, which cannot be read"),
        "{}",
        checked.stderr
    );
    assert_eq!(
        checked.stderr.matches("warning[OF0490]").count(),
        2,
        "{}",
        checked.stderr
    );
    small.hub.run(&["check", "--live"]).ends_with(2);
    small.hub.run(&["run"]).ends_with(2);
}

/// A vendor that does not accept the credential.
struct Closed;

impl Vendor for Closed {
    fn answer(&mut self, _: &Request) -> Reply {
        let body = json!({ "status": "error", "message": "no such key", "category": "INVALID_AUTHENTICATION" });
        Reply::json(401, &body)
    }

    fn too_many_requests(&self) -> Reply {
        Reply::json(429, &json!({}))
    }

    fn server_error(&self) -> Reply {
        Reply::json(500, &json!({}))
    }
}

fn one_source(hub: &Hub, base_url: &str, more: &str) {
    hub.write(
        "hub.toml",
        &format!(
            "[hub]\nname = \"one\"\nstore = \"sqlite:one.db\"\n\n[[source]]\nname = \"crm\"\nconnector = \"hubspot\"\n\
             credential.token = \"env:HUBSPOT_TOKEN\"\nconfig.base_url = \"{base_url}\"\nstreams = [\"contacts\"]\n{more}\n"
        ),
    );
}

#[test]
fn n16_a_slip_in_a_host_is_not_to_be_granted() {
    let hub = Hub::new();
    one_source(&hub, "https://api.hubapy.com", "");
    let near = "did you mean `api.hubapi.com`, which";
    let checked = hub.run(&["check"]).ends_with(0);
    assert!(checked.stderr.contains(near), "{}", checked.stderr);
    let ran = hub.run(&["run"]).ends_with(1);
    assert!(ran.stderr.matches(near).count() == 2, "{}", ran.stderr);
    one_source(&hub, "api.hubapi.com", "");
    let checked = hub.run(&["check"]).ends_with(2);
    assert!(
        checked.stderr.contains("write `https://api.hubapi.com`"),
        "{}",
        checked.stderr
    );
    one_source(&hub, "http://127.0.0.1:9", "");
    let checked = hub.run(&["check"]).ends_with(0);
    assert!(
        checked
            .stderr
            .contains("grant it: `grant.addresses = [\"127.0.0.1:9\"]`"),
        "{}",
        checked.stderr
    );
}

#[test]
fn n17_a_refused_credential_and_a_silent_vendor_say_what_to_look_at() {
    let closed: Running<Closed> = start(Closed, ([127, 0, 0, 1], 0).into()).unwrap();
    let hub = Hub::new();
    let address = closed.address.to_string();
    let grant = |address: &str| format!("grant.addresses = [\"{address}\"]");
    one_source(&hub, &format!("http://{address}"), &grant(&address));
    let ran = hub.run(&["run"]).ends_with(1);
    assert!(ran.stderr.contains("HTTP 401"), "{}", ran.stderr);
    let hint =
        "see whether `credential.token` (env:HUBSPOT_TOKEN) of source `crm` is the right one";
    assert!(ran.stderr.contains(hint), "{}", ran.stderr);
    // Nobody listens there.
    drop(closed);
    one_source(&hub, "http://127.0.0.1:9", &grant("127.0.0.1:9"));
    let ran = hub.run(&["run"]).ends_with(1);
    assert!(
        ran.stderr.contains("no connection: 127.0.0.1:9: "),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr
            .contains("`config.base_url` (`http://127.0.0.1:9`) is right"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("trying again in 0.2 s (2 of 5)"),
        "{}",
        ran.stderr
    );
}

#[test]
fn n19_what_a_connector_reads_and_how_it_maps_it_is_shown() {
    let hub = Hub::new();
    let shown = hub
        .run(&["connector", "show", "hubspot"])
        .ends_with(0)
        .stdout;
    for text in [
        "credential.token",
        "config.stream_properties",
        "stream contacts, Contacts: mapped as person; deletions are read",
        "map.email",
        "properties.email",
        "personal data: ",
        "target contacts",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    assert!(!shown.contains("\\n"), "{shown}");
    let one = hub
        .run(&["connector", "show", "hubspot", "--stream", "deals"])
        .ends_with(0)
        .stdout;
    assert!(
        one.contains("event") && !one.contains("stream contacts"),
        "{one}"
    );
    let json = hub.json(&["connector", "show", "mailchimp"]);
    let streams = json["streams"].as_array().unwrap();
    let members = streams.iter().find(|one| one["name"] == "members").unwrap();
    assert_eq!(members["mapping"]["to"], "person");
    assert!(
        members["mapping"]["lines"]["consent.marketing_email"].is_string(),
        "{members}"
    );
    let near = hub
        .run(&["connector", "show", "hubspott"])
        .ends_with(2)
        .stderr;
    assert!(near.contains("did you mean `hubspot`?"), "{near}");
    let near = hub
        .run(&["connector", "show", "hubspot", "--stream", "contact"])
        .ends_with(2)
        .stderr;
    assert!(near.contains("did you mean `contacts`?"), "{near}");
}

// `hub/docs/operate.md`
#[test]
fn n21_a_backup_is_a_hub_again_that_sends_nothing_twice() {
    let small = Small::new();
    let nothing = small.hub.run(&["backup", "early.db"]).ends_with(2);
    assert!(nothing.stderr.contains("has no store yet"), "{nothing:?}");
    small.hub.run(&["run"]).ends_with(0);
    let file = small.hub.path().join("copy.db");
    let file = file.to_str().unwrap();
    let serving = small.hub.spawn(&["serve"]);
    let made = small.hub.run(&["backup", file]).ends_with(0);
    assert!(made.stdout.starts_with("wrote "), "{made:?}");
    drop(serving);
    let again = small.hub.run(&["backup", file]).ends_with(2);
    assert!(
        again.stderr.contains("name a file that is not there yet"),
        "{again:?}"
    );
    let state = |hub: &Hub| hub.state("small.db", &["buyers"]);
    let before = state(&small.hub);
    small
        .hub
        .run(&["suppress", "email:ada@poczta.example", "--reason", "later"])
        .ends_with(0);
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(small.hub.path().join(format!("small.db{ending}")));
    }
    std::fs::copy(file, small.hub.path().join("small.db")).unwrap();
    assert_eq!(state(&small.hub), before);
    let extras = ["-wal", "-shm", "-turn", "-next"].map(|ending| format!("copy.db{ending}"));
    assert!(
        extras
            .iter()
            .all(|name| !small.hub.path().join(name).exists())
    );
    small.hub.run(&["check", "--live"]).ends_with(0);
    let writes = small.writes().len();
    let planned = small.hub.run(&["plan"]).ends_with(0).stdout;
    assert!(
        planned.contains("newsletter-out: nothing to send"),
        "{planned}"
    );
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(small.writes().len(), writes);
}

// HubSpot's first page is asked for again where the search begins.
#[test]
fn n20_a_record_that_pages_show_twice_is_counted_once() {
    let small = Small::new();
    let ran = small.hub.run(&["--json", "run"]).ends_with(0).json();
    for stream in ran["streams"].as_array().unwrap() {
        assert_eq!(stream["read"], stream["added"], "{stream}");
        assert_eq!(stream["unchanged"], 0, "{stream}");
    }
}

#[test]
fn n2_s12_a_run_that_was_killed_is_called_lost() {
    let small = Small::new();
    let pause = Duration::from_secs(30);
    small.hubspot.fail_next(1, "", Fault::Dribble { pause });
    let mut run = small.hub.spawn(&["run"]);
    let states = || {
        let status = small.hub.json(&["status"]);
        let streams = status["streams"].as_array().unwrap();
        let states = streams
            .iter()
            .map(|one| one["state"].as_str().unwrap().to_owned());
        states.collect::<BTreeSet<String>>()
    };
    for _ in 0..600 {
        if small.hub.path().join("small.db").exists() && states().contains("running") {
            break;
        }
        let moment = async { tokio::time::sleep(Duration::from_millis(50)).await };
        small.hub.runtime.block_on(moment);
    }
    small.hub.runtime.block_on(run.kill()).unwrap();
    assert_eq!(states(), ["lost".to_owned()].into());
    let runs = small.hub.json(&["runs"]);
    assert_eq!(runs["runs"][0]["state"], "lost", "{runs}");
    let id = runs["runs"][0]["id"].to_string();
    let shown = small.hub.run(&["runs", "show", &id]).ends_with(0).stdout;
    assert!(shown.contains("its process died"), "{shown}");
    assert!(
        shown.contains("goes on   the next read begins at the start"),
        "{shown}"
    );
}

#[test]
fn n5_one_stream_is_about_what_happened_and_about_its_people() {
    let small = Small::new();
    let said = || {
        small.hub.run(&["run"]).ends_with(0);
        let zofia = "email:zofia@poczta.example";
        small.hub.json(&["profile", "show", zofia])
    };
    let names = r#"map.person.first_name = "'Zosia'""#;
    let event = format!(
        "streams = [\"customers\"]\n[[source.stream]]\nname = \"charges\"\nto = \"event\"\n{names}"
    );
    small.edit("streams = [\"customers\", \"charges\"]", &event);
    let before = said();
    assert_eq!(before["traits"]["first_name"], "Zofia", "{before:#}");
    small.edit("to = \"event\"", "to = [\"person\", \"event\"]");
    let after = said();
    assert_eq!(after["traits"]["first_name"], "Zosia", "{after:#}");
    // They are still events: who ordered twice is still known.
    assert_eq!(small.tagged().len(), 2);
}
