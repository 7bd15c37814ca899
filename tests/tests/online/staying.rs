//! Show 8: what `cargo xtask demo --stay` ends with.

use super::{basic, pause, post};
use crate::hub::{Hub, beside_program};
use onefold_tests::stay::{KEY, Staying};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn shows_8_a_demo_that_stays_takes_events_and_ends_in_good_order() {
    let hub = Hub::new();
    hub.write(
        "hub.toml",
        "[hub]\nname = \"demo\"\nstore = \"sqlite:demo.db\"\n",
    );
    let mut onefold = Command::new(beside_program("onefold"));
    onefold.env("ONEFOLD_CACHE", beside_program("test-cache"));
    onefold.stdout(Stdio::null()).stderr(Stdio::null());
    let visitors = vec!["ada@mail.example".to_owned()];
    let staying = Staying::start(onefold, hub.path(), visitors).unwrap();
    let authorization = format!("authorization: Basic {}", basic(KEY));
    // As curl sends it.
    let form = "content-type: application/x-www-form-urlencoded";
    let port = staying.address.port();
    let own = br#"{"userId": "me", "event": "Demo Seen"}"#;
    let answer = post(port, "/v1/track", &[&authorization, form], own);
    assert_eq!(answer.unwrap().status, 200);
    let begun = Instant::now();
    let has = |query: &str| hub.number("demo.db", query) > 0;
    while staying.sent() == 0
        || !has("select count(*) from event where name = 'Page Viewed'")
        || !has("select count(*) from event where name = 'Demo Seen'")
    {
        assert!(begun.elapsed() < Duration::from_secs(60), "no events");
        pause();
    }
    assert_eq!(staying.stop().unwrap().code(), Some(0));
    hub.run(&["profile", "show", "user_id:me", "--why"])
        .ends_with(0);
}
