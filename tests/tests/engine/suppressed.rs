//! I13: somebody who is suppressed is removed from what the vendor holds of our audiences and no longer updated there, though
//! nothing that the vendor says afterwards makes the hub look at them.

use crate::identity::pair::Pair;
use onefold_tests::vendors::mailchimp::Write;
use std::collections::BTreeSet;

const ADA: &str = "ada@poczta.example";

fn suppress(pair: &Pair, identifier: &str) -> serde_json::Value {
    let reason = ["--reason", "asked by phone"];
    pair.hub
        .json(&[&["suppress", identifier][..], &reason].concat())
}

fn tags(pair: &Pair) -> BTreeSet<String> {
    let tool = pair.tool();
    let tags = tool.get(ADA).map(|(_, _, tags)| tags.clone());
    tags.unwrap_or_default().into_iter().collect()
}

fn writes(pair: &Pair) -> Vec<Write> {
    pair.mailchimp.with(|mailchimp| mailchimp.writes.clone())
}

#[test]
fn somebody_who_is_suppressed_leaves_every_tag_and_is_no_longer_updated() {
    for identifier in [
        "email:ADA@poczta.example",
        "external:crm:11",
        "phone:600 100 001",
    ] {
        let pair = Pair::new("");
        pair.push();
        assert_eq!(
            tags(&pair),
            ["buyers", "poles", "quiet"].map(str::to_owned).into()
        );
        let before = writes(&pair).len();
        let done = suppress(&pair, identifier);
        pair.hub.run(&["run"]).ends_with(0);
        assert_eq!(tags(&pair), BTreeSet::new(), "{identifier}");
        assert_eq!((&done["people"], &done["stopped"]), (&1.into(), &1.into()));
        pair.hubspot.with(|hubspot| {
            let now_ms = hubspot.clock.now_ms();
            hubspot.contacts.edit(11, &[("lastname", "King")], now_ms);
        });
        pair.push();
        let after = writes(&pair);
        let about = after[before..]
            .iter()
            .filter(|write| write.object.contains(ADA));
        assert!(about.clone().count() > 0);
        assert!(
            about.clone().all(|write| write.action == "removed"),
            "{after:?}"
        );
        // The profile is left there as it was.
        assert_eq!(pair.tool()[ADA].1["LNAME"], "Lovelace");
    }
}

#[test]
fn a_suppression_says_what_it_does_and_what_it_does_not() {
    let pair = Pair::new("");
    pair.push();
    let run = |identifier: &str| {
        let reason = ["--reason", "asked"];
        pair.hub
            .run(&[&["suppress", identifier][..], &reason].concat())
    };
    let show = || {
        let shown = pair
            .hub
            .run(&["profile", "show", "email:ada@poczta.example"]);
        let line = "suppressed: nothing about this person is sent";
        shown.ends_with(0).stdout.contains(line)
    };
    assert!(!show());
    let text = run("email:ada@poczta.example").ends_with(0).stdout;
    assert!(show());
    assert!(
        text.contains("nothing about 1 person is sent from now on"),
        "{text}"
    );
    assert!(text.contains("cannot be called back"), "{text}");
    let text = run("user_id:nobody").ends_with(0).stdout;
    assert!(text.contains("nobody has this identifier now"), "{text}");
    for (wrong, hint) in [
        ("fax:1", "begin it with"),
        ("external:crm", "begin it with"),
        ("phone:none", "is a stand-in and identifies nobody"),
        ("phone:12", "cannot be of kind `phone`"),
        ("id:0b1c", "name one of its identifiers"),
    ] {
        let ran = run(wrong).ends_with(2);
        assert!(ran.stderr.contains(hint), "{ran:#?}");
    }
}
