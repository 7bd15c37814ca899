//! The tools for makers of connectors: recording and replaying, repeating a read that failed, developing, measuring.

use crate::hub::{Hub, beside_program, in_repository};
use onefold::kit::practice::{Practice, Settings, TOKEN};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const FAULTLESS: &str = "none";

fn component() -> String {
    let file = beside_program("guests").join("careless.wasm");
    file.to_str().unwrap().to_owned()
}

/// A `conformance.toml` in the hub's folder.
fn settings(hub: &Hub, name: &str, vendor: &str, fault: &str) -> PathBuf {
    let file = hub.path().join(name);
    let text = format!(
        "[vendor]\n{vendor}\n[connection]\nconfig = {{ base_url = \"{{vendor}}\", fault = \"{fault}\" }}\n\
         credential.token = \"{TOKEN}\"\n"
    );
    std::fs::write(&file, text).unwrap();
    file
}

fn connector(hub: &Hub, command: &str, settings: &Path, more: &[&str]) -> crate::hub::Ran {
    let folder = in_repository("tests/guests/careless");
    let component = component();
    let given = [
        "--json",
        "connector",
        command,
        folder.to_str().unwrap(),
        "--component",
        &component,
        "--conformance",
        settings.to_str().unwrap(),
    ];
    hub.run(&[&given, more].concat())
}

#[test]
fn what_is_recorded_is_replayed_without_the_vendor_and_holds_no_secret() {
    let hub = Hub::new();
    let practice = settings(&hub, "practice", "practice = { contacts = 120 }", FAULTLESS);
    let cassette = hub.path().join("one.json");
    let tape = ["--cassette", cassette.to_str().unwrap(), "--records"];
    let recorded = connector(&hub, "record", &practice, &tape)
        .ends_with(0)
        .json();
    let text = std::fs::read_to_string(&cassette).unwrap();
    assert!(
        !text.contains(TOKEN) && !text.contains("127.0.0.1"),
        "{text}"
    );
    let replayed = connector(&hub, "replay", &practice, &tape)
        .ends_with(0)
        .json();
    assert_eq!(replayed, recorded);
    assert!(recorded[0]["records"].as_u64().unwrap() > 90, "{recorded}");

    let other = settings(&hub, "other", "practice = {}", "takes-more-than-asked");
    let refused = connector(&hub, "replay", &other, &tape).ends_with(2);
    let problem = refused.json()["problems"][0].clone();
    assert_eq!(problem["code"], "OF0334", "{problem}");
    let message = problem["message"].as_str().unwrap();
    assert!(
        message.contains("limit=200") && message.contains("the query was `limit=49`"),
        "{message}"
    );
}

#[test]
fn a_cassette_serves_the_conformance_suite_and_what_needs_a_vendor_says_so() {
    let hub = Hub::new();
    let practice = settings(&hub, "practice", "practice = { contacts = 120 }", FAULTLESS);
    let cassette = hub.path().join("one.json");
    let tape = ["--cassette", cassette.to_str().unwrap()];
    connector(&hub, "record", &practice, &tape).ends_with(0);
    let vendor = format!("cassette = \"{}\"", cassette.display());
    let taped = settings(&hub, "taped", &vendor, FAULTLESS);
    let report = connector(&hub, "test", &taped, &[]).ends_with(0).json();
    let result = |name: &str| {
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == name).unwrap();
        check["result"].clone()
    };
    for name in [
        "check",
        "record-schema",
        "same-page",
        "resume",
        "read-half-body",
        "unknown-fields",
    ] {
        assert_eq!(result(name), "passed", "{name}: {report}");
    }
    for name in [
        "wrong-credentials",
        "boundaries",
        "created-again",
        "upsert-twice",
        "erase-twice",
    ] {
        assert_eq!(result(name), "not applicable", "{name}: {report}");
    }
}

