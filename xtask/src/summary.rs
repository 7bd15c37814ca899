//! Reads the lines of cargo's test runner and counts tests by kind.
//!
//! The kind is in the test's path: a module `properties` or `snapshots` says so, the rest of the tests package is
//! end to end (its rules about the house aside), and everything else is a unit test. A check that cannot run prints
//! `skipped: WHAT (needs …)`, once in its test, and then counts as skipped and not as passed.

use std::collections::BTreeMap;
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Unit,
    Property,
    Snapshot,
    EndToEnd,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Unit, Self::Property, Self::Snapshot, Self::EndToEnd];

    fn title(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Property => "property",
            Self::Snapshot => "snapshot",
            Self::EndToEnd => "end to end",
        }
    }

    /// `whole` is true in the binary of the tests package, where hub, connectors and vendors meet.
    fn of(path: &str, whole: bool) -> Self {
        let mut modules: Vec<&str> = path.split("::").collect();
        modules.pop();
        if modules.contains(&"properties") {
            Self::Property
        } else if modules.contains(&"snapshots") {
            Self::Snapshot
        } else if whole && modules.first() != Some(&"tidy") {
            Self::EndToEnd
        } else {
            Self::Unit
        }
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    /// A test that skipped its check ends well in the runner's eyes, so a skip takes one away first.
    passed: isize,
    failed: isize,
    skipped: isize,
}

/// What the runner says when a binary is done.
#[derive(Debug)]
struct Closing {
    binary: String,
    line: String,
}

#[derive(Debug, Default)]
pub struct Summary {
    counts: BTreeMap<Kind, Counts>,
    /// Whether the binary that runs now is that of the tests package.
    whole: bool,
    /// What the runner calls the binary that runs now.
    binary: String,
    /// The start of a line that a skipped check broke in two.
    carried: String,
    skips: Vec<String>,
    failures: Vec<String>,
    /// What failed tests printed, by binary: the runner shows it in the middle of everything else.
    printed: Vec<String>,
    /// Whether the runner is showing that now.
    shows_failures: bool,
    closing: Vec<Closing>,
}

const SKIPPED: &str = "skipped: ";

/// Lines of each failed test's output that are shown again.
const SHOWN_AGAIN: usize = 60;

impl Summary {
    /// Takes one line of the runner and gives back what to show now: all but its closing lines.
    pub fn read(&mut self, line: &str) -> Option<String> {
        let line = format!("{}{line}", std::mem::take(&mut self.carried));
        if let Some(at) = line
            .find(SKIPPED)
            .filter(|at| *at == 0 || line.starts_with("test "))
        {
            self.carried = line[..at].to_owned();
            self.skip(&line[at..]);
            return Some(line[at..].to_owned());
        }
        let trimmed = line.trim_start();
        self.listen(&line);
        if let Some(binary) = trimmed.strip_prefix("Running ") {
            self.whole = binary.starts_with("tests/");
            self.binary = name_of(binary);
        } else if trimmed.starts_with("Doc-tests ") {
            self.whole = false;
            self.binary = trimmed.to_owned();
        } else if line.starts_with("test result: ") {
            self.closing.push(Closing {
                binary: self.binary.clone(),
                line,
            });
            return None;
        } else if let Some(test) = line.strip_prefix("test ") {
            self.result(test);
        }
        Some(line)
    }

    /// Keeps what failed tests printed, without the frames of backtraces.
    fn listen(&mut self, line: &str) {
        if line.starts_with("---- ") && line.ends_with(" ----") {
            self.shows_failures = true;
        } else if line == "failures:" {
            self.shows_failures = false;
        }
        let trimmed = line.trim_start();
        let is_frame = trimmed.starts_with("at ") && trimmed.len() < line.len()
            || trimmed
                .split_once(": ")
                .is_some_and(|(at, _)| at.parse::<u16>().is_ok());
        if self.shows_failures && !is_frame && !line.is_empty() {
            self.printed.push(line.to_owned());
        }
    }

    /// What failed tests printed, the beginning of each.
    pub fn printed(&self) -> impl Iterator<Item = &str> {
        let by_test = self.printed.chunk_by(|_, next| !next.starts_with("---- "));
        by_test.flat_map(|lines| lines.iter().take(SHOWN_AGAIN).map(String::as_str))
    }

    fn skip(&mut self, line: &str) {
        let kind = if self.whole {
            Kind::EndToEnd
        } else {
            Kind::Unit
        };
        let counts = self.counts.entry(kind).or_default();
        counts.passed -= 1;
        counts.skipped += 1;
        self.skips.push(line.to_owned());
    }

    fn result(&mut self, test: &str) {
        let Some((name, result)) = test.split_once(" ... ") else {
            return;
        };
        let path = name.split(" - ").next().unwrap_or(name);
        let counts = self.counts.entry(Kind::of(path, self.whole)).or_default();
        match result.split([' ', ',']).next() {
            Some("ok") => counts.passed += 1,
            Some("FAILED") => {
                counts.failed += 1;
                self.failures.push(name.to_owned());
            }
            Some("ignored") => {
                counts.skipped += 1;
                self.skips.push(format!(
                    "{SKIPPED}{name} (needs to be asked for: it is marked `ignore`)"
                ));
            }
            _ => {}
        }
    }

    pub fn skipped(&self) -> usize {
        self.skips.len()
    }

    /// Whether any test came to an end.
    pub fn anything_ran(&self) -> bool {
        self.counts
            .values()
            .any(|counts| counts.passed + counts.failed + counts.skipped > 0)
    }

