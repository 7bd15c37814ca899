//! Two processes over one hub, and vendors and stores that behave badly while it serves.

use crate::hub::Hub;
use crate::small::{JANUARY_MS, Small, set};
use onefold_tests::vendors::Fault;
use onefold_tests::vendors::mailchimp::{Member, Status};
use onefold_tests::vendors::stripe::Paid;
use std::collections::BTreeMap;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::process::Child;
use tokio::sync::mpsc;

/// Sends a signal by the program that users have for it.
fn signal(child: &Child, name: &str) {
    let id = child.id().unwrap().to_string();
    let sent = std::process::Command::new("kill")
        .args([name, &id])
        .status();
    assert!(sent.unwrap().success());
}

/// Stops a process between two of its transactions: one that is stopped in the middle keeps the store from everybody.
fn freeze(hub: &Hub, child: &Child) {
    let is_free = |name: &str| {
        let file = std::fs::File::open(hub.path().join(name)).unwrap();
        file.try_lock().is_ok()
    };
    for _ in 0..200 {
        signal(child, "-STOP");
        wait(hub, 50);
        if is_free("small.db-next") && is_free("small.db-turn") {
            return;
        }
        signal(child, "-CONT");
        wait(hub, 7);
    }
    panic!("it never stopped writing");
}

fn wait(hub: &Hub, ms: u64) {
    let time = Duration::from_millis(ms);
    hub.runtime
        .block_on(async { tokio::time::sleep(time).await });
}

/// How a child ended, and how long that took.
fn ended(hub: &Hub, mut child: Child, at_most: Duration) -> (ExitStatus, Duration) {
    let began = Instant::now();
    hub.runtime.block_on(async {
        let waited = tokio::time::timeout(at_most, child.wait()).await;
        let status = waited.expect("the program did not end").unwrap();
        (status, began.elapsed())
    })
}

/// Waits until a request whose line contains `text` was made.
fn asked(hub: &Hub, requests: &mut mpsc::Receiver<String>, text: &str) {
    hub.runtime.block_on(async {
        loop {
            let line = tokio::time::timeout(Duration::from_secs(60), requests.recv()).await;
            let line = line.unwrap_or_else(|_| panic!("nobody asked for {text}"));
            if line.unwrap().contains(text) {
                return;
            }
        }
    });
}

fn schedule(small: &Small, connector: &str) {
    let plain = format!("connector = \"{connector}\"\ncredential");
    let scheduled = format!(
        "connector = \"{connector}\"\nschedule = {{ cron = \"* * * * * *\", timezone = \"UTC\" }}\ncredential"
    );
    let path = small.hub.path().join("hub.toml");
    let text = std::fs::read_to_string(path).unwrap();
    small
        .hub
        .write("hub.toml", &text.replacen(&plain, &scheduled, 1));
}

// B13, B17
#[test]
fn two_runs_at_once_on_a_new_hub_both_end_well_and_everybody_is_there_once() {
    for _ in 0..3 {
        let small = Small::new();
        let children = [(); 2].map(|()| small.hub.spawn(&["run"]));
        for child in children {
            let output = small
                .hub
                .runtime
                .block_on(child.wait_with_output())
                .unwrap();
            assert_eq!(output.status.code(), Some(0), "{output:#?}");
        }
        assert_eq!(small.people(), 5);
        assert_eq!(
            small.tagged(),
            set(["ada@poczta.example", "zofia@poczta.example"])
        );
        let running = "select count(*) from run where state = 'running'";
        assert_eq!(small.hub.number("small.db", running), 0);
    }
}

// B13, I9
#[test]
fn a_run_that_was_killed_is_lost_and_the_next_one_takes_over_at_once() {
    let small = Small::new();
    let (tell, mut requests) = mpsc::channel(1_000);
    small.stripe.tell(tell);
    let pause = Duration::from_secs(30);
    small
        .stripe
        .fail_next(1, "/v1/customers", Fault::Dribble { pause });
    let mut child = small.hub.spawn(&["run"]);
    asked(&small.hub, &mut requests, "/v1/customers");
    small.hub.runtime.block_on(child.kill()).unwrap();
    small.stripe.clear_faults();
    let began = Instant::now();
    small.hub.run(&["run"]).ends_with(0);
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "it waited for a lease"
    );
    assert_eq!(small.people(), 5);
    let interrupted = "select count(*) from run where state = 'lost'";
    assert_eq!(small.hub.number("small.db", interrupted), 1);
}

