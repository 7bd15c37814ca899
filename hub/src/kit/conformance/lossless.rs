//! Whether what a vendor wrote comes through unchanged: each record is compared with the row that the vendor sent for it,
//! and a member that nobody declared is put into every row.

use super::reading::{Baseline, lines, read_part};
use super::{Stop, Trial, Tried, failed, not_applicable, shown};
use crate::host::{Batch, Chunk};
use crate::kit::raw_json::{Members, compact, each_object};
use crate::kit::tap::Tap;
use crate::model::StreamSpec;
use std::collections::HashMap;

/// Hard for code that parses and serialises: a spelling, a number beyond 2^53, one beyond 64 bits, escapes, emptiness.
const PROBE_NAME: &str = "onefold_probe";
const PROBE: &str = r#"{"spelled":1.10,"big":9007199254740993,"bigger":123456789012345678901234567890,"exponent":1E+2,"text":"\u00e9 ż \ud83e\udd8a \/ 🦊","empty":"","none":null,"list":[[],{}]}"#;

pub fn unknown_fields(trial: &Trial) -> Tried {
    let baselines = trial.baselines()?;
    let mut compared = 0;
    let mut built = Vec::new();
    for stream in &trial.description().streams {
        let baseline = &baselines[&stream.name];
        match count_unchanged(stream, &baseline.answers, &baseline.records())? {
            0 => built.push(format!("`{}`", stream.name)),
            some => {
                compared += some;
                probed(trial, stream, baseline)?;
            }
        }
    }
    match compared {
        0 => not_applicable(format!(
            "no record of {} is a row of the vendor's",
            built.join(", ")
        )),
        _ => Ok(()),
    }
}

/// How many records were found in the vendor's answers. Either all of a stream's records are the vendor's rows, or it
/// builds its records itself and none is.
fn count_unchanged(
    stream: &StreamSpec,
    answers: &[Vec<u8>],
    records: &[&str],
) -> Result<usize, Stop> {
    let mut rows: HashMap<String, Vec<Members>> = HashMap::new();
    for answer in answers {
        let text = std::str::from_utf8(answer).unwrap_or_default();
        each_object(text.trim(), &mut |members| {
            if let Some(key) = members.key(&stream.primary_key) {
                rows.entry(key).or_default().push(members.clone());
            }
        });
    }
    let mut found = 0;
    let mut stranger = None;
    for record in records {
        let Some(members) = Members::parse(record) else {
            return failed(format!(
                "stream `{}`: a record is not an object",
                stream.name
            ));
        };
        let key = members.key(&stream.primary_key).unwrap_or_default();
        match rows.get(&key) {
            None => stranger = Some(*record),
            Some(rows) => {
                found += 1;
                let lacks: Vec<String> = rows
                    .iter()
                    .filter_map(|row| difference(row, &members))
                    .collect();
                if lacks.len() == rows.len() {
                    let first = lacks.first().cloned().unwrap_or_default();
                    return failed(format!("stream `{}`: {first}", stream.name));
                }
            }
        }
    }
    match stranger {
        Some(record) if found > 0 => failed(format!(
            "stream `{}`: the vendor sent no row with the primary key of {}",
            stream.name,
            shown(record)
        )),
        _ => Ok(found),
    }
}

/// What of the vendor's row the record does not say in the same characters.
pub(super) fn difference(row: &Members, record: &Members) -> Option<String> {
    for (name, value) in &row.0 {
        let said = record.0.iter().find(|(one, _)| one == name);
        match said {
            None => return Some(format!("the vendor's field `{name}` is not in the record")),
            Some((_, said)) if compact(said) != compact(value) => {
                return Some(format!(
                    "the vendor wrote {} in field `{name}`, and the record has {}",
                    shown(value),
                    shown(said)
                ));
            }
            Some(_) => {}
        }
    }
    None
}

