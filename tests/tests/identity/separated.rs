//! I2, I8: what was merged and pushed, and then separated, leaves nothing behind at the destination; nor does what was
//! linked or separated by a statement that was revoked. Each hub is compared with one that never went the long way.

use super::pair::{ADA, ANNA, MIA, Pair, Tool};
use onefold_tests::vendors::time::Clock;

const ADAS_PHONE: &str = "600 100 001";

/// The tool of a hub that has kept Ada and Anna apart before it pushed anything.
fn never_merged(pair: &Pair) -> Tool {
    pair.hub.run(&["run", "--no-delivery"]).ends_with(0);
    pair.separate();
    pair.push();
    assert!(!pair.is_one_person(ADA, ANNA));
    pair.tool()
}

/// Two who were pushed as two and became one person later.
fn merged_later(join: impl FnOnce(&Pair)) -> Pair {
    let pair = Pair::new("");
    pair.push();
    assert!(!pair.is_one_person(ADA, ANNA));
    join(&pair);
    pair.push();
    assert!(pair.is_one_person(ADA, ANNA));
    pair
}

fn by_phone(pair: &Pair) {
    pair.hubspot.with(|hubspot| {
        let now_ms = hubspot.clock.now_ms();
        hubspot.contacts.edit(12, &[("phone", ADAS_PHONE)], now_ms);
    });
}

#[test]
fn merged_from_the_start_then_separated_the_tool_ends_as_if_never_merged() {
    let control = never_merged(&Pair::new(ADAS_PHONE));
    let pair = Pair::new(ADAS_PHONE);
    pair.push();
    assert!(pair.is_one_person(ADA, ANNA));
    let merged = pair.tool();
    assert_ne!(merged, control, "the merge must be seen at the tool");
    pair.separate();
    pair.push();
    assert!(!pair.is_one_person(ADA, ANNA));
    assert_eq!(pair.tool(), control);
    // Taken back, the tool ends as that of a hub where they became one after they had been two.
    pair.revoke("1");
    pair.push();
    assert!(pair.is_one_person(ADA, ANNA));
    assert_eq!(pair.tool(), merged_later(by_phone).tool());
}

#[test]
fn merged_later_by_a_third_record_then_separated_the_tool_ends_as_if_never_merged() {
    let created_s = Clock::System.now_ms() / 1_000;
    let control = Pair::new("");
    control.add_go_between(created_s);
    let control = never_merged(&control);
    let pair = merged_later(|pair| pair.add_go_between(created_s));
    let merged = pair.tool();
    assert_ne!(merged, control, "the merge must be seen at the tool");
    pair.separate();
    pair.push();
    assert!(!pair.is_one_person(ADA, ANNA));
    assert_eq!(pair.tool(), control);
    pair.revoke("1");
    pair.push();
    assert!(pair.is_one_person(ADA, ANNA));
    assert_eq!(pair.tool(), merged);
    // And once more, so that a revocation does not spoil a later statement.
    pair.separate();
    pair.push();
    assert_eq!(pair.tool(), control);
}

#[test]
fn a_link_of_two_strangers_is_pushed_and_its_revocation_leaves_nothing_of_it() {
    let pair = Pair::new("");
    pair.push();
    let strangers = pair.tool();
    let link = [
        "identity",
        "link",
        ADA,
        MIA,
        "--reason",
        "told at the counter",
    ];
    pair.hub.run(&link).ends_with(0);
    pair.push();
    assert!(pair.is_one_person(ADA, MIA));
    assert_ne!(pair.tool(), strangers, "the link must be seen at the tool");
    let status = pair.hub.json(&["status"]);
    assert_eq!(status["people"], 2);
    pair.revoke("1");
    pair.push();
    assert!(!pair.is_one_person(ADA, MIA));
    assert_eq!(pair.tool(), strangers);
}