    /// The runner's closing lines, each under the name of its binary; not those of binaries without a test.
    pub fn closing(&self) -> Vec<&str> {
        let empty = |closing: &&Closing| closing.line.contains(" 0 passed; 0 failed; 0 ignored;");
        let full = self.closing.iter().filter(|closing| !empty(closing));
        full.flat_map(|closing| [closing.binary.as_str(), closing.line.as_str()])
            .collect()
    }
}

/// `tests/main.rs (onefold_tests)` for `tests/main.rs (target/debug/deps/onefold_tests-0123)`
fn name_of(binary: &str) -> String {
    let Some((what, file)) = binary.split_once(" (") else {
        return binary.to_owned();
    };
    let stem = file.rsplit(['/', '\\']).next().unwrap_or(file);
    format!(
        "{what} ({})",
        stem.rsplit_once('-').map_or(stem, |(name, _)| name)
    )
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.skips {
            writeln!(f, "{line}")?;
        }
        for name in &self.failures {
            writeln!(f, "failed: {name}")?;
        }
        writeln!(
            f,
            "{:<12} {:>7} {:>7} {:>8}",
            "tests", "passed", "failed", "skipped"
        )?;
        let mut all = Counts::default();
        for kind in Kind::ALL {
            let counts = self.counts.get(&kind).copied().unwrap_or_default();
            all.passed += counts.passed;
            all.failed += counts.failed;
            all.skipped += counts.skipped;
            row(f, kind.title(), counts)?;
        }
        row(f, "all", all)
    }
}

fn row(f: &mut fmt::Formatter<'_>, title: &str, counts: Counts) -> fmt::Result {
    writeln!(
        f,
        "{title:<12} {:>7} {:>7} {:>8}",
        counts.passed.max(0),
        counts.failed,
        counts.skipped
    )
}

#[cfg(test)]
mod tests {
    use super::{Counts, Kind, Summary};

    const RUN: &str = "\
     Running unittests src/lib.rs (target/debug/deps/onefold-12ab)
running 5 tests
test identity::tests::a_shared_phone_joins_nobody ... ok
test identity::properties::order_does_not_matter ... ok
test cli::snapshots::help ... FAILED
test model::tests::a_property_may_be_null ... ok
test model::tests::slow has been running for over 60 seconds

failures:

---- cli::snapshots::help stdout ----

thread 'cli::snapshots::help' panicked at hub/src/cli.rs:7:1:
it says something else
stack backtrace:
   0: __rustc::rust_begin_unwind
             at /rustc/library/std/src/panicking.rs:689:5

failures:
    cli::snapshots::help

test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
     Running tests/main.rs (/elsewhere/debug/deps/main-34cd)
test tidy::the_house_is_tidy ... ok
test vendors::localstripe_answers_alike ... skipped: localstripe (needs python3)
ok
skipped: the Python SDKs (needs python3)
test vendors::the_sdk_reads_every_answer ... ok
test demo::people_equal_the_truth - should panic ... ok
test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
   Doc-tests onefold
test hub/src/model/time.rs - model::Timestamp (line 3) ... ignored
test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";

    fn read() -> (Summary, Vec<String>) {
        let mut summary = Summary::default();
        let shown = RUN.lines().filter_map(|line| summary.read(line)).collect();
        (summary, shown)
    }

    #[test]
    fn tests_are_counted_by_kind() {
        let (summary, _) = read();
        let of = |kind| summary.counts.get(&kind).copied().unwrap_or_default();
        assert_eq!(
            of(Kind::Unit),
            Counts {
                passed: 3,
                failed: 0,
                skipped: 1
            }
        );
        assert_eq!(
            of(Kind::Property),
            Counts {
                passed: 1,
                failed: 0,
                skipped: 0
            }
        );
        assert_eq!(
            of(Kind::Snapshot),
            Counts {
                passed: 0,
                failed: 1,
                skipped: 0
            }
        );
        assert_eq!(
            of(Kind::EndToEnd),
            Counts {
                passed: 1,
                failed: 0,
                skipped: 2
            }
        );
    }

    #[test]
    fn a_check_that_was_skipped_is_named_with_what_it_needs() {
        let (summary, _) = read();
        let skips = [
            "skipped: localstripe (needs python3)",
            "skipped: the Python SDKs (needs python3)",
            "skipped: hub/src/model/time.rs - model::Timestamp (line 3) (needs to be asked for: it is marked `ignore`)",
        ];
        assert_eq!(summary.skips, skips);
        assert_eq!(summary.failures, ["cli::snapshots::help"]);
    }

    #[test]
    fn a_skip_in_the_middle_of_a_line_leaves_the_line_whole() {
        let (_, shown) = read();
        assert!(shown.contains(&"test vendors::localstripe_answers_alike ... ok".to_owned()));
    }

    #[test]
    fn closing_lines_are_held_back_and_the_empty_ones_left_out() {
        let (summary, shown) = read();
        assert!(!shown.iter().any(|line| line.starts_with("test result")));
        let binaries: Vec<_> = summary.closing().into_iter().step_by(2).collect();
        assert_eq!(
            binaries,
            ["unittests src/lib.rs (onefold)", "tests/main.rs (main)"]
        );
    }

    #[test]
    fn what_failed_tests_printed_is_shown_again_without_frames() {
        let (summary, _) = read();
        let printed: Vec<_> = summary.printed().collect();
        assert_eq!(
            printed,
            [
                "---- cli::snapshots::help stdout ----",
                "thread 'cli::snapshots::help' panicked at hub/src/cli.rs:7:1:",
                "it says something else",
                "stack backtrace:",
            ]
        );
    }

    #[test]
    fn a_summary_of_nothing_says_that_nothing_ran() {
        assert!(!Summary::default().anything_ran());
        assert!(read().0.anything_ran());
    }
}
