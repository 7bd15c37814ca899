//! What each command prints about the small world, whole. Ids are those of the evidence and stay; times that are not
//! of 2025 are when the test ran, and are replaced.

use crate::hub::Hub;
use crate::small::Small;

fn is_time_character(c: char) -> bool {
    c.is_ascii_digit() || "-:.TZ".contains(c)
}

/// Durations become `[S]` and times of this run `[TIME]`.
fn stripped(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let mut kept: Vec<String> = Vec::new();
        for (at, word) in words.iter().enumerate() {
            let next = words.get(at + 1).copied().unwrap_or_default();
            let is_number = word.parse::<f64>().is_ok() && word.contains('.');
            let is_date = word.len() >= 10
                && word.chars().take(10).all(is_time_character)
                && word.matches('-').count() == 2
                && !word.starts_with("2025");
            let after_date = kept.last().is_some_and(|before| before == "[TIME]");
            if is_number && next.trim_end_matches(';') == "s" {
                kept.push("[S]".to_owned());
            } else if is_date {
                kept.push("[TIME]".to_owned());
            } else if after_date && word.len() == 5 && word.contains(':') {
                // The clock behind a date.
            } else {
                kept.push((*word).to_owned());
            }
        }
        out.push_str(kept.join(" ").trim_end());
        out.push('\n');
    }
    out
}

/// The output of a command as a transcript.
pub fn transcript(hub: &Hub, arguments: &[&str]) -> String {
    let ran = hub.run(arguments);
    let mut text = format!("$ onefold {}\n", arguments.join(" "));
    text.push_str(&stripped(&ran.stdout));
    if !ran.stderr.is_empty() {
        text.push_str("--- standard error\n");
        text.push_str(&stripped(&ran.stderr));
    }
    text.push_str(&format!("--- exit code {}\n", ran.code.unwrap_or(-1)));
    text
}

#[test]
fn plan_run_and_run_again() {
    let small = Small::new();
    let steps = [vec!["plan"], vec!["run"], vec!["run"], vec!["plan"]];
    let text: Vec<String> = steps
        .iter()
        .map(|arguments| transcript(&small.hub, arguments))
        .collect();
    insta::assert_snapshot!("run", text.join("\n"));
}

#[test]
fn what_can_be_looked_at_after_a_run() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    let looks = [
        vec!["status"],
        vec!["audience", "list"],
        vec!["audience", "show", "buyers"],
        vec!["audience", "preview", "buyers"],
        vec!["profile", "show", "email:ada@poczta.example", "--why"],
        vec!["profile", "show", "phone:600 100 002"],
        vec!["profile", "find", "nowak"],
        vec!["dead-letters", "list"],
        vec!["connector", "list"],
        vec!["connector", "check", "crm"],
        vec!["audience", "show", "byers"],
        vec!["profile", "show", "email:stranger@mail.example"],
    ];
    let text: Vec<String> = looks
        .iter()
        .map(|arguments| transcript(&small.hub, arguments))
        .collect();
    insta::assert_snapshot!("looks", text.join("\n"));
}

#[test]
fn dead_letters_of_both_kinds() {
    let small = Small::new();
    small.stripe.with(|stripe| {
        let mut charge = stripe.charges.get("ch_ada1").unwrap();
        charge["amount_captured"] = serde_json::json!("a lot");
        stripe.put_charge(&charge);
    });
    small.mailchimp.with(|mailchimp| {
        let zofia = onefold_tests::vendors::mailchimp::subscriber_hash("zofia@poczta.example");
        mailchimp.forgotten.insert(zofia);
    });
    let steps = [
        vec!["run"],
        vec!["dead-letters", "list"],
        vec!["dead-letters", "retry"],
    ];
    let text: Vec<String> = steps
        .iter()
        .map(|arguments| transcript(&small.hub, arguments))
        .collect();
    insta::assert_snapshot!("dead_letters", text.join("\n"));
}

#[test]
fn with_json_every_command_prints_one_json_value() {
    let small = Small::new();
    let commands = [
        vec!["check"],
        vec!["plan"],
        vec!["run"],
        vec!["status"],
        vec!["audience", "list"],
        vec!["audience", "show", "buyers"],
        vec!["audience", "preview", "buyers"],
        vec!["profile", "show", "email:ada@poczta.example", "--why"],
        vec!["profile", "find", "nowak"],
        vec!["dead-letters", "list"],
        vec!["dead-letters", "retry"],
        vec!["connector", "list"],
        vec!["connector", "check", "crm"],
        vec!["connector", "discover", "payments"],
    ];
    for arguments in commands {
        let value = small.hub.json(&arguments);
        assert!(value.is_object() || value.is_array(), "{arguments:?}");
    }
    for arguments in [
        ["audience", "show", "byers"],
        ["profile", "show", "email:no"],
    ] {
        let refused = small.hub.run(&[&["--json"][..], &arguments].concat());
        let problems = refused.ends_with(2).json();
        assert!(problems["problems"][0]["code"].is_string(), "{problems}");
    }
}

#[test]
fn what_is_paused_and_who_says_so() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    let because = |command, name, reason| vec![command, name, "--reason", reason, "--by", "ada"];
    let steps = [
        because("pause", "crm", "the vendor migrates"),
        because("pause", "newsletter-out", "wrong names were sent"),
        because("pause", "crm", "it takes until Monday"),
        vec!["status"],
        vec!["plan"],
        vec!["run"],
        because("resume", "crm", "done"),
        because("resume", "crm", "done"),
    ];
    let text: Vec<String> = steps
        .iter()
        .map(|arguments| transcript(&small.hub, arguments))
        .collect();
    insta::assert_snapshot!("paused", text.join("\n"));
}

#[test]
fn what_is_due_and_what_ran() {
    let small = Small::new();
    small.edit(
        "connector = \"hubspot\"",
        "connector = \"hubspot\"\nschedule = { cron = \"0 30 6 * * *\", timezone = \"Europe/Warsaw\" }",
    );
    let charges = "credential.key = \"env:STRIPE_KEY\"";
    small.edit(
        charges,
        &format!("{charges}\nschedule = {{ after = \"crm\" }}"),
    );
    small.hub.run(&["runs"]).ends_with(0);
    small.hub.run(&["run"]).ends_with(0);
    let words = [
        "pause",
        "newsletter-out",
        "--reason",
        "wrong names",
        "--by",
        "ada",
    ];
    small.hub.run(&words).ends_with(0);
    let steps = [
        vec!["schedule"],
        vec!["runs"],
        vec!["runs", "--source", "crm"],
        vec!["runs", "show", "1"],
        vec!["runs", "show", "99"],
        vec!["runs", "--source", "crn"],
    ];
    let text: Vec<String> = steps
        .iter()
        .map(|arguments| transcript(&small.hub, arguments))
        .collect();
    insta::assert_snapshot!("runs", text.join("\n"));
}
