//! Two users on one machine: the second one can read and change nothing of what the hub made.

use super::echo::{Echo, canary};
use super::{connection, files, hub, manifest, run_unmasked, unmasked};
use crate::guests::guests_folder;
use onefold_tests::need::need;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Nobody.
const OTHER: u32 = 65_534;

/// What the other user can do of these things with a path.
fn can(path: &Path) -> Vec<&'static str> {
    let attempts = [
        (
            "read",
            "if test -d \"$0\"; then ls \"$0\"; else cat \"$0\"; fi",
        ),
        ("write", ": >> \"$0\" || : > \"$0/new\""),
        ("remove", "rm -rf \"$0\" && test ! -e \"$0\""),
        ("rename", "mv \"$0\" \"$0.moved\""),
        ("open it up", "chmod 777 \"$0\""),
    ];
    let can = attempts.into_iter().filter(|(_, script)| {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).arg(path).uid(OTHER).gid(OTHER);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().unwrap().success()
    });
    can.map(|(what, _)| what).collect()
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let inside = entries.map(|entry| entry.unwrap().path());
    let inside: Vec<PathBuf> = inside.filter(|path| path.is_dir()).collect();
    let deeper: Vec<PathBuf> = inside.iter().flat_map(|one| folders(one)).collect();
    inside.into_iter().chain(deeper).collect()
}

#[test]
fn two_users_of_one_machine_have_nothing_of_each_others_hubs() {
    let user = std::fs::metadata("/proc/self").map(|own| own.uid()).ok();
    let missing = (user != Some(0)).then_some("root, to become another user");
    if !need("two users on one machine", missing) {
        return;
    }
    let echo = Echo::start();
    let mut text = manifest(&echo, "tell", &[("good".to_owned(), "token", "body")]);
    text += "[[source]]\nname = \"bad\"\nstreams = [\"tell-in-error\"]\n";
    text += &connection(&echo, "token", "latin");
    let hub = hub(&text);
    std::fs::remove_dir_all(hub.path().join("connectors")).unwrap();
    let outside = tempfile::tempdir().unwrap();
    // The other one can look into both folders, and their names are known.
    for folder in [hub.path(), outside.path()] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let cache = outside.path().join("cache");
    let plain = guests_folder().join("adversary.wasm");
    let add = ["connector", "add", plain.to_str().unwrap(), "--yes"];
    run_unmasked(&hub, &cache, &add);
    run_unmasked(&hub, &cache, &["run", "--capture"]);
    let mut command = unmasked(&hub, &cache, &["serve"]);
    let mut serving = hub.runtime.block_on(async { command.spawn() }).unwrap();
    let began = Instant::now();
    while !hub.path().join("told.db-wal").exists() && began.elapsed() < Duration::from_secs(20) {
        std::thread::yield_now();
    }
    // A process that is killed leaves everything as it is, and nothing changes while the other one tries.
    hub.runtime
        .block_on(async { serving.kill().await })
        .unwrap();
    let made = [hub.path(), outside.path()].map(|folder| {
        let of_folder = files(folder)
            .into_iter()
            .map(|(name, _)| PathBuf::from(name));
        of_folder.chain(folders(folder)).collect::<Vec<_>>()
    });
    let made = made.concat();
    let mut allowed = Vec::new();
    for path in &made {
        let mut can = can(path);
        if path.ends_with("hub.toml") {
            // The operator's own file, which this test made for all to read.
            can.retain(|what| *what != "read");
        }
        if !can.is_empty() {
            allowed.push(format!("{}: {}", path.display(), can.join(", ")));
        }
    }
    assert_eq!(allowed, Vec::<String>::new());
    let kinds = [
        "told.db",
        "told.db-wal",
        "told.db-turn",
        "connectors.lock",
        ".cwasm",
        "captured",
        "adversary.wasm",
    ];
    for kind in kinds {
        let is_there = |path: &PathBuf| path.display().to_string().ends_with(kind);
        assert!(made.iter().any(is_there), "{kind}: {made:?}");
    }
    // Nor can the program be made to do it.
    let program = hub.command(&["status"]);
    let program = program.as_std();
    let mut other = Command::new(program.get_program());
    other
        .args(program.get_args())
        .uid(OTHER)
        .gid(OTHER)
        .env_clear();
    other.env("CANARY_TOKEN_BODY", canary("token", "body"));
    let ran = other.output();
    assert!(ran.is_err() || ran.is_ok_and(|ran| !ran.status.success()));
}
