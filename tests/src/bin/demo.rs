//! `onefold-demo [PATH OF onefold] [--stay]`: starts three fake vendors with two thousand people, runs Onefold twice against
//! them, lets a day pass, runs it twice more, and compares what it found on both days with the truth. Ends with 0 only
//! when everything agrees. With `--stay` the hub is then served, with events that come in, until it is stopped.

#![allow(clippy::print_stdout, reason = "a demo talks to a person")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use onefold_tests::demo::{AUDIENCE, Day, REFUNDED, World, applied_twice, difference, number_in};
use onefold_tests::stay::{KEY, Staying};
use onefold_tests::vendors::time::Clock;

const SEED: u64 = 2026;
const PEOPLE: usize = 2_000;

fn main() -> ExitCode {
    match demo() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            println!("the demo could not be run: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

/// The program under show and the folder of its manifests.
struct Onefold {
    program: PathBuf,
    hub: PathBuf,
}

impl Onefold {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("--hub")
            .arg(&self.hub)
            .args(arguments)
            .envs(World::secrets());
        command
    }

    /// Runs with its output on ours.
    fn show(&self, arguments: &[&str]) -> Result<()> {
        println!(
            "\n$ onefold --hub {} {}",
            self.hub.display(),
            arguments.join(" ")
        );
        let status = self
            .command(arguments)
            .status()
            .with_context(|| self.cannot_start())?;
        // 1 means that some rows were set aside, which this population is made to do.
        match status.code() {
            Some(0 | 1) => Ok(()),
            _ => bail!("`onefold {}` ended with {status}", arguments.join(" ")),
        }
    }

    fn read(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.command(arguments);
        let output = command
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| self.cannot_start())?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Commands to try, one in a line.
    fn suggest(&self, commands: &[&str]) {
        for command in commands {
            let (program, hub) = (self.program.display(), self.hub.display());
            println!("  {program} --hub {hub} {command}");
        }
    }

    fn cannot_start(&self) -> String {
        format!(
            "cannot start `{}`; build it with `cargo build -p onefold`",
            self.program.display()
        )
    }
}

fn demo() -> Result<bool> {
    let here = std::env::current_exe()?;
    let beside = here.parent().context("the demo has no folder")?;
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let stays = arguments.iter().any(|argument| argument == "--stay");
    arguments.retain(|argument| argument != "--stay");
    if arguments.len() > 1 {
        bail!("it takes the path of `onefold` and `--stay`, and nothing else");
    }
    let program = arguments
        .pop()
        .map_or_else(|| beside.join("onefold"), PathBuf::from);
    let folder = beside.parent().unwrap_or(beside).join("demo");
    let now_ms = Clock::System.now_ms();
    let world = World::start(SEED, PEOPLE, now_ms)?;
    let hub = fresh_hub(&world, &folder)?;
    let onefold = Onefold { program, hub };
    let population = &world.population;
    println!(
        "{PEOPLE} people, known to three vendors on loopback by {} contacts, {} customers with {} charges, and {} members",
        population.contacts.len(),
        population.customers.len(),
        population.charges.len(),
        population.members.len(),
    );
    let begun = Instant::now();
    onefold.show(&["run"])?;
    println!("first run: {:.1} s", begun.elapsed().as_secs_f64());
    let first = world.writes();
    let begun = Instant::now();
    onefold.show(&["run"])?;
    println!("second run: {:.1} s", begun.elapsed().as_secs_f64());
    let who = format!("email:{}", population.truth.example);
    onefold.show(&["profile", "show", &who, "--why"])?;
    let mut agreed = compare(&world, &onefold, Day::First, first.len())?;
    world.next_day();
    world.write_next_day(&onefold.hub)?;
    println!("\nA day passes: {}.", population.next_day_in_words());
    onefold.show(&["run"])?;
    let second = world.writes();
    onefold.show(&["run"])?;
    agreed &= compare(&world, &onefold, Day::Next, second.len())?;
    println!("\ntry next, in another terminal (the data stays; the vendors stop with this demo):");
    let hints = [
        "status",
        "audience show lapsed_vip",
        "dead-letters list",
        &format!("profile show {who} --why"),
    ];
    onefold.suggest(&hints);
    if stays {
        stay(&world, &onefold)?;
    }
    Ok(agreed)
}

/// Serves the hub until the demo is stopped.
fn stay(world: &World, onefold: &Onefold) -> Result<()> {
    println!("\n$ onefold --hub {} serve", onefold.hub.display());
    let mut command = Command::new(&onefold.program);
    command.envs(World::secrets());
    let customers = world.population.customers.iter();
    let visitors: Vec<String> = customers
        .map(|customer| customer.email.clone())
        .filter(|email| !email.is_empty())
        .collect();
    let mut staying = Staying::start(command, &onefold.hub, visitors)?;
    let address = staying.address;
    println!("\nthe hub is served: open http://{address}/readyz");
    println!(
        "each second a page view of one of the customers comes in; send an event of your own:"
    );
    println!(
        "  curl --user {KEY}: --data '{{\"userId\": \"me\", \"event\": \"Demo Seen\"}}' http://{address}/v1/track"
    );
    println!("and see what became of it:");
    onefold.suggest(&["profile show user_id:me --why"]);
    println!("Ctrl-C ends the hub, the vendors and this demo");
    staying.wait()?;
    let sent = staying.sent();
    let status = staying.stop()?;
    println!("{sent} events were sent by the demo's website");
    match status.code() {
        Some(0) => Ok(()),
        _ => bail!("`onefold serve` ended with {status}"),
    }
}

fn fresh_hub(world: &World, folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/demo");
    world.write_manifests(&manifests, folder)?;
    Ok(folder.to_path_buf())
}

/// Prints one line per comparison; true when all agree. `before`: what was written before the last run.
fn compare(world: &World, onefold: &Onefold, day: Day, before: usize) -> Result<bool> {
    let truth = world.truth(day);
    let people = number_in(&onefold.read(&["status", "--json"])?, "people")?;
    let writes = world.writes();
    let again = writes.len() - before;
    let size = |audience: &str| -> Result<usize> {
        let shown = onefold.read(&["audience", "show", audience, "--limit", "0", "--json"])?;
        number_in(&shown, "size")
    };
    let lapsed = size(AUDIENCE)?;
    let twice = applied_twice(&writes);
    let members = difference(&world.audience(), &truth.in_newsletter);
    let names = world.wrong_names(day);
    let mut lines = vec![
        (
            people == truth.people.len(),
            format!("people: {people} found, {} in truth", truth.people.len()),
        ),
        (
            members.is_none() && lapsed == truth.lapsed_vip.len(),
            format!(
                "{AUDIENCE}: {lapsed} people found, {} in truth, {} of them agreed to be written to; the tag in Mailchimp {}",
                truth.lapsed_vip.len(),
                truth.in_newsletter.len(),
                members.unwrap_or_else(|| "holds exactly those".to_string()),
            ),
        ),
        (
            again == 0,
            format!("sent again by a run with nothing new: {again} of {before}"),
        ),
        (
            names.is_empty(),
            format!(
                "people with another last name on each day: {}, of which the newsletter has a wrong one of {}",
                world.population.renamed.len(),
                names.len(),
            ),
        ),
        (
            twice.is_empty(),
            format!(
                "applied twice: {}{}",
                twice.len(),
                twice
                    .first()
                    .map(|row| format!(" ({row})"))
                    .unwrap_or_default()
            ),
        ),
    ];
    if day == Day::Next {
        let refunded = size(REFUNDED)?;
        lines.push((
            refunded == truth.refunded,
            format!(
                "{REFUNDED}: {refunded} people found, {} in truth",
                truth.refunded
            ),
        ));
    }
    println!();
    for (agrees, line) in &lines {
        println!("{} {line}", if *agrees { "ok   " } else { "WRONG" });
    }
    Ok(lines.iter().all(|(agrees, _)| *agrees))
}
