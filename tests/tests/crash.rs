//! I3, I9: killed at any moment and started again, the hub loses nothing and repeats nothing. Also answers that are lost
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

/// Every third contact gets a new name, so that there is something to deliver.
fn edit(world: &World, round: usize) {
    world.hubspot.with(|hubspot| {
        let now_ms = hubspot.clock.now_ms();
        let ids: Vec<u64> = hubspot.contacts.ids().step_by(3).collect();
        for id in ids {
            let name = format!("Round{round}");
            hubspot.contacts.edit(id, &[("lastname", &name)], now_ms);
        }
    });
}

/// Nothing goes wrong: a run, a run after the contacts changed for the last time, and one that reads back what was
/// written at Mailchimp.
fn undisturbed(now_ms: i64, rounds: usize) -> (State, Snapshot) {
    let world = world(now_ms);
    let hub = Hub::demo(&world);
    hub.run(&["run"]).ends_with(1);
    edit(&world, rounds);
    hub.run(&["run"]).ends_with(0);
    hub.run(&["run"]).ends_with(0);
    let outcome = outcome(&hub, &world);
    assert_eq!(outcome.0.people.len(), PEOPLE);
    let truth = &world.population.truth;
    assert_eq!(difference(&world.audience(), &truth.in_newsletter), None);
    outcome
}

/// Kills the program a random time after it made the given number of requests whose line contains `matching`.
/// False when it ended before.
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
    let world = world(now_ms);
    let hub = Hub::demo(&world);
    let (tell, mut requests) = mpsc::channel(10_000);
    world.hubspot.tell(tell.clone());
    world.stripe.tell(tell.clone());
    world.mailchimp.tell(tell);
    let mut draw = Draw::new(20_260_101);
    let (mut reading, mut writing, mut rounds) = (0, 0, 0);
    while reading + writing < 10 {
        assert!(
            rounds < 40,
            "only {reading} and {writing} runs could be killed"
        );
        // At first while reading, then while delivering what has changed.
        let is_writing = reading == 5;
        let (kills, matching, nth) = match reading {
            0..5 => (&mut reading, "", 1 + draw.below(24)),
            _ => (&mut writing, "POST /3.0/", 1 + draw.below(3)),
        };
        // Every other write is carried out and its answer never read.
        let (nth, moment) = match is_writing && *kills % 2 == 0 {
            true => (2, Duration::ZERO),
            false => (nth, Duration::from_micros(draw.below(20_000) as u64)),
        };
        *kills += usize::from(killed(&hub, &mut requests, matching, nth, moment));
        if reading == 5 {
            rounds += 1;
            edit(&world, rounds);
        }
    }
    hub.run(&["run"]);
    hub.run(&["run"]).ends_with(0);
    assert_eq!(applied_twice(&world.writes()), Vec::<String>::new());
    let found = outcome(&hub, &world);
    let reference = undisturbed(now_ms, rounds);
    assert_eq!(found.0.dead_letters, reference.0.dead_letters);
    assert_eq!(found.1, reference.1);
    assert!(found.0 == reference.0, "people or members differ");
}

#[test]
fn a_write_whose_answer_is_lost_is_not_applied_again() {
    let now_ms = Clock::System.now_ms();
    let world = world(now_ms);
    let hub = Hub::demo(&world);
    let lose = || {
        // The first of the requests makes new members only and is refused for existing ones; the second changes them.
        world
            .mailchimp
            .fail_after(1, 2, "POST /3.0/", Fault::AnswerLost);
    };
    lose();
    hub.run(&["run"]).ends_with(1);
    edit(&world, 1);
    lose();
    hub.run(&["run"]).ends_with(0);
    hub.run(&["run"]).ends_with(0);
    let requests = world.mailchimp.requests();
    let lost = requests.iter().filter(|request| request.fault.is_some());
    // Members changed in both runs, and the audience's tag in the first.
    assert_eq!(lost.count(), 3);
    assert_eq!(applied_twice(&world.writes()), Vec::<String>::new());
    assert!(outcome(&hub, &world) == undisturbed(now_ms, 1));
}