/// A hub with one source, the careless connector, against a help desk.
fn desk(hub: &Hub, practice: &Practice) {
    let folder = hub.path().join("connectors");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(component(), folder.join("careless.wasm")).unwrap();
    let address = practice.address;
    hub.write(
        "hub.toml",
        &format!(
            "[hub]\nname = \"kit\"\nstore = \"sqlite:kit.db\"\n[[source]]\nname = \"desk\"\nconnector = \"careless\"\n\
             config.base_url = \"http://{address}\"\ncredential.token = \"env:DESK_TOKEN\"\n\
             grant.addresses = [\"{address}\"]\n[[source.stream]]\nname = \"contacts\"\n"
        ),
    );
}

#[test]
fn a_read_that_fails_in_a_run_is_captured_and_can_be_repeated_alone() {
    let mut hub = Hub::new();
    let contacts = Settings {
        seed: 1,
        contacts: 60,
        ..Settings::default()
    };
    let practice = Practice::start(hub.runtime.handle(), contacts, 0).unwrap();
    desk(&hub, &practice);
    hub.set_secret("DESK_TOKEN", "wrong-secret-value");
    hub.run(&["run"]).ends_with(1);
    let file = hub.path().join("captured/desk.contacts.json");
    let listed = hub.json(&["connector", "run-one"]);
    assert_eq!(listed[0]["code"], "OF0441", "{listed}");
    assert_eq!(listed[0]["answers_kept"], json!(false));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("wrong-secret-value"), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let path = file.to_str().unwrap();
    let again = hub.run(&["connector", "run-one", path]).ends_with(2);
    assert!(again.stderr.contains("OF0441"), "{again:?}");

    // With the answers kept, no vendor is needed to see the failure again.
    hub.run(&["run", "--capture"]).ends_with(1);
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(
        kept["cassette"]["exchanges"][0]["answer"]["response"]["status"],
        401
    );
    hub.set_secret("DESK_TOKEN", TOKEN);
    let replayed = hub.run(&["connector", "run-one", path]).ends_with(2);
    assert!(replayed.stderr.contains("OF0441"), "{replayed:?}");
    let live = hub.json(&["connector", "run-one", path, "--live"]);
    assert!(live["records"].as_u64().unwrap() > 0, "{live}");

    hub.run(&["run"]).ends_with(0);
    assert!(
        !file.exists(),
        "a read that works again is no longer captured"
    );
    let nothing = hub.run(&["connector", "run-one", path]).ends_with(2);
    assert!(nothing.stderr.contains("OF0336"), "{nothing:?}");
}

#[test]
fn dev_shows_a_record_as_it_was_written_beside_what_becomes_of_it() {
    let hub = Hub::new();
    let practice = settings(&hub, "practice", "practice = { contacts = 40 }", FAULTLESS);
    let once = ["--once", "--no-build", "--records", "1"];
    let shown = connector(&hub, "dev", &practice, &once).ends_with(0).json();
    let stream = &shown["streams"][0];
    assert_eq!(stream["stream"], "contacts");
    let one = &stream["shown"][0];
    assert!(
        one["record"].as_str().unwrap().starts_with("{\"id\":1,"),
        "{one}"
    );
    let mapped = one["mapped"].to_string();
    assert!(
        mapped.contains("key: 1") && mapped.contains("email:person.0@example.com"),
        "{mapped}"
    );
}

#[test]
fn bench_measures_what_a_connector_costs() {
    let hub = Hub::new();
    let practice = settings(&hub, "practice", "practice = {}", FAULTLESS);
    let measured = connector(&hub, "bench", &practice, &["--contacts", "400"])
        .ends_with(0)
        .json();
    let number = |name: &str| {
        measured[name]
            .as_f64()
            .unwrap_or_else(|| panic!("{name}: {measured}"))
    };
    assert!((340.0..400.0).contains(&number("records")), "{measured}");
    for name in [
        "bytes",
        "compile_ms",
        "cached_start_ms",
        "first_call_ms",
        "records_per_s",
        "calls",
        "requests",
    ] {
        assert!(number(name) > 0.0, "{name}: {measured}");
    }
    assert!(number("most_memory_bytes") >= 65_536.0, "{measured}");
    assert!(
        number("cached_start_ms") < number("compile_ms"),
        "{measured}"
    );
}
