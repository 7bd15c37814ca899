//! Rules that change over the whole history of the demo hub: shown first, applied, killed half-way, and taken back.

use crate::hub::{Hub, State};
use onefold_tests::demo::{AUDIENCE, World};
use onefold_tests::population::Draw;
use onefold_tests::vendors::time::Clock;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

const PEOPLE: usize = 2_000;
const STORE: &str = "demo.db";
/// One address, one number and one id of each source a person, and values are shared as soon as two have them.
const STRICT: &str = "[identity]\nlimits = { external = 1 }\n";

struct Demo {
    hub: Hub,
    _world: World,
}

fn demo() -> Demo {
    let world = World::start(7, PEOPLE, Clock::System.now_ms()).unwrap();
    let hub = Hub::demo(&world);
    // Some made-up records do not fit, which is not what this is about.
    hub.run(&["run", "--no-delivery"]).ends_with(1);
    hub.write("strict.rules", STRICT);
    hub.write("usual.rules", "[identity]\n");
    Demo { hub, _world: world }
}

impl Demo {
    fn state(&self) -> State {
        self.hub.state(STORE, &[AUDIENCE])
    }

    fn rules(&self, command: &str, file: &str) -> Value {
        let path = self.hub.path().join(file).display().to_string();
        self.hub.json(&["identity", command, "--rules", &path])
    }
}

fn ids(state: &State) -> BTreeSet<&String> {
    state.people.keys().collect()
}

// I2, I6
#[test]
fn a_changed_limit_is_shown_applied_and_taken_back_with_every_id() {
    let demo = demo();
    let before = demo.state();
    assert_eq!(before.people.len(), PEOPLE);

    let shown = demo.rules("simulate", "strict.rules");
    assert!(shown["splits"].as_i64().unwrap() > 0, "{shown}");
    assert_eq!(shown["examples"].as_array().unwrap().len(), 20);
    assert_eq!(demo.state(), before, "nothing may be touched by looking");
    let path = demo.hub.path().join("strict.rules").display().to_string();
    let text = demo.hub.run(&["identity", "simulate", "--rules", &path]);
    let text = text.ends_with(0).stdout;
    assert!(
        text.starts_with("would be: 2,000 people before, "),
        "{text}"
    );
    println!("{text}");

    let applied = demo.rules("apply", "strict.rules");
    assert_eq!(applied, shown, "what was shown is what happened");
    let strict = demo.state();
    let more = applied["people_after"].as_u64().unwrap() as usize;
    assert_eq!(strict.people.len(), more);
    assert_ne!(strict, before);
    // The id of the person who is gone keeps resolving.
    let gone: Vec<&String> = ids(&before)
        .difference(&ids(&strict))
        .copied()
        .take(5)
        .collect();
    for id in gone {
        let id = uuid::Uuid::parse_str(id).unwrap();
        let shown = demo.hub.run(&["profile", "show", &format!("id:{id}")]);
        shown.ends_with(0);
    }
    assert!(demo.rules("simulate", "strict.rules")["touched"] == 0);

    // A run goes on by the rules that were applied, and says that the manifest has others.
    let ran = demo.hub.run(&["status"]).ends_with(0);
    assert!(ran.stderr.contains("OF0601"), "{}", ran.stderr);

    let back = demo.rules("apply", "usual.rules");
    assert_eq!(back["people_after"], PEOPLE);
    assert_eq!(demo.state(), before, "every id, value and member is back");
}

// I9
#[test]
fn a_change_of_rules_that_is_killed_is_finished_by_the_next_command_that_writes() {
    let undisturbed = demo();
    undisturbed.rules("apply", "strict.rules");
    let wanted = undisturbed.state();

    let demo = demo();
    let path = demo.hub.path().join("strict.rules").display().to_string();
    let mut draw = Draw::new(20_260_301);
    let mut kills = 0;
    for _ in 0..8 {
        let mut child = demo.hub.spawn(&["identity", "apply", "--rules", &path]);
        demo.hub.runtime.block_on(async {
            let moment = Duration::from_millis(20 + draw.below(200) as u64);
            tokio::select! {
                () = tokio::time::sleep(moment) => {
                    child.kill().await.unwrap();
                    kills += 1;
                }
                _ = child.wait() => {}
            }
        });
    }
    assert!(kills > 0, "at least one must be killed before its end");
    let pending = "select count(*) from hub where name = 'identity_rules_next'";
    let before = demo.hub.number(STORE, pending);
    demo.hub.run(&["status"]).ends_with(0);
    assert_eq!(
        demo.hub.number(STORE, pending),
        before,
        "who reads changes nothing"
    );
    demo.hub.run(&["dead-letters", "retry"]).ends_with(0);
    assert_eq!(demo.hub.number(STORE, pending), 0);
    demo.rules("apply", "strict.rules");
    assert_eq!(demo.state(), wanted);
}