fn probed(trial: &Trial, stream: &StreamSpec, baseline: &Baseline) -> Tried {
    let tap = Tap::new(trial.way_out());
    tap.add_to_rows(
        stream.primary_key.clone(),
        format!(r#""{PROBE_NAME}":{PROBE}"#),
    );
    let mut connector = trial.fresh_through(tap);
    for part in &baseline.parts {
        let batches = read_part(&stream.name, &part.name, super::reading::PAGE, |request| {
            connector.read(request)
        })?;
        for record in batches.iter().flat_map(|batch| lines(&batch.upserts.data)) {
            let probe = Members::parse(record).and_then(|members| members.get(PROBE_NAME));
            let why = match probe {
                Some(probe) if compact(&probe) == compact(PROBE) => continue,
                Some(probe) => format!("comes as {}", shown(&probe)),
                None => "is not in the record".to_owned(),
            };
            return failed(format!(
                "stream `{}`: a field that nobody declared {why}",
                stream.name
            ));
        }
    }
    Ok(())
}

/// I17: a value in every row that many programs cannot read, and what is known of it.
pub fn unreadable_values(trial: &Trial) -> Tried {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let values = [
        ("half a character", r#""x\ud83d""#),
        ("a number that no program holds", "1e400"),
        ("`NaN`", "NaN"),
        ("200 lists in each other", &deep),
    ];
    let baselines = trial.baselines()?;
    let mut is_any = false;
    for stream in &trial.description().streams {
        let baseline = &baselines[&stream.name];
        // Rows that a connector makes its records of have other keys, and are not found.
        let unchanged = count_unchanged(stream, &baseline.answers, &baseline.records());
        if matches!(unchanged, Ok(0)) {
            continue;
        }
        is_any = true;
        for (what, value) in values {
            spoiled(trial, stream, baseline, what, value)?;
        }
    }
    match is_any {
        true => Ok(()),
        false => not_applicable("no stream's records are rows of the vendor's"),
    }
}

fn spoiled(
    trial: &Trial,
    stream: &StreamSpec,
    baseline: &Baseline,
    what: &str,
    value: &str,
) -> Tried {
    let tap = Tap::new(trial.way_out());
    tap.add_to_rows(
        stream.primary_key.clone(),
        format!(r#""{PROBE_NAME}":{value}"#),
    );
    let mut connector = trial.fresh_through(tap);
    let because = |why: &str| format!("stream `{}`: with {what} in a row {why}", stream.name);
    for part in &baseline.parts {
        let read = read_part(&stream.name, &part.name, super::reading::PAGE, |request| {
            connector.read(request)
        });
        let batches = match read {
            Ok(batches) => batches,
            Err(Stop::Failed(why) | Stop::NotApplicable(why)) => {
                return failed(because(&format!("nothing is read: {why}")));
            }
        };
        let keys = |chunks: Vec<&Chunk>| -> Vec<Option<String>> {
            let rows = chunks.into_iter().flat_map(|chunk| lines(&chunk.data));
            rows.map(|row| key_in(row, stream)).collect()
        };
        let upserts = |of: &[Batch]| keys(of.iter().map(|batch| &batch.upserts).collect());
        let deletes = |of: &[Batch]| keys(of.iter().flat_map(|batch| &batch.deletes).collect());
        if upserts(&batches) != upserts(&part.batches) {
            return failed(because("other records are returned"));
        }
        if deletes(&batches) != deletes(&part.batches) {
            return failed(because("other deletions are returned"));
        }
    }
    Ok(())
}

/// The key of a record, also where what cannot be read is the last of its members.
fn key_in(record: &str, stream: &StreamSpec) -> Option<String> {
    let before = || {
        let (before, _) = record.rsplit_once(&format!("\"{PROBE_NAME}\""))?;
        let before = before.trim_end().trim_end_matches(',');
        Members::parse(&format!("{before}}}"))
    };
    let members = Members::parse(record).or_else(before)?;
    members.key(&stream.primary_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> StreamSpec {
        StreamSpec {
            name: "contacts".to_owned(),
            primary_key: vec!["id".to_owned()],
            ..StreamSpec::default()
        }
    }

    fn verdict(record: &str) -> Result<usize, String> {
        let answer =
            br#"{"contacts":[{"id": 9007199254740993, "score": 1.10, "u": "\u00e9"}],"id":"page"}"#;
        count_unchanged(&stream(), &[answer.to_vec()], &[record]).map_err(|stop| match stop {
            Stop::Failed(why) | Stop::NotApplicable(why) => why,
        })
    }

    #[test]
    fn a_record_has_its_key_whatever_else_it_holds() {
        let key = |record: &str| key_in(record, &stream());
        let wanted = key(r#"{"id":7}"#);
        assert!(wanted.is_some());
        for value in [r#""\ud83d""#, "1e400", "NaN", "null", "[[]]"] {
            assert_eq!(
                key(&format!(r#"{{"id":7,"a":"x","onefold_probe":{value}}}"#)),
                wanted
            );
            assert_eq!(
                key(&format!(r#"{{"a":"x","onefold_probe":{value}}}"#)),
                None
            );
        }
        assert_eq!(key(r#"{"onefold_probe":null,"id":7}"#), wanted);
    }

    #[test]
    fn a_record_says_what_the_vendor_wrote_in_the_same_characters() {
        assert_eq!(
            verdict(r#"{"id":9007199254740993,"score":1.10,"u":"\u00e9","more":1}"#),
            Ok(1)
        );
        let why = verdict(r#"{"id":9007199254740993,"score":1.1,"u":"\u00e9"}"#).unwrap_err();
        assert!(why.contains("wrote 1.10 in field `score`"), "{why}");
        let why = verdict(r#"{"id":9007199254740993,"score":1.10}"#).unwrap_err();
        assert!(why.contains("`u` is not in the record"), "{why}");
    }

    #[test]
    fn a_record_that_is_no_row_of_the_vendor_is_built_by_the_connector_unless_others_are_rows() {
        assert_eq!(verdict(r#"{"id":"a-b"}"#), Ok(0));
        let answer = br#"[{"id":1},{"id":9007199254740993}]"#;
        let rounded = [r#"{"id":1}"#, r#"{"id":9007199254740992}"#];
        assert!(count_unchanged(&stream(), &[answer.to_vec()], &rounded).is_err());
    }
}
