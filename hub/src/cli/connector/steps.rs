//! Says on standard error what a command does while it lasts: on a terminal one line that moves and goes away, elsewhere one line a
//! step. With `--json` nothing is said, as in `onefold run`.

use crate::cli::output::{Out, number};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

#[derive(Clone)]
pub struct Steps {
    bar: ProgressBar,
    /// Steps are lines, because nothing can move.
    lines: bool,
}

impl Steps {
    pub fn new(out: &Out) -> Self {
        let moves = !out.json && std::io::stderr().is_terminal();
        let bar = match moves {
            true => ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10)),
            false => ProgressBar::hidden(),
        };
        let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Self {
            // A command that fails leaves no line, either.
            bar: bar.with_finish(ProgressFinish::AndClear),
            lines: !out.json && !moves,
        }
    }

    /// The next step.
    pub fn begin(&self, what: &str) {
        if self.lines {
            Out::new(false).note(what);
        }
        self.bar.reset_elapsed();
        self.bar.set_message(what.to_owned());
        self.bar.enable_steady_tick(Duration::from_millis(100));
    }

    /// How far the step is; only where a line can move.
    pub fn at(&self, what: String) {
        self.bar.set_message(what);
    }

    /// The step that takes longest for large components.
    pub fn compiling(&self, component: &[u8]) {
        let bytes = i64::try_from(component.len()).unwrap_or(i64::MAX);
        self.begin(&format!("compiling the component, {} bytes", number(bytes)));
    }

    /// Before a result is printed.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
