//! N1, N2: what an integrator meets whose connector fails.

use crate::hub::{Hub, beside_program};
use crate::languages::{run_in_hub, typed};
use onefold::kit::practice::{Practice, Settings};
use onefold::kit::project::{Kind, Language};
use onefold::kit::template;
use onefold_tests::need::need;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use tokio::runtime::Runtime;

/// A mistake in a new project: the file, the line before which it is put, what it is, and what has to be said of it.
struct Mistake {
    language: Language,
    file: &'static str,
    before: &'static str,
    lines: &'static str,
    /// With `LINE` for the number of the last of these lines.
    said: &'static str,
}

const MISTAKES: [Mistake; 4] = [
    Mistake {
        language: Language::Python,
        file: "src/connector/read.py",
        before: "    return page.envelope()",
        lines: "    page.envelope()[\"when\"]\n",
        said: "KeyError: 'when' (read.py:LINE, in read_page)",
    },
    Mistake {
        language: Language::TypeScript,
        file: "src/read.ts",
        before: "  return page.envelope();",
        lines: "  const nothing: any = undefined;\n  nothing.when;\n",
        said: "TypeError: cannot read property 'when' of undefined (src/read.ts:LINE, in readPage)",
    },
    Mistake {
        language: Language::Rust,
        file: "src/read.rs",
        before: "    for row in &page.rows {",
        lines: "    let none: Vec<u8> = Vec::new();\n    std::hint::black_box(none[page.rows.len()]);\n",
        said: "panicked at src/read.rs:LINE:",
    },
    Mistake {
        language: Language::Go,
        file: "read.go",
        before: "\tif err := page.Envelope(&rest); err != nil {",
        lines: "\tvar none []int\n\t_ = none[len(page.Rows)]\n",
        said: "index out of range",
    },
];

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

#[test]
fn n1_an_exception_is_told_with_its_class_its_message_and_its_line() {
    let runtime = Runtime::new().unwrap();
    let settings = Settings {
        seed: 3,
        contacts: 100,
    };
    let practice = Practice::start(runtime.handle(), settings, 0).unwrap();
    for mistake in MISTAKES {
        fails_as_said(&mistake, &practice);
    }
}

fn fails_as_said(mistake: &Mistake, practice: &Practice) {
    let place = tempfile::tempdir().unwrap();
    template::make(place.path(), "acme", mistake.language, Kind::Source).unwrap();
    let project = place.path().join("acme");
    let file = project.join(mistake.file);
    let text = std::fs::read_to_string(&file).unwrap();
    let (start, rest) = text.split_once(mistake.before).unwrap();
    let text = format!("{start}{}{}{rest}", mistake.lines, mistake.before);
    std::fs::write(&file, &text).unwrap();
    let line = start.lines().count() + mistake.lines.lines().count();
    let said = mistake.said.replace("LINE", &line.to_string());
    let word = mistake.language.word();
    let (code, built) = typed(&project, &["connector", "build"]);
    if built.contains("error[OF0321]") {
        let check = format!("an exception in {word}");
        assert!(!need(&check, Some(&built)), "{built}");
        return;
    }
    assert_eq!(code, Some(0), "{word}: {built}");
    let (code, tested) = typed(&project, &["connector", "test"]);
    assert_eq!(code, Some(1), "{word}: {tested}");
    // N2: one cause is told once, however many rules it breaks.
    assert_eq!(tested.matches(&said).count(), 1, "{word}: {said}: {tested}");
    assert!(
        tested.matches("as for `record-schema`").count() > 4,
        "{word}: {tested}"
    );
    let (code, ran) = run_in_hub(place.path(), &project, practice, &["contacts"]);
    assert_eq!(code, Some(1), "{word}: {ran}");
    assert!(ran.contains("error[OF0310]"), "{word}: {ran}");
    assert!(ran.contains(&said), "{word}: {said}: {ran}");
}

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
