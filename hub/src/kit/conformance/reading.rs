//! Checks of reading: what one full read returns is compared with what other ways of reading the same return.

use super::{Stop, Trial, Tried, failed, not_applicable, shown, validator};
use crate::host::{Batch, Connector, Failure, ReadRequest};
use crate::kit::raw_json::Members;
use crate::kit::tap::Tap;
use crate::model::{StreamSpec, Value};
use std::collections::{BTreeMap, HashMap};

/// Records asked for at once, so that a stream has several batches.
pub const PAGE: u32 = 50;
const PAGE_BYTES: u32 = 4 << 20;
/// A part that has not ended after this many batches will not end.
const MOST_BATCHES: usize = 5_000;
/// New instances of one stream: one after every batch, as long as there are not more.
const MOST_INSTANCES: usize = 60;

/// One full read of a stream.
pub struct Baseline {
    pub parts: Vec<Part>,
    /// How many requests it took, and what was answered.
    pub requests: usize,
    pub answers: Vec<Vec<u8>>,
}

pub struct Part {
    pub name: String,
    pub batches: Vec<Batch>,
}

impl Baseline {
    pub fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.parts.iter().flat_map(|part| &part.batches)
    }

    pub fn records(&self) -> Vec<&str> {
        self.batches()
            .flat_map(|batch| lines(&batch.upserts.data))
            .collect()
    }
}

/// The lines of a chunk; the hub has seen that they are lines.
pub fn lines(data: &[u8]) -> impl Iterator<Item = &str> {
    data.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| std::str::from_utf8(line).unwrap_or_default())
}

pub fn request(stream: &str, part: &str, cursor: Option<&Batch>, size: u32) -> ReadRequest {
    ReadRequest {
        stream: stream.to_owned(),
        part: part.to_owned(),
        cursor: cursor.map(|batch| batch.cursor.clone()),
        since: None,
        until: None,
        max_records: size,
        max_bytes: PAGE_BYTES,
    }
}

/// Reads a part from its start to its end. `read` may be another connector for each batch.
pub fn read_part(
    stream: &str,
    part: &str,
    size: u32,
    mut read: impl FnMut(&ReadRequest) -> Result<Batch, Failure>,
) -> Result<Vec<Batch>, Stop> {
    let mut batches: Vec<Batch> = Vec::new();
    let mut cursors: HashMap<Vec<u8>, usize> = HashMap::new();
    while batches.last().is_none_or(|batch| !batch.done) {
        let batch = read(&request(stream, part, batches.last(), size))?;
        let before = cursors.insert(batch.cursor.clone(), batches.len());
        if let Some(before) = before.filter(|_| !batch.done) {
            return failed(circle(batches.len() - before));
        }
        batches.push(batch);
        if batches.len() > MOST_BATCHES {
            return failed(format!(
                "stream `{stream}` has not ended after {MOST_BATCHES} batches"
            ));
        }
    }
    Ok(batches)
}

/// A call depends on its cursor alone, so a cursor that repeats returns the same batches endlessly.
fn circle(batches: usize) -> String {
    let what = match batches {
        1 => "the cursor did not change between two batches".to_owned(),
        _ => format!("the cursor is the same as {batches} batches ago"),
    };
    format!(
        "{what}, and the last one was not `done`: each `read` has to return a new cursor, or `done`"
    )
}

pub fn baselines(trial: &Trial) -> Result<BTreeMap<String, Baseline>, String> {
    let mut baselines = BTreeMap::new();
    // Of each stream, so that all that is wrong is seen at once.
    let mut broken = Vec::new();
    for stream in &trial.description().streams {
        match baseline(trial, &stream.name) {
            Ok(baseline) => {
                baselines.insert(stream.name.clone(), baseline);
            }
            Err(Stop::Failed(why) | Stop::NotApplicable(why)) => {
                broken.push(format!("stream `{}` cannot be read: {why}", stream.name));
            }
        }
    }
    match broken.is_empty() {
        true => Ok(baselines),
        false => Err(broken.join("; ")),
    }
}

fn baseline(trial: &Trial, stream: &str) -> Result<Baseline, Stop> {
    let tap = Tap::new(trial.way_out());
    tap.keep_answers();
    let mut connector = trial.fresh_through(tap.clone());
    let mut parts = Vec::new();
    for name in connector.split(stream, None)? {
        let batches = read_part(stream, &name, PAGE, |request| connector.read(request))?;
        parts.push(Part { name, batches });
    }
    Ok(Baseline {
        parts,
        requests: tap.sent(),
        answers: tap.take_answers(),
    })
}

/// Calls `look` with each stream and its read.
fn each(trial: &Trial, look: impl Fn(&StreamSpec, &Baseline) -> Tried) -> Tried {
    let baselines = trial.baselines()?;
    for stream in &trial.description().streams {
        if let Some(baseline) = baselines.get(&stream.name) {
            look(stream, baseline)?;
        }
    }
    Ok(())
}

