//! Expressions at random over MiniJinja's grammar, made to be deep, long and large, against records of the same kind (X3, X4).
//! A process of its own goes through them, on a small stack, so that an abort is a failure with its seed and not the end of
//! all tests.

use onefold::expression::Expression;
use onefold_tests::population::Draw;
use serde_json::{Value, json};
use std::fmt::Write;
use std::process::Command;
use std::time::Duration;

/// Half of what the hub's own threads have.
const STACK_BYTES: usize = 1 << 20;
/// Of the processor, so that a machine with other work to do changes nothing.
const LONGEST: Duration = Duration::from_millis(250);
/// What one compilation or one evaluation may add to the memory of the process.
const MEMORY_BYTES: u64 = 128 << 20;

const NAME: &str = "guests::expressions::hostile::x4_no_expression_at_random_ends_the_process";

/// `ONEFOLD_EXPRESSIONS` makes the run longer, `ONEFOLD_SEED` repeats one; `ONEFOLD_FIRST` skips those before.
#[allow(
    clippy::disallowed_methods,
    reason = "a test is asked for more cases from outside"
)]
pub fn asked(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn x4_no_expression_at_random_ends_the_process() {
    let count = asked("ONEFOLD_EXPRESSIONS").unwrap_or(2_000);
    let seed = asked("ONEFOLD_SEED").unwrap_or(20_261_130);
    if asked("ONEFOLD_INSIDE").is_some() {
        let first = asked("ONEFOLD_FIRST").unwrap_or(0);
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let all = thread.spawn(move || go_through(seed, first, count, |line| println!("{line}")));
        return all.unwrap().join().unwrap();
    }
    println!("seed {seed}, {count} expressions");
    let inside = Command::new(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture", "--test-threads=1"])
        .env("ONEFOLD_INSIDE", "1")
        .env("ONEFOLD_SEED", seed.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&inside.stdout);
    let last: String = said.lines().rev().take(3).collect::<Vec<_>>().join("\n");
    let end = String::from_utf8_lossy(&inside.stderr);
    let end: String = end.chars().take(4_000).collect();
    assert!(
        inside.status.success(),
        "seed {seed}: {}\n{last}\n{end}",
        inside.status
    );
    let sum = said.lines().find(|line| line.starts_with("compiled "));
    println!("{}", sum.expect("it says what it did"));
}

fn go_through(seed: u64, first: u64, count: u64, say: impl Fn(String)) {
    let records = records();
    // The table of the world's telephone numbers is read once.
    let warm = Expression::parse("'+48600123456'|phone").unwrap();
    warm.eval(&json!({}), None).unwrap();
    let mut beyond = Vec::new();
    let (mut compiled, mut given, mut ended) = (0, 0, 0);
    let (mut slowest, mut largest) = (Duration::ZERO, 0);
    for number in first..count {
        let mut draw = Draw::new(seed ^ number.wrapping_mul(0x9e37_79b9));
        let text = expression(&mut draw);
        // The last line before an abort says which it was.
        let shown: String = text.chars().take(300).collect();
        say(format!("{number} {shown:?}"));
        let mut meter = Meter::start();
        let parsed = Expression::parse(&text);
        let mut peaks = vec![meter.stop()];
        if let Ok(parsed) = parsed {
            compiled += 1;
            for _ in 0..2 {
                let record = &records[draw.below(records.len())];
                meter = Meter::start();
                let result = parsed.eval(record, Some("PL"));
                peaks.push(meter.stop());
                given += u64::from(result.is_ok());
                let why = result.map_or_else(|failure| failure.to_string(), |_| String::new());
                ended += u64::from(why.contains("more than"));
            }
        }
        for (time, bytes) in peaks {
            if time > LONGEST || bytes > MEMORY_BYTES {
                beyond.push(format!("{number}: {time:?}, {} KiB: {shown}", bytes >> 10));
            }
            slowest = slowest.max(time);
            largest = largest.max(bytes);
        }
    }
    assert!(beyond.is_empty(), "{}", beyond.join("\n"));
    say(format!(
        "compiled {compiled} of {}, {given} values, {ended} ended by a bound; at most {} ms and {} KiB",
        count - first,
        slowest.as_millis(),
        largest >> 10
    ));
}

/// The time, and how far the memory of the process rises above where it was.
struct Meter {
    start: Duration,
    before: u64,
}

impl Meter {
    fn start() -> Meter {
        // Sets the highest mark back to what is in use now.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        Meter {
            before: kilobytes("VmRSS:") << 10,
            start: processor(),
        }
    }

    fn stop(&self) -> (Duration, u64) {
        let time = processor().saturating_sub(self.start);
        (
            time,
            (kilobytes("VmHWM:") << 10).saturating_sub(self.before),
        )
    }
}

/// What this thread has used of the processor; none of it where there is no `/proc`.
fn processor() -> Duration {
    let used = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = used.split(' ').next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

/// None of it where there is no `/proc`.
fn kilobytes(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|one| one.strip_prefix(line));
    let number = found.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

fn nested(depth: usize, inner: Value) -> Value {
    (0..depth).fold(inner, |inner, level| match level % 2 {
        0 => json!([inner]),
        _ => json!({ "a": inner }),
    })
}

fn records() -> Vec<Value> {
    let wide: Vec<Value> = (0..30_000).map(|number| json!(number % 7_000)).collect();
    let words: Vec<String> = (0..10_000).map(|number| format!("İ{number}ß")).collect();
    let keys: serde_json::Map<String, Value> = (0..5_000)
        .map(|number| (format!("k{number}"), json!("x")))
        .collect();
    vec![
        json!({}),
        json!({ "a": "Ada", "b": { "c": "x", "a": 3 }, "c": [1, "2", null, [3]], "n": 12.5 }),
        json!({ "a": nested(120, json!("x")), "b": { "c": nested(119, json!(1)) }, "c": [nested(100, json!(null))] }),
        json!({ "a": "a".repeat(1 << 20), "b": { "c": "ßİa,".repeat(200_000) }, "c": " a".repeat(400_000), "n": "9".repeat(300_000) }),
        json!({ "a": wide.clone(), "b": { "c": words.clone(), "a": keys.clone() }, "c": [wide, words, keys], "n": 3 }),
        json!({ "a": i64::MIN, "b": { "c": u64::MAX }, "c": -0.0, "n": 1e308 }),
        json!({ "a": "", "b": [], "c": {}, "n": null }),
        json!({ "a": "+48600123456@x.example".repeat(20_000), "b": "2024-01-01T00:00:00".repeat(20_000), "c": "1.000,5".repeat(50_000) }),
    ]
}

const LEAVES: &[&str] = &[
    "a",
    "b",
    "c",
    "n",
    "b.c",
    "b.a",
    "c[0]",
    "c[1]",
    "'a'",
    "\"\"",
    "'ab,cd'",
    "1",
    "0",
    "-1",
    "1.5",
    "1e300",
    "1e-300",
    "100000000",
    "9223372036854775807",
    "0x7fff",
    "true",
    "none",
    "[]",
    "{}",
    "()",
    "'\\n'",
    "'ß'",
    "99999",
    "1000",
];
const BINARY: &[&str] = &[
    "+", "-", "*", "*", "/", "//", "%", "**", "~", "~", "==", "!=", "<", "<=", ">", ">=", "and",
    "or", "in", "not in", "if", "*", "+",
];
const FILTERS: &[&str] = &[
    "abs",
    "capitalize",
    "d",
    "default",
    "first",
    "float",
    "int",
    "join",
    "last",
    "length",
    "list",
    "replace",
    "round",
    "split",
    "title",
    "unique",
    "email",
    "phone",
    "country",
    "timestamp",
    "date",
    "number",
    "minor_units",
    "to_minor_units",
    "lower",
    "upper",
    "trim",
    "sha256",
];
const TESTS: &[&str] = &[
    "boolean",
    "defined",
    "endingwith",
    "false",
    "integer",
    "mapping",
    "none",
    "number",
    "sequence",
    "startingwith",
    "string",
    "true",
    "undefined",
];

pub fn expression(draw: &mut Draw) -> String {
    match draw.below(10) {
        0 => tower(draw),
        1 => soup(draw),
        2 => {
            // Where a part of one comes out of another.
            let depth = 2 + draw.below(3);
            let (mut text, more) = (grown(draw, depth), grown(draw, depth));
            let at = (0..=text.len())
                .rev()
                .find(|at| text.is_char_boundary(*at) && *at <= text.len() / 2);
            text.insert_str(at.unwrap_or(0), &more);
            text
        }
        _ => {
            let depth = 1 + draw.below(7);
            grown(draw, depth)
        }
    }
}

/// One form over and over, a little or far beyond what is allowed.
fn tower(draw: &mut Draw) -> String {
    let times = draw.pick(&[
        3, 12, 24, 33, 49, 60, 98, 99, 100, 101, 150, 400, 1_300, 30_000,
    ]);
    let inner = grown(draw, 1);
    let other = draw.pick(LEAVES);
    let before = draw.pick(&[
        "-",
        "not ",
        "(",
        "[",
        "{a:",
        "a if b else ",
        "1if 1else ",
        "a|default(",
        "- -",
        "('a',",
        "a is startingwith -",
        "[a][",
        "a * (",
        "a ~ (",
        "a + (",
        "f(*",
        "{'a': [",
    ]);
    if draw.chance(50) {
        let opened: usize = before.bytes().filter(|byte| b"([{".contains(byte)).count();
        let closing: String = before
            .chars()
            .rev()
            .filter_map(|open| match open {
                '(' => Some(')'),
                '[' => Some(']'),
                '{' => Some('}'),
                _ => None,
            })
            .collect();
        let close = closing.repeat(if opened == 0 { 0 } else { times });
        return format!("{}{inner}{close}", before.repeat(times));
    }
    let after = match draw.below(9) {
        0 => ".a".to_owned(),
        1 => "[0]".to_owned(),
        2 => "[1:]".to_owned(),
        3 => "[:-1]".to_owned(),
        4 => "()".to_owned(),
        5 => format!("|{}", filter(draw, 0)),
        6 => format!(" is {}", draw.pick(TESTS)),
        _ => format!(" {} {other}", draw.pick(BINARY)),
    };
    format!("{inner}{}", after.repeat(times))
}

/// Tokens without any order.
fn soup(draw: &mut Draw) -> String {
    let mut text = String::new();
    for _ in 0..draw.below(60) {
        let part = match draw.below(5) {
            0 => draw.pick(LEAVES),
            1 => draw.pick(BINARY),
            2 => draw.pick(FILTERS),
            3 => draw.pick(&[
                "(", ")", "[", "]", "{", "}", ",", ":", "|", ".", "=", "is", "not",
            ]),
            _ => draw.pick(&[
                "'", "\"", "\\", "é", "🦀", "\u{0}", "}}", "{{", "%}", "\n", "#", "if", "else",
            ]),
        };
        text.push_str(part);
        if draw.chance(60) {
            text.push(' ');
        }
    }
    text
}

fn filter(draw: &mut Draw, depth: usize) -> String {
    let name = draw.pick(FILTERS);
    let mut text = name.to_owned();
    let arguments = match name {
        "replace" => 2,
        "join" | "split" | "default" | "to_minor_units" | "minor_units" => 1,
        "round" | "int" | "unique" | "list" => draw.below(2),
        _ => 0,
    };
    if arguments > 0 {
        text.push('(');
        for at in 0..arguments {
            if at > 0 {
                text.push_str(", ");
            }
            let argument = grown(draw, depth.min(3));
            let _ = match (name, draw.below(6)) {
                ("unique", 0) => write!(text, "attribute=({argument})"),
                ("join", 0) => write!(text, "attribute=({argument})"),
                ("default", 0) => write!(text, "*[{argument}]"),
                _ => write!(text, "{argument}"),
            };
        }
        text.push(')');
    }
    text
}

fn grown(draw: &mut Draw, depth: usize) -> String {
    if depth == 0 || draw.chance(8) {
        return draw.pick(LEAVES).to_owned();
    }
    let one = |draw: &mut Draw| {
        let inner = grown(draw, depth - 1);
        match draw.chance(70) {
            true => format!("({inner})"),
            false => inner,
        }
    };
    match draw.below(16) {
        0..=4 => {
            let (left, right) = (one(draw), one(draw));
            match draw.pick(BINARY) {
                "if" => format!("{left} if {right} else {}", one(draw)),
                sign => format!("{left} {sign} {right}"),
            }
        }
        5..=8 => {
            let left = one(draw);
            format!("{left}|{}", filter(draw, depth - 1))
        }
        9 => format!("not {}", one(draw)),
        10 => format!("-{}", one(draw)),
        11 => format!("{} is {}", one(draw), draw.pick(TESTS)),
        12 => format!("[{}, {}]", one(draw), one(draw)),
        13 => format!("{{{}: {}}}", one(draw), one(draw)),
        14 => format!("{}[{}]", one(draw), one(draw)),
        _ => format!("{}[{}:{}]", one(draw), one(draw), one(draw)),
    }
}