// B15
#[test]
fn a_run_that_is_interrupted_ends_within_two_seconds_whatever_a_vendor_is_doing() {
    let faults = [
        Fault::TooManyRequests { retry_after_s: 57 },
        Fault::Dribble {
            pause: Duration::from_secs(40),
        },
    ];
    for fault in faults {
        let small = Small::new();
        let (tell, mut requests) = mpsc::channel(1_000);
        small.hubspot.tell(tell);
        small
            .hubspot
            .fail_next(50, "/crm/v3/objects/contacts", fault);
        let child = small.hub.spawn(&["run"]);
        asked(&small.hub, &mut requests, "/crm/v3/objects/contacts");
        wait(&small.hub, 300);
        signal(&child, "-INT");
        let (_, took) = ended(&small.hub, child, Duration::from_secs(70));
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
}

// B10, B21, and Show 4: a source that hangs holds nothing up.
#[test]
fn a_source_that_hangs_holds_up_no_other_source_no_timer_no_delivery_and_no_end() {
    let small = Small::new();
    let hang = seconds("ONEFOLD_HANG_SECONDS", 0);
    let buyers: Vec<String> = (0..=hang.as_secs() / 10)
        .map(|n| format!("buyer{n}"))
        .collect();
    small.mailchimp.with(|mailchimp| {
        for buyer in &buyers {
            mailchimp.seed_member(agreed(buyer));
        }
    });
    small.hub.run(&["run"]).ends_with(0);
    for connector in ["hubspot", "stripe"] {
        schedule(&small, connector);
    }
    // Ten minutes for one answer.
    let pause = Duration::from_secs(40);
    small.hubspot.fail_next(1_000, "", Fault::Dribble { pause });
    let (tell, mut hanging) = mpsc::channel(10_000);
    small.hubspot.tell(tell);
    let child = small.hub.spawn(&["serve"]);
    asked(&small.hub, &mut hanging, "/crm/v3/");
    // They order through the source that is read each second, and are sent at once.
    let began = Instant::now();
    buys(&small, "oliver");
    let mut sent = 1;
    for buyer in &buyers {
        if began.elapsed() >= hang {
            break;
        }
        wait(&small.hub, 10_000);
        buys(&small, buyer);
        sent += 1;
    }
    eprintln!("{sent} sent while a source hung for {:?}", began.elapsed());
    signal(&child, "-INT");
    let (status, took) = ended(&small.hub, child, Duration::from_secs(60));
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(2), "{took:?}");
}

fn agreed(name: &str) -> Member {
    Member {
        email: format!("{name}@mail.example"),
        status: Status::Subscribed,
        merge_fields: BTreeMap::new(),
        language: "pl".to_owned(),
        vip: false,
        signed_up_ms: JANUARY_MS,
        last_changed_ms: JANUARY_MS,
        unsubscribe_reason: None,
    }
}

/// Somebody who has agreed orders twice, and is in the tag soon after.
fn buys(small: &Small, name: &str) {
    let address = format!("{name}@mail.example");
    small.stripe.with(|stripe| {
        let now_s = stripe.clock.now_ms() / 1_000;
        let customer = format!("cus_{name}");
        let fields = serde_json::json!({"email": address, "name": name});
        stripe.seed_customer(&customer, now_s, &fields);
        for order in ["1", "2"] {
            let (charge, paid) = (format!("ch_{name}_{order}"), Paid::Succeeded);
            stripe.seed_charge(&charge, &customer, 900, "pln", now_s, paid);
        }
    });
    let began = Instant::now();
    while !small.tagged().contains(&address) {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "{name} was not sent"
        );
        wait(&small.hub, 20);
    }
}

