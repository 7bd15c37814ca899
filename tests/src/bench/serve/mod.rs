//! The fourth table: a hub that serves. What its collector takes and how fast it answers, how long it takes from an accepted event to
//! a member of an audience and on to the vendor while a large source is read, and what memory that costs. The load comes from this
//! process, on the same machine. A row for the HTTP API belongs into `all`.

mod hub;
mod load;
mod members;

use anyhow::{Context, Result};
use hub::Served;
use load::{CONNECTIONS, Load, Shape};
use members::Members;
use serde::Serialize;
use std::time::Duration;

const BATCHED_GOAL: f64 = 10_000.0;
const SINGLE_GOAL: f64 = 2_000.0;
const MEMBER_GOAL_MS: f64 = 100.0;
const DESTINATION_GOAL_MS: f64 = 1_000.0;
const MEMORY_GOAL_MB: f64 = 350.0;

/// Contacts of the source that is being read.
const RECORDS: u64 = 1_000_000;
const SMALL: u64 = 100_000;

/// Latencies of one kind, in milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Latency {
    pub count: usize,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl Latency {
    pub fn of(mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        let at = |part: f64| {
            let last = took.len().saturating_sub(1);
            let index = (last as f64 * part).round() as usize;
            took.get(index).map_or(0.0, |one| one.as_secs_f64() * 1e3)
        };
        Self {
            count: took.len(),
            p50_ms: at(0.5),
            p99_ms: at(0.99),
        }
    }
}

#[derive(Serialize)]
struct Table {
    batched: Load,
    single: Load,
    members: Members,
    goals: Vec<(bool, String)>,
}

pub fn all(small: bool, records: Option<u64>, json: bool) -> Result<bool> {
    let program = std::env::current_exe()?;
    let here = program.parent().context("the program has no folder")?;
    let folder = here.parent().unwrap_or(here).join("bench-serve");
    let seconds = if small { 5 } else { 15 };
    let measured_load = |title: &str, shape: Shape| -> Result<Load> {
        eprintln!("{title}");
        let served = Served::collector(here, &folder)?;
        load::measure(&served, shape, Duration::from_secs(seconds))
    };
    let batched = measured_load("batches of 100", Shape::Batches)?;
    let single = measured_load("single events", Shape::Single)?;
    let records = records.unwrap_or(if small { SMALL } else { RECORDS });
    eprintln!("seeding a HubSpot of {records} contacts");
    let vendor = crate::Vendor::start(records)?;
    eprintln!("1,000 events a second while {records} contacts are read");
    let members = members::measure(
        here,
        &folder,
        vendor.address,
        Duration::from_secs(2 * seconds),
    )?;
    let goals = goals(&batched, &single, &members);
    let held = goals.iter().all(|(held, _)| *held);
    // Otherwise the hub's log says more.
    if held {
        std::fs::remove_dir_all(&folder)?;
    }
    let table = Table {
        batched,
        single,
        members,
        goals,
    };
    match json {
        true => println!("{}", serde_json::to_string_pretty(&table)?),
        false => print(&table, records),
    }
    Ok(held)
}

fn goals(batched: &Load, single: &Load, members: &Members) -> Vec<(bool, String)> {
    let rate = |load: &Load, goal: f64, what: &str| {
        let found = load.events_per_s;
        (
            found >= goal,
            format!("at least {goal:.0} events a second {what}: {found:.0}"),
        )
    };
    let within = |latency: &Latency, goal: f64, what: &str| {
        let found = latency.p99_ms;
        let lost = members.triggers.saturating_sub(latency.count);
        let missing = match lost {
            0 => String::new(),
            lost => format!(", and {lost} of {} not at all", members.triggers),
        };
        (
            found < goal && lost == 0,
            format!("99 of 100 accepted events {what} within {goal:.0} ms: {found:.0} ms{missing}"),
        )
    };
    let most = batched.peak_mb.max(single.peak_mb).max(members.peak_mb);
    vec![
        rate(batched, BATCHED_GOAL, "in batches of 100"),
        rate(single, SINGLE_GOAL, "one by one"),
        within(&members.member, MEMBER_GOAL_MS, "make a member"),
        within(
            &members.destination,
            DESTINATION_GOAL_MS,
            "are at the vendor",
        ),
        (
            most < MEMORY_GOAL_MB,
            format!("under {MEMORY_GOAL_MB:.0} MB at the peak: {most:.0} MB"),
        ),
    ]
}

fn print(table: &Table, records: u64) {
    println!(
        "\ncollector with durable answers, {CONNECTIONS} connections, the load on the same machine\n"
    );
    println!(
        "{:<44}{:>10}{:>9}{:>9}{:>9}{:>10}{:>10}",
        "", "events/s", "p50 ms", "p99 ms", "refused", "landed/s", "peak MB"
    );
    for (title, load) in [
        ("batches of 100", &table.batched),
        ("single events", &table.single),
    ] {
        let Load {
            events_per_s,
            answer,
            refused,
            landed_per_s,
            peak_mb,
        } = load;
        println!(
            "{title:<44}{events_per_s:>10.0}{:>9.1}{:>9.1}{refused:>9}{landed_per_s:>10.0}{peak_mb:>10.0}",
            answer.p50_ms, answer.p99_ms
        );
    }
    let members = &table.members;
    println!(
        "\n{:.0} events a second while {records} contacts are read, {} of them in the meantime\n",
        members.events_per_s, members.read
    );
    println!(
        "{:<44}{:>10}{:>9}{:>9}{:>9}",
        "", "count", "p50 ms", "p99 ms", "missing"
    );
    for (title, latency) in [
        ("sent → accepted", &members.answer),
        ("accepted → member of the audience", &members.member),
        ("accepted → at the vendor", &members.destination),
    ] {
        let lost = members.triggers.saturating_sub(latency.count);
        let lost = match title.starts_with("accepted") {
            true => lost.to_string(),
            false => "-".to_owned(),
        };
        println!(
            "{title:<44}{:>10}{:>9.1}{:>9.1}{lost:>9}",
            latency.count, latency.p50_ms, latency.p99_ms
        );
    }
    println!("peak memory: {:.0} MB\n", members.peak_mb);
    for (held, text) in &table.goals {
        println!("{} {text}", if *held { "held  " } else { "MISSED" });
    }
}