pub fn key_of(stream: &StreamSpec, record: &str) -> Result<String, Stop> {
    let key = Members::parse(record).and_then(|members| members.key(&stream.primary_key));
    match key {
        Some(key) => Ok(key),
        None => failed(format!(
            "stream `{}`: a record lacks its primary key `{}`: {}",
            stream.name,
            stream.primary_key.join("`, `"),
            shown(record)
        )),
    }
}

pub fn record_schema(trial: &Trial) -> Tried {
    let mut records = 0;
    let baselines = trial.baselines()?;
    for stream in &trial.description().streams {
        let Ok(validator) = validator(&stream.schema) else {
            return failed(format!(
                "the schema of stream `{}` is not valid",
                stream.name
            ));
        };
        for record in baselines[&stream.name].records() {
            records += 1;
            let value: Value = serde_json::from_str(record).unwrap_or_default();
            if let Err(error) = validator.validate(&value) {
                return failed(format!(
                    "stream `{}`: `{}`: {}",
                    stream.name,
                    error.instance_path(),
                    shown(&error.to_string())
                ));
            }
        }
    }
    match records {
        0 => not_applicable("the vendor has no records"),
        _ => Ok(()),
    }
}

/// A record may come again, when a connector reads some of the past once more; then it is the same record.
pub fn primary_key(trial: &Trial) -> Tried {
    each(trial, |stream, baseline| {
        let mut seen: HashMap<String, &str> = HashMap::new();
        for record in baseline.records() {
            let before = seen.insert(key_of(stream, record)?, record);
            if before.is_some_and(|before| before != record) {
                return failed(format!(
                    "stream `{}`: two different records have the same primary key: {}",
                    stream.name,
                    shown(record)
                ));
            }
        }
        Ok(())
    })
}

pub fn same_page(trial: &Trial) -> Tried {
    each(trial, |stream, baseline| {
        for part in &baseline.parts {
            let mut connector = trial.fresh();
            let mut before = None;
            for (number, batch) in part.batches.iter().enumerate() {
                // The same instance is asked twice, and is another one than that of the first read.
                for _ in 0..2 {
                    let asked = request(&stream.name, &part.name, before, PAGE);
                    let again = connector.read(&asked)?;
                    if again.upserts != batch.upserts || again.deletes != batch.deletes {
                        return failed(format!(
                            "stream `{}`: batch {} is another one when it is read with the same cursor again",
                            stream.name,
                            number + 1
                        ));
                    }
                }
                before = Some(batch);
            }
        }
        Ok(())
    })
}

pub fn order(trial: &Trial) -> Tried {
    each(trial, |stream, baseline| {
        let again = self::baseline(trial, &stream.name)?;
        same(&stream.name, "a second read", baseline, &again)
    })
}

fn same(stream: &str, what: &str, one: &Baseline, other: &Baseline) -> Tried {
    let (left, right) = (one.records(), other.records());
    if left != right {
        let at = left.iter().zip(&right).position(|(a, b)| a != b);
        return failed(format!(
            "stream `{stream}`: {what} returns {} records and not {}, or in another order from record {}",
            right.len(),
            left.len(),
            at.unwrap_or(left.len().min(right.len())) + 1
        ));
    }
    let deleted = |baseline: &Baseline| -> Vec<String> {
        let chunks = baseline
            .batches()
            .filter_map(|batch| batch.deletes.as_ref());
        chunks
            .flat_map(|chunk| lines(&chunk.data))
            .map(str::to_owned)
            .collect()
    };
    match deleted(one) == deleted(other) {
        true => Ok(()),
        false => failed(format!("stream `{stream}`: {what} returns other deletions")),
    }
}

pub fn resume(trial: &Trial) -> Tried {
    each(trial, |stream, baseline| {
        let mut parts = Vec::new();
        let mut instances = 0;
        let mut connector = trial.fresh();
        for part in &baseline.parts {
            let batches = read_part(&stream.name, &part.name, PAGE, |request| {
                if instances < MOST_INSTANCES {
                    instances += 1;
                    connector = trial.fresh();
                }
                connector.read(request)
            })?;
            let name = part.name.clone();
            parts.push(Part { name, batches });
        }
        let other = Baseline {
            parts,
            requests: 0,
            answers: Vec::new(),
        };
        same(
            &stream.name,
            "a new instance after every batch",
            baseline,
            &other,
        )
    })
}

/// What a reader knows in the end: the last record of each key, or that it was deleted.
fn end(
    stream: &StreamSpec,
    baseline: &Baseline,
) -> Result<(BTreeMap<String, String>, usize), Stop> {
    let mut known = BTreeMap::new();
    let mut again = 0;
    for batch in baseline.batches() {
        for record in lines(&batch.upserts.data) {
            let before = known.insert(key_of(stream, record)?, record.to_owned());
            again += usize::from(before.is_some());
        }
        for row in batch.deletes.iter().flat_map(|chunk| lines(&chunk.data)) {
            known.remove(&key_of(stream, row)?);
        }
    }
    Ok((known, again))
}

