//! I8, I9: what a destination may have been given by a request whose answer was lost, and should not hold any more when the
//! hub comes back, is not left there.

use crate::identity::pair::{Pair, Tool};
use onefold_tests::vendors::Fault;
use onefold_tests::vendors::mailchimp::{Status, subscriber_hash};
use std::collections::BTreeSet;

const ADA: &str = "ada@poczta.example";

/// A run in which the second request to `path` is carried out and its answer lost, and looking what became of it fails.
fn run_and_lose(pair: &Pair, skip: u32, post: &str, look: &str) {
    pair.mailchimp.fail_after(skip, 1, post, Fault::AnswerLost);
    pair.mailchimp.fail_next(1_000, look, Fault::ServerError);
    pair.hub.run(&["run"]).ends_with(1);
    pair.mailchimp.clear_faults();
    let lost = pair.mailchimp.requests();
    let lost = lost
        .iter()
        .filter(|request| request.fault == Some(Fault::AnswerLost));
    assert_eq!(lost.count(), 1);
}

/// The first request makes new members only and is refused for existing ones; the second changes them.
fn lose_profiles(pair: &Pair) {
    let (post, look) = ("POST /3.0/", "GET /3.0/lists/a1b2c3d4e5/members/");
    run_and_lose(pair, 1, post, look);
}

fn country(tool: &Tool) -> Option<&str> {
    tool[ADA].1.get("COUNTRY").and_then(|value| value.as_str())
}

fn forget_country(pair: &Pair) {
    pair.hubspot.with(|hubspot| {
        let now_ms = hubspot.clock.now_ms();
        hubspot.contacts.edit(11, &[("country", "")], now_ms);
    });
}

/// Sets a member's status at Mailchimp, as the member would.
fn subscribe(pair: &Pair, status: Status) {
    pair.mailchimp.with(|mailchimp| {
        let member = mailchimp.members.get_mut(&subscriber_hash(ADA)).unwrap();
        member.status = status;
        // A later word than the one before.
        member.last_changed_ms += 1_000;
    });
}

fn buyers(pair: &Pair) -> BTreeSet<String> {
    pair.mailchimp
        .with(|mailchimp| mailchimp.segment_members("buyers"))
}

#[test]
fn a_field_that_a_lost_answer_wrote_is_cleared_when_it_is_wanted_no_more() {
    let pair = Pair::new("");
    lose_profiles(&pair);
    assert_eq!(
        country(&pair.tool()),
        Some("PL"),
        "the write was carried out"
    );
    forget_country(&pair);
    pair.push();
    let tool = pair.tool();
    assert_eq!(country(&tool), None, "{tool:?}");
    assert_eq!(tool[ADA].1["FNAME"], "Ada");
    // What was cleared once is not cleared again and again: somebody else may fill it.
    let writes = pair.mailchimp.with(|mailchimp| mailchimp.writes.len());
    pair.push();
    assert_eq!(
        pair.mailchimp.with(|mailchimp| mailchimp.writes.len()),
        writes
    );
}

// I13: nobody is written to without consent, not even to clear something; it is done once there is consent again.
#[test]
fn what_a_lost_answer_wrote_is_remembered_while_the_person_may_not_be_sent() {
    let pair = Pair::new("");
    lose_profiles(&pair);
    subscribe(&pair, Status::Unsubscribed);
    forget_country(&pair);
    let before = pair.mailchimp.with(|mailchimp| mailchimp.writes.clone());
    pair.push();
    let after = pair.mailchimp.with(|mailchimp| mailchimp.writes.clone());
    let hash = subscriber_hash(ADA);
    let about_ada = after[before.len()..].iter().filter(|write| {
        let write = format!("{write:?}");
        write.contains(ADA) || write.contains(&hash)
    });
    assert_eq!(about_ada.count(), 0, "{after:?}");
    assert_eq!(country(&pair.tool()), Some("PL"));
    assert_eq!(pair.hub.json(&["status"])["changes_pending"], 0);
    subscribe(&pair, Status::Subscribed);
    pair.push();
    assert_eq!(country(&pair.tool()), None);
}

// I8: the guard, which protects members, allows it although nobody is known to be one.
#[test]
fn a_member_whom_a_lost_answer_added_is_taken_out_when_wanted_no_more() {
    let pair = Pair::new("");
    let (post, look) = (
        "POST /3.0/lists/a1b2c3d4e5/segments/",
        "GET /3.0/lists/a1b2c3d4e5/segments/",
    );
    run_and_lose(&pair, 0, post, look);
    assert_eq!(buyers(&pair), [ADA.to_owned()].into());
    subscribe(&pair, Status::Unsubscribed);
    pair.push();
    assert_eq!(buyers(&pair), BTreeSet::new());
}

// I9: a refusal that comes after a lost answer says nothing about the try before it.
#[test]
fn rows_that_are_refused_after_a_lost_answer_stay_in_doubt() {
    let pair = Pair::new("");
    pair.mailchimp
        .fail_after(1, 1, "POST /3.0/", Fault::AnswerLost);
    let look = "GET /3.0/lists/a1b2c3d4e5/members/";
    pair.mailchimp
        .fail_next(1_000, look, Fault::Refused { status: 403 });
    pair.hub.run(&["run"]).ends_with(1);
    pair.mailchimp.clear_faults();
    assert_eq!(country(&pair.tool()), Some("PL"));
    forget_country(&pair);
    pair.push();
    assert_eq!(country(&pair.tool()), None);
}
