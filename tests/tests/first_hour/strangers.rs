//! N1 to N3: an API that no template knows, in every language: what is said of a wrong manifest, of an exception in `read` and of a
//! cursor that stands still, with `connector build`, `connector test`, `run` and `connector run-one`. Begins with the skeleton; the messages are golden files.

use crate::hub::in_repository;
use crate::languages::{TOKEN, typed};
use onefold::kit::project::{Kind, Language};
use onefold::kit::template::{self, New, Start};
use onefold_tests::need::need;
use onefold_tests::vendors::http::{Reply, Request};
use onefold_tests::vendors::{Running, Vendor, start};
use serde_json::json;
use std::fmt::Write;
use std::path::Path;

/// A survey tool: pages with an opaque place for the next one, a key in a header, answers of people whom nobody knows.
struct Surveys;

impl Vendor for Surveys {
    fn answer(&mut self, request: &Request) -> Reply {
        if request.header("x-survey-key") != Some(TOKEN) {
            return Reply::json(
                401,
                &json!({"error": {"code": "key", "message": "the key is not known"}}),
            );
        }
        let row = |token: u32| json!({"token": format!("s-{token}"), "submitted": "2025-03-01T00:00:00Z"});
        let rows: Vec<_> = match request.path.as_str() {
            "/v2/answers" => (0..3).map(row).collect(),
            "/v2/surveys" => (0..500).map(row).collect(),
            _ => Vec::new(),
        };
        Reply::json(
            200,
            &json!({"data": rows, "page": {"next": "b3BhcXVl", "last": false}}),
        )
    }

    fn too_many_requests(&self) -> Reply {
        Reply::json(429, &json!({"error": {"code": "slow"}}))
    }

    fn server_error(&self) -> Reply {
        Reply::json(500, &json!({"error": {"code": "broken"}}))
    }
}

/// Where the skeleton's `read` is, and the one that takes its place.
fn read_file(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::Rust => ("src/read.rs", "read.rs"),
        Language::TypeScript => ("src/read.ts", "read.ts"),
        Language::JavaScript => ("src/read.js", "read.js"),
        Language::Python => ("src/connector/read.py", "read.py"),
        Language::C => ("src/read.c", "read.c"),
        Language::Go => ("read.go", "read.go"),
    }
}

fn write_project(place: &Path, language: Language, vendor: &Running<Surveys>) {
    let new = New {
        name: "acme",
        language,
        kind: Kind::Source,
        start: Start::Skeleton,
    };
    template::make(place, &new).unwrap();
    let project = place.join("acme");
    let survey = in_repository("tests/fixtures/survey");
    let (to, from) = read_file(language);
    std::fs::copy(survey.join(from), project.join(to)).unwrap();
    std::fs::copy(survey.join("manifest.json"), project.join("manifest.json")).unwrap();
    let settings = std::fs::read_to_string(project.join("conformance.toml")).unwrap();
    let command = "# command = [\"python3\", \"fake-vendor.py\"]";
    assert!(settings.contains(command), "{settings}");
    let address = vendor.base_url();
    let ours = format!("command = [\"sh\", \"-c\", \"echo {address}; exec sleep 600\"]");
    let settings = settings
        .replace(command, &ours)
        .replace("right-token", TOKEN);
    std::fs::write(project.join("conformance.toml"), settings).unwrap();
}

/// A hub of this folder that reads one stream of the project.
fn write_hub(place: &Path, vendor: &Running<Surveys>, stream: &str) {
    let address = vendor.address;
    let manifest = format!(
        "[hub]\nname = \"acme\"\nstore = \"sqlite:acme.db\"\n\n[[source]]\nname = \"surveys\"\nconnector = \"acme\"\n\
         config.base_url = \"http://{address}\"\ncredential.token = \"env:DESK_TOKEN\"\n\
         grant.addresses = [\"{address}\"]\nstreams = [\"{stream}\"]\n"
    );
    std::fs::write(place.join("hub.toml"), manifest).unwrap();
}

