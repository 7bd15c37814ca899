//! The hub as a service of the system: what its supervisor hears, and completions for shells.

use super::Online;
use crate::hub::Hub;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

fn hear(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn a_supervisor_hears_when_the_hub_is_ready_alive_and_stopping() {
    let mut online = Online::unstarted();
    let path = online.hub.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    online
        .hub
        .set_secret("NOTIFY_SOCKET", path.to_str().unwrap());
    online.hub.set_secret("WATCHDOG_USEC", "200000");
    online.spawn();
    let mut heard = Vec::new();
    while !heard.contains(&"READY=1".to_owned()) {
        heard.push(hear(&socket));
    }
    for _ in 0..3 {
        assert_eq!(hear(&socket), "WATCHDOG=1");
    }
    online.stop();
    let mut last = String::new();
    socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 64];
    while let Ok(length) = socket.recv(&mut buffer) {
        last += &String::from_utf8_lossy(&buffer[..length]);
    }
    assert!(last.contains("STOPPING=1"), "{last}");
}

#[test]
fn every_shell_gets_completions_that_bash_can_read() {
    let hub = Hub::new();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = hub.run(&["completions", shell]).ends_with(0).stdout;
        assert!(script.contains("dead-letters"), "{shell}: {script}");
    }
    let script = hub.run(&["completions", "bash"]).stdout;
    let asked = "\nCOMP_WORDS=(onefold conn); COMP_CWORD=1; _onefold onefold conn onefold; echo \"${COMPREPLY[@]}\"";
    let bash = Command::new("bash")
        .args(["--norc", "-c", &(script + asked)])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&bash.stdout).trim(), "connector");
}
