//! The same expressions at random, many in one manifest, through the program's `check` and `run` as an operator would have them (X3, X4).

use super::hostile::{asked, expression};
use super::{rewritten, short};
use crate::guests::peak::Peak;
use crate::hub::{Hub, Ran};
use onefold_tests::population::Draw;
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Expressions of one manifest, each the mapping of a stream of its own: a record of which one cannot be worked out goes no further.
const TOGETHER: u64 = 500;
/// One in so many streams has large records.
const LARGE: u64 = 8;
/// Eight records of each stream, each with an evaluation that ends within 50 ms; and as much again for a machine with other work to do.
const LONGEST: Duration = Duration::from_secs(400);

/// `ONEFOLD_EXPRESSIONS` makes the run longer, `ONEFOLD_SEED` repeats one.
#[test]
fn x4_no_expression_at_random_ends_check_or_run() {
    let _peak = Peak::of("x4");
    let count = asked("ONEFOLD_EXPRESSIONS").unwrap_or(TOGETHER / 5);
    let seed = asked("ONEFOLD_SEED").unwrap_or(20_261_130);
    let mut sums = Sums::default();
    for first in (0..count).step_by(TOGETHER as usize) {
        let numbers = first..count.min(first + TOGETHER);
        let lines = numbers.map(|number| {
            let mut draw = Draw::new(seed ^ number.wrapping_mul(0x9e37_79b9));
            (number, toml(&expression(&mut draw)))
        });
        sums.go_through(lines.collect());
    }
    println!("seed {seed}, {count} expressions: {sums:?}");
}

#[derive(Debug, Default)]
struct Sums {
    refused: usize,
    run: usize,
    letters: u64,
    slowest_check: Duration,
    slowest_run: Duration,
}

impl Sums {
    fn go_through(&mut self, mut lines: Vec<(u64, String)>) {
        let hub = Hub::new();
        std::fs::create_dir(hub.path().join("connectors")).unwrap();
        std::fs::write(hub.path().join("connectors/mapper.wasm"), component()).unwrap();
        write(&hub, &lines);
        let started = Instant::now();
        let checked = ended(&hub, &["--json", "check"], &lines);
        self.slowest_check = self.slowest_check.max(started.elapsed());
        let refused = refused(&checked);
        self.refused += refused.len();
        let mut line = 0;
        lines.retain(|_| {
            line += 1;
            !refused.contains(&line)
        });
        write(&hub, &lines);
        hub.run(&["check"]).ends_with(0);
        let started = Instant::now();
        let ran = ended(&hub, &["run"], &lines);
        self.slowest_run = self.slowest_run.max(started.elapsed());
        assert!(matches!(ran.code, Some(0 | 1)), "{}", short(&ran));
        self.run += lines.len();
        let letters = hub.json(&["status"])["dead_letters"].as_u64();
        self.letters += letters.expect("a number");
    }
}

/// A copy of the guest with as many streams as there are expressions.
fn component() -> Vec<u8> {
    let streams = (0..TOGETHER).map(|at| {
        json!({ "name": stream(at), "title": "Kinds", "primary_key": ["id"], "schema": { "type": "object" } })
    });
    let manifest = json!({ "name": "mapper", "title": "Mapper", "version": "1.0.0", "streams": streams.collect::<Vec<_>>() });
    rewritten(
        r#"{"name":"mapper","title":"Mapper""#,
        &manifest.to_string(),
    )
}

fn stream(at: u64) -> String {
    let size = if at.is_multiple_of(LARGE) { "w" } else { "k" };
    format!("{size}{at}")
}

/// Writes the manifest, an expression to a line from the second line on.
fn write(hub: &Hub, lines: &[(u64, String)]) {
    let mut streams = String::new();
    for (number, text) in lines {
        let name = stream(number % TOGETHER);
        let mapping = format!(
            "{{ name = \"{name}\", to = \"person\", key = \"id\", map = {{ last_name = {text} }} }}"
        );
        writeln!(streams, "{mapping},").unwrap();
    }
    let hub_table = "[hub]\nname = \"acme\"\nstore = \"sqlite:acme.db\"\n";
    hub.write("hub.toml", &format!("source = [{{ name = \"crm\", connector = \"mapper\", stream = [\n{streams}] }}]\n{hub_table}"));
}

/// A text as TOML writes it.
fn toml(text: &str) -> String {
    serde_json::to_string(text)
        .unwrap()
        .replace('\u{7f}', "\\u007F")
}

/// Runs a command that has to end by itself, soon.
fn ended(hub: &Hub, arguments: &[&str], lines: &[(u64, String)]) -> Ran {
    let started = Instant::now();
    let ran = hub.run(arguments);
    let took = started.elapsed();
    let (first, last) = (
        lines.first().map(|one| one.0),
        lines.last().map(|one| one.0),
    );
    assert!(
        ran.code.is_some() && took < LONGEST,
        "{first:?} to {last:?}, {took:?}: {}",
        short(&ran)
    );
    ran
}

/// The expressions, from 1 on, that `check` has something against: each has a line after the first one.
fn refused(checked: &Ran) -> BTreeSet<usize> {
    let problems = checked.json();
    let problems = problems["problems"].as_array().unwrap().clone();
    let errors = problems.iter().filter(|one| one["severity"] == "error");
    errors
        .map(|one| one["file"]["line"].as_u64().unwrap() as usize - 1)
        .collect()
}