/// What is not the same each time: the folder, the port, how long it took, and when.
fn masked(text: &str, place: &Path, vendor: &Running<Surveys>) -> String {
    let place = place.display().to_string();
    let text = text
        .replace(&place, "[PLACE]")
        .replace(&vendor.address.port().to_string(), "[PORT]");
    let mut lines = String::new();
    // Where a component was compiled before, it is taken from the cache.
    let lines_of = text.lines();
    for line in lines_of.filter(|line| !line.starts_with("compiling the component")) {
        let words: Vec<&str> = line.trim_end().split(' ').collect();
        let words = words.iter().enumerate().map(|(at, word)| {
            let next = words.get(at + 1).copied().unwrap_or_default();
            let is_time = word.parse::<f64>().is_ok() && matches!(next, "s" | "ms");
            let is_date = word.len() > 20 && word.starts_with("20") && word.ends_with('Z');
            let is_capture = word.contains("captured/");
            match (is_time || is_date, is_capture) {
                (true, _) => "[TIME]".to_owned(),
                (_, true) => "[CAPTURE]".to_owned(),
                _ => without_addresses(word),
            }
        });
        lines.push_str(&words.collect::<Vec<_>>().join(" "));
        lines.push('\n');
    }
    lines
}

/// Go's traces have addresses in them.
fn without_addresses(word: &str) -> String {
    let mut parts = word.split("0x");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str("0x…");
        text.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    text
}

/// What an integrator reads on the way; none without compilers.
fn transcript(language: Language) -> Option<String> {
    let vendor = start(Surveys, ([127, 0, 0, 1], 0).into()).unwrap();
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    write_project(place, language, &vendor);
    let project = place.join("acme");
    let mut all = String::new();
    let mut show = |folder: &Path, arguments: &[&str]| {
        let (code, text) = typed(folder, arguments);
        let text = masked(&text, place, &vendor);
        let code = code.unwrap_or(-1);
        let line = masked(&arguments.join(" "), place, &vendor);
        write!(all, "$ onefold {line}{text}--- exit code {code}\n\n").unwrap();
        assert_ne!(code, 0, "{language}: {text}");
    };
    let manifest = project.join("manifest.json");
    let right = std::fs::read_to_string(&manifest).unwrap();
    let wrong = right
        .replace("\"header\"", "\"haeder\"")
        .replace("\"primary_key\"", "\"primaryKey\"")
        .replacen(" | email", " | emial", 1);
    std::fs::write(&manifest, wrong).unwrap();
    show(&project, &["connector", "build"]);
    std::fs::write(&manifest, right).unwrap();
    let (code, text) = typed(&project, &["connector", "build"]);
    if text.contains("error[OF0321]") {
        let check = format!("a connector to an unknown API in {language}");
        assert!(!need(&check, Some(&text)), "{text}");
        return None;
    }
    assert_eq!(code, Some(0), "{language}: {text}");
    std::fs::create_dir(place.join("connectors")).unwrap();
    let component = place.join("connectors/acme.wasm");
    std::fs::copy(project.join("build/acme.wasm"), component).unwrap();

    show(&project, &["connector", "test"]);
    for stream in ["answers", "surveys"] {
        write_hub(place, &vendor, stream);
        show(place, &["run"]);
    }
    let captured = std::fs::read_dir(place.join("captured")).unwrap();
    let mut files: Vec<_> = captured.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        show(place, &["connector", "run-one", file.to_str().unwrap()]);
    }
    Some(all)
}

mod snapshots {
    use super::*;

    #[test]
    fn n1_to_n3_from_an_empty_folder_to_an_api_that_no_template_knows_with_mistakes_on_the_way() {
        for language in Language::ALL {
            if let Some(text) = transcript(language) {
                insta::assert_snapshot!(format!("mistakes-in-{language}"), text);
            }
        }
    }
}