/// Waits until the vendor's member of that address has this last name.
fn named(small: &Small, address: &str, name: &str) {
    let began = Instant::now();
    loop {
        let snapshot = small.mailchimp.with(|mailchimp| mailchimp.snapshot());
        let (_, fields) = &snapshot.members[address];
        if fields["LNAME"] == serde_json::json!(name) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(90), "{fields:?}");
        wait(&small.hub, 50);
    }
}

/// Waits until exactly these members have the tag: a service reads, fills definitions and delivers at the same time.
fn tagged(small: &Small, addresses: &[&str]) {
    let began = Instant::now();
    let expected = addresses.iter().map(|one| (*one).to_owned()).collect();
    while small.tagged() != expected {
        let found = small.tagged();
        assert!(began.elapsed() < Duration::from_secs(90), "{found:?}");
        wait(&small.hub, 50);
    }
}

/// The contact of Ada gets another last name.
fn rename(small: &Small, name: &str) {
    small.hubspot.with(|hubspot| {
        let now_ms = hubspot.clock.now_ms();
        hubspot.contacts.edit(11, &[("lastname", name)], now_ms);
    });
}

// I13, I15
#[test]
fn serve_goes_on_by_edited_manifests_and_past_bad_ones() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    for connector in ["hubspot", "stripe", "mailchimp"] {
        schedule(&small, connector);
    }
    let mut child = small.hub.spawn(&["serve"]);
    rename(&small, "Byron");
    named(&small, "ada@poczta.example", "Byron");
    // Nobody ordered so often; the service still knows the older definition, and reads each second.
    small.edit("at_least = 2", "at_least = 9");
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(small.tagged(), set([]));
    rename(&small, "King");
    named(&small, "ada@poczta.example", "King");
    assert_eq!(small.tagged(), set([]));
    // It is stopped while the manifests are edited again, used, and spoilt.
    freeze(&small.hub, &child);
    small.edit("at_least = 9", "at_least = 1");
    small.hub.run(&["run"]).ends_with(0);
    assert_ne!(small.tagged(), set([]));
    small.edit("at_least = 1", "at_leest = 1");
    signal(&child, "-CONT");
    rename(&small, "Gordon");
    wait(&small.hub, 4_000);
    assert!(child.try_wait().unwrap().is_none(), "it ended");
    let snapshot = small.mailchimp.with(|mailchimp| mailchimp.snapshot());
    let (_, fields) = &snapshot.members["ada@poczta.example"];
    // Broken manifests leave it with the ones that the other process worked by.
    assert_eq!(fields["LNAME"], serde_json::json!("Gordon"));
    assert_ne!(small.tagged(), set([]));
    small.edit("at_leest = 1", "at_least = 2");
    tagged(&small, &["ada@poczta.example", "zofia@poczta.example"]);
    // An edit that is used and taken back while it looks away.
    freeze(&small.hub, &child);
    small.edit("at_least = 2", "at_least = 9");
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(small.tagged(), set([]));
    small.edit("at_least = 9", "at_least = 2");
    signal(&child, "-CONT");
    rename(&small, "Lovelace");
    named(&small, "ada@poczta.example", "Lovelace");
    tagged(&small, &["ada@poczta.example", "zofia@poczta.example"]);
    signal(&child, "-INT");
    let (status, took) = ended(&small.hub, child, Duration::from_secs(60));
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(2), "{took:?}");
}

// I13: the connector asks Mailchimp to add members, and then to update those that were there.
#[test]
fn a_suppression_ends_the_call_in_which_the_person_is_being_sent() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    rename(&small, "Byron");
    let (tell, mut requests) = mpsc::channel(1_000);
    small.mailchimp.tell(tell);
    // Sixteen pieces: the first request takes eight seconds.
    let pause = Duration::from_millis(500);
    small
        .mailchimp
        .fail_next(1, "POST /3.0/lists/", Fault::Dribble { pause });
    let child = small.hub.spawn(&["run"]);
    asked(&small.hub, &mut requests, "POST /3.0/lists/");
    let suppress = ["suppress", "email:ada@poczta.example", "--reason", "asked"];
    small.hub.run(&suppress).ends_with(0);
    let (status, _) = ended(&small.hub, child, Duration::from_secs(60));
    assert_eq!(status.code(), Some(0));
    let snapshot = small.mailchimp.with(|mailchimp| mailchimp.snapshot());
    let (_, fields) = &snapshot.members["ada@poczta.example"];
    assert_eq!(fields["LNAME"], serde_json::json!("Lovelace"));
    assert_eq!(small.tagged(), set(["zofia@poczta.example"]));
}

