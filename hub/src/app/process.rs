//! Identifies this process, and says whether another one has ended (on Linux, from `/proc`).

use crate::flow::Process;
use std::path::Path;
use std::sync::Arc;

/// This process.
pub fn this() -> Process {
    let machine = machine();
    let number = std::process::id();
    let id = match started(number) {
        Some(started) => format!("{number}/{started}/{machine}"),
        None => format!("{number}/?/{machine}"),
    };
    Process {
        id: id.into(),
        has_ended: Arc::new(move |id| has_ended(id, &machine)),
    }
}

/// True only when it is certain: for a process of this machine since its start that this one would see.
fn has_ended(id: &str, machine: &str) -> bool {
    let mut parts = id.splitn(3, '/');
    let (Some(number), Some(then), Some(of)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let Ok(number) = number.parse::<u32>() else {
        return false;
    };
    if of != machine || then == "?" || !Path::new("/proc/self/stat").exists() {
        return false;
    }
    // Another reason why it cannot be read proves nothing.
    let gone = |error: std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    match std::fs::metadata(format!("/proc/{number}")) {
        Err(error) => gone(error),
        // Process ids are reused: another start time is another process.
        Ok(_) => match std::fs::read_to_string(format!("/proc/{number}/stat")) {
            Err(error) => gone(error),
            Ok(stat) => start_in(&stat).is_none_or(|now| now.to_string() != then),
        },
    }
}

/// The machine since it was started, and which processes are seen from here.
fn machine() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let seen = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{}/{}", boot.trim(), seen.display())
}

/// When a process was started, in ticks since the machine was; none when there is no such process or it is a zombie.
fn started(number: u32) -> Option<u64> {
    start_in(&std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?)
}

fn start_in(stat: &str) -> Option<u64> {
    // The name of the program, in parentheses, may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    // The 22nd field; what is left begins with the third.
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_runs_has_not_ended_and_one_that_was_killed_has() {
        let this = this();
        assert!(!(this.has_ended)(&this.id));
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let started = started(child.id()).unwrap();
        let id = format!("{}/{started}/{}", child.id(), machine());
        assert!(!(this.has_ended)(&id));
        let earlier = format!("{}/{}/{}", child.id(), started - 1, machine());
        assert!((this.has_ended)(&earlier), "the number was given again");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!((this.has_ended)(&id));
        for elsewhere in ["", "1", "1/2/elsewhere", "x/1/y"] {
            assert!(!(this.has_ended)(elsewhere), "{elsewhere}");
        }
    }
}
