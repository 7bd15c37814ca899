//! N8: the fake vendors on their own.

use crate::hub::{Hub, beside_program};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn n8_the_fake_vendors_explain_themselves_and_say_what_a_manifest_needs() {
    let program = || Command::new(beside_program("onefold-fake-vendor"));
    let help = program().arg("--help").output().unwrap();
    assert!(help.status.success());
    let text = String::from_utf8(help.stdout).unwrap();
    assert!(
        text.contains("hubspot|mailchimp|stripe [--port PORT]"),
        "{text}"
    );
    for wrong in [&["github"][..], &[], &["hubspot", "--port", "x"]] {
        let ended = program().args(wrong).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{wrong:?}");
        assert!(!ended.stderr.is_empty(), "{wrong:?}");
    }
    for name in ["hubspot", "mailchimp", "stripe"] {
        let mut fake = program();
        let fake = fake.arg(name).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut fake = fake.spawn().unwrap();
        let mut address = String::new();
        let stdout = fake.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut address).unwrap();
        let mut lines = String::new();
        let stderr = BufReader::new(fake.stderr.as_mut().unwrap());
        for line in stderr.lines() {
            let line = line.unwrap();
            lines.push_str(&format!("{line}\n"));
            if line.starts_with("credential.") {
                break;
            }
        }
        assert!(
            lines.contains(&format!("base_url = \"{}\"", address.trim())),
            "{lines}"
        );
        // What it says is pasted, and works.
        let (_, secret) = lines.split_once("# export ").unwrap();
        let (variable, value) = secret.trim().split_once('=').unwrap();
        let mut hub = Hub::new();
        hub.set_secret(variable, value);
        hub.write("hub.toml", &format!("[hub]\nname = \"one\"\nstore = \"sqlite:one.db\"\n\n[[source]]\nname = \"one\"\n{lines}"));
        hub.run(&["check", "--live"]).ends_with(0);
        fake.kill().unwrap();
        fake.wait().unwrap();
    }
}
