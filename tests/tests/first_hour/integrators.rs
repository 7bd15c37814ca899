//! N3 and N8: the documents of a project, and the fake vendors on their own.

use crate::hub::{Hub, beside_program};
use crate::languages::typed;
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

mod snapshots {
    use super::*;

    #[test]
    fn n3_documents_are_judged_before_anything_is_built() {
        let place = tempfile::tempdir().unwrap();
        let typed = |arguments: &[&str]| typed(place.path(), arguments);
        let (code, _) = typed(&["connector", "new", "survey", "--language", "python"]);
        assert_eq!(code, Some(0));
        let edit = |file: &str, from: &str, to: &str| {
            let path = place.path().join("survey").join(file);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{text}");
            std::fs::write(path, text.replacen(from, to, 1)).unwrap();
        };
        edit(
            "manifest.json",
            "\"inject\": \"bearer\"",
            "\"inject\": { \"haeder\": { \"name\": \"X-Api-Key\" } }",
        );
        edit("manifest.json", "email | email", "email | emial");
        edit("connector.toml", "python", "pyhton");
        edit("conformance.toml", "[wrong]", "[wrogn]");
        let (code, built) = typed(&["connector", "build", "survey"]);
        assert_eq!(code, Some(2));
        let is_told = |line: &str| line.starts_with("error") || line.contains("did you mean");
        let said: Vec<&str> = built.lines().filter(|line| is_told(line)).collect();
        insta::assert_snapshot!(said.join("\n"));
        assert!(!place.path().join("survey/build").exists());
        // What is tested is judged by the same.
        std::fs::create_dir(place.path().join("survey/build")).unwrap();
        std::fs::write(place.path().join("survey/build/survey.wasm"), "").unwrap();
        let (code, tested) = typed(&["connector", "test", "survey"]);
        assert_eq!(code, Some(2));
        assert!(tested.contains("haeder"), "{tested}");
    }
}
