//! N7: a skeleton builds, and its own tests pass, untouched.

use crate::compiled::toolchains;
use crate::hub::beside_program;
use crate::languages::{built, typed};
use onefold::kit::project::{Kind, Language};
use onefold::kit::template::{self, New, Start};
use onefold_tests::need::need;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The commands of a project's own tests, as its README has them; none when a program for them is missing.
fn own_tests(language: Language) -> Option<Vec<Vec<String>>> {
    let npm = "npm install --prefer-offline --no-audit --no-fund";
    let lines: &[&str] = match language {
        Language::Rust => &["cargo test --quiet"],
        Language::TypeScript => &[npm, "npm run check", "npm test"],
        Language::JavaScript => &[npm, "npm test"],
        Language::Python => &["python3 -m unittest"],
        Language::C => &["make test"],
        Language::Go => &["go test ./..."],
    };
    let words = |line: &&str| line.split(' ').map(str::to_owned).collect();
    let mut lines: Vec<Vec<String>> = lines.iter().map(words).collect();
    if language == Language::Go {
        lines[0][0] = go()?.display().to_string();
    }
    Some(lines)
}

/// The compiler that `connector build` has fetched.
fn go() -> Option<PathBuf> {
    let entries = std::fs::read_dir(toolchains()).ok()?;
    let programs = entries.flatten().map(|entry| entry.path().join("bin/go"));
    programs.into_iter().find(|program| program.is_file())
}

fn pass(project: &Path, language: Language) {
    let Some(lines) = own_tests(language) else {
        need(&format!("tests of a skeleton in {language}"), Some("Go"));
        return;
    };
    for line in lines {
        let ran = Command::new(&line[0])
            .args(&line[1..])
            .current_dir(project)
            .env(
                "CARGO_TARGET_DIR",
                beside_program("test-cache").join("skeleton"),
            )
            .env("GOCACHE", toolchains().join("go-cache"))
            .output();
        let ran = match ran {
            Ok(ran) => ran,
            Err(error) => {
                let check = format!("tests of a skeleton in {language}");
                let missing = format!("`{}`: {error}", line[0]);
                assert!(!need(&check, Some(&missing)), "{missing}");
                return;
            }
        };
        let text = [ran.stdout, ran.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(ran.status.success(), "{language}: {line:?}: {text}");
        assert!(!text.contains("warning:"), "{language}: {line:?}: {text}");
    }
}

#[test]
fn n7_a_skeleton_builds_and_its_tests_pass_untouched_in_every_language() {
    for language in Language::ALL {
        let place = tempfile::tempdir().unwrap();
        let Some(project) = built(place.path(), language, &["--skeleton"]) else {
            continue;
        };
        pass(&project, language);
        // What the suite needs is said, not guessed.
        let (code, text) = typed(&project, &["connector", "test"]);
        assert_eq!(code, Some(2), "{language}: {text}");
        assert!(text.contains("error[OF0331]"), "{language}: {text}");
        assert!(text.contains("names 0 vendors"), "{language}: {text}");
        assert!(text.contains("command = ["), "{language}: {text}");
    }
}

/// Of the languages whose tests take a moment, each kind.
#[test]
fn n7_the_tests_of_a_skeleton_of_each_kind_pass() {
    for language in [
        Language::C,
        Language::Python,
        Language::JavaScript,
        Language::Go,
    ] {
        for kind in [Kind::Source, Kind::Destination, Kind::Audience] {
            let place = tempfile::tempdir().unwrap();
            let new = New {
                name: "acme",
                language,
                kind,
                start: Start::Skeleton,
            };
            template::make(place.path(), &new).unwrap();
            pass(&place.path().join("acme"), language);
        }
    }
}