/// How long a test tries something; a variable makes it longer.
#[allow(
    clippy::disallowed_methods,
    reason = "a test is asked for more from outside"
)]
fn seconds(variable: &str, usual: u64) -> Duration {
    let asked = std::env::var(variable).ok();
    Duration::from_secs(asked.and_then(|text| text.parse().ok()).unwrap_or(usual))
}

/// Each command except those for making connectors.
const COMMANDS: &[&[&str]] = &[
    &["check"],
    &["plan"],
    &["status"],
    &["run"],
    &["run", "--full", "--source", "crm"],
    &["profile", "show", "email:ada@poczta.example", "--why"],
    &["profile", "history", "email:ada@poczta.example"],
    &["profile", "find", "ada"],
    &["identity", "statements"],
    &[
        "identity",
        "explain",
        "email:ada@poczta.example",
        "email:jan@poczta.example",
    ],
    &["identity", "graph", "email:ada@poczta.example"],
    &["identity", "simulate"],
    &["identity", "apply"],
    &[
        "identity",
        "separate",
        "email:mia@mail.example",
        "email:oliver@mail.example",
        "--reason",
        "x",
    ],
    &["identity", "suggest"],
    &["identity", "suggestions"],
    &["identity", "review"],
    &["account", "list"],
    &["model", "list"],
    &["trait", "list"],
    &["audience", "list"],
    &["audience", "show", "buyers"],
    &["audience", "preview", "buyers"],
    &["audience", "history", "buyers"],
    &["audience", "explain", "buyers", "email:ada@poczta.example"],
    &["dead-letters", "list"],
    &["dead-letters", "retry"],
    &["suppress", "email:nobody@mail.example", "--reason", "asked"],
    &["consent", "show", "email:ada@poczta.example"],
    &[
        "consent",
        "refuse",
        "email:ghost@mail.example",
        "marketing_email",
        "--reason",
        "asked",
    ],
    &["connector", "list"],
    &["help", "OF0803"],
];

// B10, Show 3
#[test]
fn serve_lives_beside_every_command_while_its_store_fails_now_and_then() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    for connector in ["hubspot", "stripe", "mailchimp"] {
        schedule(&small, connector);
    }
    let mut child = {
        let mut serve = small.hub.failing(&["serve"], 300);
        let _inside = small.hub.runtime.enter();
        serve
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let began = Instant::now();
    let mut round = 0;
    while began.elapsed() < seconds("ONEFOLD_SOAK_SECONDS", 20) {
        for arguments in COMMANDS {
            let ran = small.hub.run(arguments);
            assert!(matches!(ran.code, Some(0..=3)), "{arguments:?}: {ran:#?}");
            assert!(!ran.stderr.contains("panicked"), "{arguments:?}: {ran:#?}");
            let ended = child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "`serve` ended while {arguments:?} ran: {ended:?}"
            );
        }
        round += 1;
        rename(&small, &format!("Round{round}"));
        // The service reads its folder again when the first of the next commands that write has read it.
        small.edit("[hub]\n", "# Edited.\n[hub]\n");
    }
    assert!(round > 0);
    signal(&child, "-TERM");
    let (status, _) = ended(&small.hub, child, Duration::from_secs(60));
    assert_eq!(status.code(), Some(0));
    // What is left by errors is done by the next run, and then nothing is.
    small.hub.run(&["run"]);
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(
        small.tagged(),
        set(["ada@poczta.example", "zofia@poczta.example"])
    );
    let snapshot = small.mailchimp.with(|mailchimp| mailchimp.snapshot());
    let (_, fields) = &snapshot.members["ada@poczta.example"];
    assert_eq!(fields["LNAME"], serde_json::json!(format!("Round{round}")));
    let pending = "select count(*) from change where state = 'pending'";
    assert_eq!(small.hub.number("small.db", pending), 0);
}
