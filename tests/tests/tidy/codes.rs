//! The rules about problem codes: one meaning each, in order, every one with a page, and no page without a code.
//! Compares the hub's own table with what is written in its folder.

use super::Breach;
use onefold::problem::CODES;
use std::collections::BTreeSet;
use std::path::Path;

/// A code as the table has it.
struct Entry<'a> {
    id: &'a str,
    title: &'a str,
    page: &'a str,
}

pub fn of_the_hub(folder: &Path) -> Vec<Breach> {
    let table: Vec<Entry<'_>> = CODES
        .iter()
        .map(|code| Entry {
            id: code.id,
            title: code.title,
            page: code.page,
        })
        .collect();
    let mut written = BTreeSet::new();
    let mut pages = BTreeSet::new();
    read(folder, &mut written, &mut pages);
    check(&table, &written, &pages)
}

/// Codes that the Rust files define, and the names of the pages.
fn read(folder: &Path, written: &mut BTreeSet<String>, pages: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("the folder of problems can be listed") {
        let path = entry.expect("the folder of problems can be read").path();
        let extension = path.extension().unwrap_or_default();
        if path.is_dir() {
            read(&path, written, pages);
        } else if extension == "md" {
            pages.insert(
                path.file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
            );
        } else if extension == "rs"
            && path
                .components()
                .any(|part| part.as_os_str().to_string_lossy().starts_with("codes"))
        {
            written.extend(defined(
                &std::fs::read_to_string(&path).expect("a source file can be read"),
            ));
        }
    }
}

/// The ids of `id: "OF…"` in a source.
fn defined(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split("id: \"OF")
        .skip(1)
        .map(|rest| format!("OF{}", rest.split('"').next().unwrap_or(rest)))
}

fn check(table: &[Entry<'_>], written: &BTreeSet<String>, pages: &BTreeSet<String>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut before = "";
    for entry in table {
        let mut say = |message: String| breaches.push(Breach::new(entry.id, message));
        let digits = entry.id.strip_prefix("OF").unwrap_or_default();
        if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            say("is not `OF` and four digits".to_owned());
        }
        if entry.id == before {
            say("is in the table twice".to_owned());
        } else if entry.id < before {
            say(format!("stands after `{before}`: the table is in order"));
        }
        if entry.title.trim().is_empty() {
            say("has no title".to_owned());
        }
        if !pages.contains(entry.id) {
            say(format!("has no page `pages/{}.md`", entry.id));
        }
        if entry.page.trim().is_empty() {
            say("has an empty page".to_owned());
        }
        before = entry.id;
    }
    let known: BTreeSet<&str> = table.iter().map(|entry| entry.id).collect();
    let unknown = |ids: &BTreeSet<String>, message: &str| -> Vec<Breach> {
        let strangers = ids.iter().filter(|id| !known.contains(id.as_str()));
        strangers.map(|id| Breach::new(id, message)).collect()
    };
    breaches.extend(unknown(written, "is defined and not in the table `CODES`"));
    breaches.extend(unknown(pages, "has a page and no code"));
    breaches
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

fn entry(id: &str) -> Entry<'_> {
    Entry {
        id,
        title: "unknown key",
        page: "What it means",
    }
}

#[test]
fn a_table_in_order_with_its_pages_is_good() {
    let ids = set(&["OF0101", "OF0102"]);
    assert_eq!(check(&[entry("OF0101"), entry("OF0102")], &ids, &ids), []);
}

#[test]
fn every_fault_of_a_code_is_seen() {
    let messages = |table: &[Entry<'_>], written: &[&str], pages: &[&str]| -> Vec<String> {
        let breaches = check(table, &set(written), &set(pages));
        breaches
            .into_iter()
            .map(|breach| format!("{} {}", breach.place, breach.message))
            .collect()
    };
    let one = ["OF0101"];
    assert_eq!(
        messages(&[entry("OF0101"), entry("OF0101")], &one, &one),
        ["OF0101 is in the table twice"]
    );
    let two = ["OF0101", "OF0102"];
    let order = messages(&[entry("OF0102"), entry("OF0101")], &two, &two);
    assert_eq!(
        order,
        ["OF0101 stands after `OF0102`: the table is in order"]
    );
    assert_eq!(
        messages(&[entry("OF0101")], &one, &[]),
        ["OF0101 has no page `pages/OF0101.md`"]
    );
    assert_eq!(
        messages(
            &[Entry {
                page: " \n",
                ..entry("OF0101")
            }],
            &one,
            &one
        ),
        ["OF0101 has an empty page"]
    );
    assert_eq!(
        messages(
            &[Entry {
                title: "",
                ..entry("OF0101")
            }],
            &one,
            &one
        ),
        ["OF0101 has no title"]
    );
    assert_eq!(
        messages(&[entry("OF1")], &["OF1"], &["OF1"]),
        ["OF1 is not `OF` and four digits"]
    );
    assert_eq!(
        messages(&[], &one, &[]),
        ["OF0101 is defined and not in the table `CODES`"]
    );
    assert_eq!(messages(&[], &[], &one), ["OF0101 has a page and no code"]);
}

#[test]
fn ids_are_found_where_codes_are_defined() {
    let text = "pub static A: Code = Code {\n    id: \"OF0101\",\n    title: \"x\" };\nstatic B: Code = Code { id: \"OF0102\" };";
    assert_eq!(defined(text).collect::<Vec<_>>(), ["OF0101", "OF0102"]);
}