pub fn boundaries(trial: &Trial) -> Tried {
    trial.needs_live()?;
    let mut records = 0;
    let baselines = trial.baselines()?;
    for stream in &trial.description().streams {
        let baseline = &baselines[&stream.name];
        let (known, again) = end(stream, baseline)?;
        records += known.len();
        for size in [7, 25, 200] {
            let mut connector = trial.fresh();
            let mut parts = Vec::new();
            for part in &baseline.parts {
                let read = |request: &ReadRequest| connector.read(request);
                let batches = read_part(&stream.name, &part.name, size, read)?;
                let name = part.name.clone();
                parts.push(Part { name, batches });
            }
            let other = Baseline {
                parts,
                requests: 0,
                answers: Vec::new(),
            };
            let (found, doubled) = end(stream, &other)?;
            if let Some(key) = known.keys().find(|key| !found.contains_key(*key)) {
                return failed(format!(
                    "stream `{}` by {size}: record {} is lost",
                    stream.name,
                    key.replace('\u{1f}', " ")
                ));
            }
            if found != known {
                return failed(format!(
                    "stream `{}` by {size}: there are other records",
                    stream.name
                ));
            }
            if again == 0 && doubled > 0 {
                return failed(format!(
                    "stream `{}` by {size}: {doubled} records come twice",
                    stream.name
                ));
            }
        }
    }
    match records {
        0 => not_applicable("the vendor has no records"),
        _ => Ok(()),
    }
}

pub fn deletions(trial: &Trial) -> Tried {
    let baselines = trial.baselines()?;
    let mut seen = 0;
    let mut supports = false;
    for stream in &trial.description().streams {
        supports |= stream.supports_deletes;
        let chunks = baselines[&stream.name]
            .batches()
            .filter_map(|batch| batch.deletes.as_ref());
        for row in chunks.flat_map(|chunk| lines(&chunk.data)) {
            if !stream.supports_deletes {
                return failed(format!(
                    "stream `{}` deletes, and the manifest says it does not",
                    stream.name
                ));
            }
            key_of(stream, row)?;
            let members = Members::parse(row).map_or(0, |members| members.0.len());
            if members != stream.primary_key.len() {
                return failed(format!(
                    "stream `{}`: a deletion says more than the primary key: {}",
                    stream.name,
                    shown(row)
                ));
            }
            seen += 1;
        }
    }
    match (supports, seen) {
        (false, _) => not_applicable("no stream declares that it supports deletions"),
        (true, 0) => deletion_after_erasure(trial),
        (true, _) => Ok(()),
    }
}

/// When a first read shows no deletion, one may be made: by erasing a person whom the connector can read.
fn deletion_after_erasure(trial: &Trial) -> Tried {
    match trial.subject.settings.vendor.practice {
        Some(_) => failed("the practice help desk has deleted contacts, and none of them arrives"),
        None => not_applicable("the vendor reports no deletion"),
    }
}

pub fn nothing_new(trial: &Trial) -> Tried {
    each(trial, |stream, baseline| {
        let known: HashMap<&str, ()> = baseline
            .records()
            .into_iter()
            .map(|one| (one, ()))
            .collect();
        for part in &baseline.parts {
            let mut connector = trial.fresh();
            let mut last = part.batches.last().cloned();
            for _ in 0..20 {
                let batch =
                    connector.read(&request(&stream.name, &part.name, last.as_ref(), PAGE))?;
                let new = lines(&batch.upserts.data).find(|line| !known.contains_key(line));
                if let Some(record) = new {
                    return failed(format!(
                        "stream `{}`: after its end comes a record that did not come before: {}",
                        stream.name,
                        shown(record)
                    ));
                }
                let done = batch.done;
                last = Some(batch);
                if done {
                    break;
                }
            }
            if last.is_none_or(|batch| !batch.done) {
                return failed(format!(
                    "stream `{}` does not end when it is read on",
                    stream.name
                ));
            }
        }
        Ok(())
    })
}

pub fn batch_size(trial: &Trial) -> Tried {
    each(trial, |stream, baseline| {
        match baseline.batches().find(|batch| batch.upserts.count > PAGE) {
            None => Ok(()),
            Some(batch) => failed(format!(
                "stream `{}`: a batch has {} records; {PAGE} were asked for",
                stream.name, batch.upserts.count
            )),
        }
    })
}

/// Reads a stream's parts to their end, calling again after what may pass; each failure is shown to `judge`.
pub fn read_through(
    trial: &Trial,
    stream: &str,
    parts: &[Part],
    connector: &mut dyn Connector,
    judge: &mut dyn FnMut(&Failure) -> Tried,
) -> Result<Baseline, Stop> {
    let mut read = Vec::new();
    for part in parts {
        let mut verdict = Ok(());
        let batches = read_part(stream, &part.name, PAGE, |request| {
            connector.read(request).or_else(|failure| {
                trial.heard(&failure);
                verdict = judge(&failure);
                connector.read(request)
            })
        });
        verdict?;
        let name = part.name.clone();
        read.push(Part {
            name,
            batches: batches?,
        });
    }
    Ok(Baseline {
        parts: read,
        requests: 0,
        answers: Vec::new(),
    })
}
