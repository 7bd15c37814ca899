//! The table of codes, rendering and exit codes.

use super::*;

#[test]
fn every_code_is_unique_in_order_and_has_a_page_that_begins_with_it() {
    let ids: Vec<&str> = CODES.iter().map(|code| code.id).collect();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(ids, sorted);
    for code in CODES {
        let heading = format!("# {}: {}", code.id, code.title);
        assert_eq!(
            explain(code.id).and_then(|page| page.lines().next()),
            Some(heading.as_str())
        );
    }
    assert_eq!(explain("of0101"), explain("OF0101"));
    assert_eq!(explain("OF9999"), None);
}

#[test]
fn a_problem_of_a_record_names_source_stream_record_and_field() {
    let place = Place::Record {
        source: "crm".to_owned(),
        stream: Some("contacts".to_owned()),
        key: Some("1042\u{1b}[2J".to_owned()),
        field: Some("email".to_owned()),
    };
    let problem = Problem::new(&codes::UNUSABLE, "`email` is malformed")
        .warning()
        .at(place)
        .hint("look");
    let expected = "warning[OF0505]: `email` is malformed\n--> crm/contacts 1042\\u{1b}[2J email\n = hint: look\n";
    assert_eq!(render(&[problem], &[], Look::Plain), expected);
}

#[test]
fn the_wire_form_says_line_and_column() {
    let files = [("hub.toml".to_owned(), "é = 1\nname = 2\n".to_owned())];
    let place = Place::File {
        file: "hub.toml".into(),
        span: 14..15,
    };
    let problem = Problem::new(&codes::WRONG_VALUE, "wrong").at(place);
    assert_eq!(
        serde_json::to_value(to_wire(&problem, &files)).expect("plain data"),
        serde_json::json!({
            "code": "OF0103", "title": "a value of the wrong kind", "class": "ask_user", "severity": "error",
            "message": "wrong", "file": {"name": "hub.toml", "line": 2, "column": 8, "start": 14, "end": 15},
        })
    );
}

#[test]
fn the_exit_code_follows_the_worst_error() {
    let manifest = Problem::new(&codes::SYNTAX, "");
    let record = Problem::new(&codes::NO_KEY, "");
    assert_eq!(exit_code(&[]), 0);
    assert_eq!(exit_code(&[manifest.clone().warning()]), 0);
    assert_eq!(exit_code(std::slice::from_ref(&record)), 1);
    assert_eq!(exit_code(&[record, manifest]), 2);
}

#[test]
fn json_keeps_its_value_and_nothing_in_it_deceives() {
    let value =
        serde_json::json!({ "a\u{202e}b": "\u{9b}1A\u{e0041}\u{7f}\n", "plain": ["ż", "🙂"] });
    let text = plain_json(&serde_json::to_string_pretty(&value).unwrap());
    assert!(text.lines().all(is_plain_line), "{text}");
    assert!(text.contains("\\u202e") && text.contains("ż"), "{text}");
    let read: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read, value);
}
