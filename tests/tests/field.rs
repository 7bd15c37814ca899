//! What really happens to people who do this job, from the command line to the vendors. `cargo xtask test field` runs these and
//! those of the hub.

mod hubspot;
mod letters;
mod mailchimp;
mod population;
mod stripe;

use super::small::{Small, set};

// F5
#[test]
fn a_list_without_a_campaign_is_read_without_a_word() {
    let small = Small::new();
    let all = "streams = [\"members\", \"campaign_activity\", \"unsubscribes\"]";
    small.edit("streams = [\"members\"]", all);
    for _ in 0..2 {
        let ran = small.hub.run(&["run"]).ends_with(0);
        assert!(!ran.stderr.contains("OF0317"), "{ran:#?}");
    }
}

#[test]
fn an_operator_refuses_and_grants_for_an_address_and_sees_why() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    let (ada, purpose) = ("email:ada@poczta.example", "marketing_email");
    let both = set(["ada@poczta.example", "zofia@poczta.example"]);
    assert_eq!(small.tagged(), both);
    let state = |what: &str, reason: &str| {
        let arguments = [
            "consent", what, ada, purpose, "--reason", reason, "--by", "ola",
        ];
        small.hub.run(&arguments).ends_with(0)
    };
    state("refuse", "asked by phone");
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(small.tagged(), set(["zofia@poczta.example"]));
    let shown = small.hub.run(&["consent", "show", ada]).ends_with(0).stdout;
    let lines: Vec<&str> = shown.lines().collect();
    assert!(
        lines[0].contains("marketing_email for ada@poczta.example: withdrawn")
            && lines[0].contains("by ola: asked by phone"),
        "{shown}"
    );
    assert!(
        lines[1].contains("before granted") && lines[1].contains("by newsletter members/"),
        "{shown}"
    );
    state("grant", "signed form 17");
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(small.tagged(), both);
    // What cannot be stated is said.
    for (arguments, message) in [
        (
            ["consent", "refuse", ada, "marketing_emial"],
            "did you mean `marketing_email`",
        ),
        (
            ["consent", "grant", "phone:+48600100001", purpose],
            "name the address: `email:",
        ),
        (
            ["consent", "refuse", "id:0b1c", purpose],
            "name one of its identifiers",
        ),
    ] {
        let ran = small
            .hub
            .run(&[&arguments[..], &["--reason", "x"]].concat());
        assert_eq!(ran.code, Some(2), "{ran:#?}");
        assert!(ran.stderr.contains(message), "{ran:#?}");
    }
    let nobody = small
        .hub
        .run(&["consent", "show", "email:ghost@mail.example"]);
    assert!(nobody.ends_with(0).stdout.contains("nothing was said"));
}

// F26
#[test]
fn a_hub_is_made_in_the_folder_that_is_named() {
    let small = Small::new();
    let made = small.hub.run(&["init", "acme"]).ends_with(0);
    assert!(made.stdout.contains("acme"), "{made:#?}");
    let text = std::fs::read_to_string(small.hub.path().join("acme/hub.toml")).unwrap();
    assert!(text.contains("name = \"acme\""), "{text}");
}

// Whoever edits a manifest asks `plan` first.
#[test]
fn a_plan_shows_what_an_edit_of_the_manifests_would_do() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    let (tagged, people) = (small.tagged(), small.people());
    assert_eq!(tagged.len(), 2);
    let plan = || small.hub.json(&["plan"]);
    assert_eq!(plan()["audiences"], serde_json::json!([]));
    small.edit("count = { at_least = 2 }", "count = { at_least = 200 }");
    let planned = plan();
    let change = &planned["audiences"][0];
    assert_eq!((&change["left"], &change["size"]), (&3.into(), &0.into()));
    assert_eq!(planned["destinations"][0]["removed"]["buyers"], 2);
    let shown = small.hub.run(&["plan"]).ends_with(0).stdout;
    assert!(
        shown.contains("audience buyers: 0 members then (+0 −3)"),
        "{shown}"
    );
    // Nothing has happened, and the copy is gone.
    assert_eq!((small.tagged(), small.people()), (tagged, people));
    assert!(!small.hub.path().join("small.db-plan").exists());
    // A guard is seen before it stops a run.
    small.edit("max_removed = \"100%\"", "max_removed = \"10%\"");
    small.hub.run(&["plan"]).ends_with(3);
    small.hub.run(&["run"]).ends_with(3);
}
