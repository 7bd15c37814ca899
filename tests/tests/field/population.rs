//! Everything at once: a small town known to three vendors, on two days.

use crate::hub::Hub;
use onefold_tests::demo::{AUDIENCE, Day, REFUNDED, World, applied_twice, difference};
use onefold_tests::vendors::time::Clock;

fn agrees(hub: &Hub, world: &World, day: Day) {
    let truth = world.truth(day);
    let size = |audience: &str| {
        let shown = hub.json(&["audience", "show", audience, "--limit", "0"]);
        shown["size"].as_u64().unwrap() as usize
    };
    let people = hub.json(&["status"])["people"].as_u64().unwrap();
    assert_eq!(people as usize, truth.people.len());
    assert_eq!(size(AUDIENCE), truth.lapsed_vip.len());
    assert_eq!(difference(&world.audience(), &truth.in_newsletter), None);
    assert_eq!(world.wrong_names(day), [""; 0]);
    if day == Day::Next {
        assert_eq!(size(REFUNDED), truth.refunded);
    }
    let before = world.writes().len();
    hub.run(&["run"]);
    assert_eq!(world.writes().len(), before, "nothing is sent twice");
    assert_eq!(applied_twice(&world.writes()), [""; 0]);
}

// F2, F3, F6, F7, F11, E1
#[test]
fn couples_guests_merges_archived_refusals_refunds_and_echoes_end_as_they_truly_are() {
    let world = World::start(11, 500, Clock::System.now_ms()).unwrap();
    let hub = Hub::demo(&world);
    // Some made-up records do not fit.
    hub.run(&["run"]).ends_with(1);
    agrees(&hub, &world, Day::First);
    world.next_day();
    world.write_next_day(hub.path()).unwrap();
    hub.run(&["run"]).ends_with(0);
    agrees(&hub, &world, Day::Next);
}
