//! I9: killed at any moment and started again, the hub loses nothing and repeats nothing. Also answers that are lost
//! on the way, which look to the hub as if its request had failed.

use crate::hub::{Hub, State};
use onefold_tests::demo::{AUDIENCE, World, applied_twice, difference};
use onefold_tests::population::Draw;
use onefold_tests::vendors::Fault;
use onefold_tests::vendors::mailchimp::Snapshot;
use onefold_tests::vendors::time::Clock;
use std::time::Duration;
use tokio::sync::mpsc;

const PEOPLE: usize = 300;
const STORE: &str = "demo.db";

/// What can be compared when all is done: the hub's people, and the vendor's side.
fn outcome(hub: &Hub, world: &World) -> (State, Snapshot) {
    let state = hub.state(STORE, &[AUDIENCE]);
    (
        state,
        world.mailchimp.with(|mailchimp| mailchimp.snapshot()),
    )
}

/// A world of the same people each time, in which nothing but the hub writes.
fn world(now_ms: i64) -> World {
    World::start(7, PEOPLE, now_ms).unwrap()
}

fn undisturbed(now_ms: i64) -> (State, Snapshot) {
    let world = world(now_ms);
    let hub = Hub::demo(&world);
    // Two runs: what the first one wrote at Mailchimp is read back by the second.
    hub.run(&["run"]).ends_with(1);
    hub.run(&["run"]).ends_with(0);
    let outcome = outcome(&hub, &world);
    assert_eq!(outcome.0.people.len(), PEOPLE);
    assert_eq!(
        difference(&world.audience(), &world.population.truth.in_newsletter),
        None
    );
    outcome
}

/// Kills the program a random time after it made the given number of requests whose line contains `matching`.
/// False when it came to its end before.
fn killed(
    hub: &Hub,
    requests: &mut mpsc::Receiver<String>,
    matching: &str,
    nth: usize,
    then: Duration,
) -> bool {
    while requests.try_recv().is_ok() {}
    let mut child = hub.spawn(&["run"]);
    hub.runtime.block_on(async {
        let moment = async {
            let mut left = nth;
            while left > 0 {
                let line = requests.recv().await.unwrap();
                left -= usize::from(line.contains(matching));
            }
            tokio::time::sleep(then).await;
        };
        tokio::select! {
            () = moment => {}
            _ = child.wait() => return false,
        }
        child.kill().await.unwrap();
        true
    })
}

#[test]
fn killed_at_ten_random_moments_it_ends_where_an_undisturbed_run_ends() {
    let now_ms = Clock::System.now_ms();
    let reference = undisturbed(now_ms);
    let world = world(now_ms);
    let hub = Hub::demo(&world);
    let (tell, mut requests) = mpsc::channel(10_000);
    world.hubspot.tell(tell.clone());
    world.stripe.tell(tell.clone());
    world.mailchimp.tell(tell);
    let mut draw = Draw::new(20_260_101);
    let mut kills = 0;
    let mut while_writing = 0;
    for attempt in 0.. {
        assert!(
            attempt < 40,
            "only {kills} of {attempt} runs could be killed"
        );
        if kills == 10 {
            break;
        }
        // At first while reading, then while delivering.
        let writing = kills >= 5;
        let (matching, nth) = match writing {
            false => ("", 1 + draw.below(24)),
            true => ("POST /3.0/", 1 + draw.below(2)),
        };
        let then = Duration::from_micros(draw.below(20_000) as u64);
        if killed(&hub, &mut requests, matching, nth, then) {
            kills += 1;
            while_writing += usize::from(writing);
        }
    }
    assert_eq!(while_writing, 5);
    hub.run(&["run"]);
    hub.run(&["run"]).ends_with(0);
    assert_eq!(applied_twice(&world.writes()), Vec::<String>::new());
    let found = outcome(&hub, &world);
    assert_eq!(found.0.dead_letters, reference.0.dead_letters);
    assert!(
        found == reference,
        "people, members or Mailchimp's list differ from the undisturbed run's"
    );
}

#[test]
fn a_write_whose_answer_is_lost_is_not_applied_again() {
    let now_ms = Clock::System.now_ms();
    let reference = undisturbed(now_ms);
    let world = world(now_ms);
    let hub = Hub::demo(&world);
    world
        .mailchimp
        .fail_next(2, "POST /3.0/", Fault::AnswerLost);
    hub.run(&["run"]).ends_with(1);
    hub.run(&["run"]).ends_with(0);
    let lost = world.mailchimp.requests();
    assert_eq!(
        lost.iter()
            .filter(|request| request.fault.is_some())
            .count(),
        2
    );
    assert_eq!(applied_twice(&world.writes()), Vec::<String>::new());
    assert!(outcome(&hub, &world) == reference);
}
