//! A connector that calls nobody and has two people, one with a long name, two records that are nested, one of them without end,
//! and in every other stream one record of each kind that is awkward for an expression, large ones where the stream's name begins
//! with `w`. Behind its manifest is room: tests write other manifests into copies of the component.

use onefold_sdk::{Batch, CheckReport, Connector, Hub, ReadRequest, Result, Rows, Source};
use serde_json::{Value, json};

pub struct Mapper;

onefold_sdk::export!(Mapper: source);

/// Bytes for the manifest of a copy.
const ROOM: usize = 128 << 10;

const WRITTEN: &[u8] = br#"{"name":"mapper","title":"Mapper","version":"1.0.0","streams":[
{"name":"deep","title":"Deep","primary_key":["id"],"schema":{"type":"object"},
"mapping":{"to":"person","key":"id","map":{"deep":"deep"}}},
{"name":"people","title":"People","primary_key":["id"],"schema":{"type":"object"},
"mapping":{"to":"person","key":"id","map":{"first_name":"name"}}}]}"#;

const PADDED: &[u8; ROOM] = &{
    let mut bytes = [b' '; ROOM];
    let mut at = 0;
    while at < WRITTEN.len() {
        bytes[at] = WRITTEN[at];
        at += 1;
    }
    bytes
};

impl Connector for Mapper {
    type Config = Value;
    const MANIFEST: &'static str = match std::str::from_utf8(PADDED) {
        Ok(text) => text,
        Err(_) => "",
    };
    const CONFIG_SCHEMA: &'static str = r#"{"type":"object"}"#;

    fn check(_: &dyn Hub, _: &Self::Config) -> Result<CheckReport> {
        Ok(CheckReport::default())
    }
}

impl Source for Mapper {
    fn read(_: &dyn Hub, _: &Self::Config, request: &ReadRequest) -> Result<Batch> {
        let mut rows = Rows::default();
        match &*request.stream {
            "people" => {
                rows.push(&json!({ "id": 1, "name": "Ada" }))?;
                rows.push(&json!({ "id": 2, "name": "a".repeat(1_000) }))?;
            }
            "deep" => {}
            other => {
                let size = if other.starts_with('w') { 50 } else { 1 };
                for (id, mut record) in kinds(size).into_iter().enumerate() {
                    record["id"] = id.into();
                    rows.push(&record)?;
                }
            }
        }
        let mut upserts = rows.into_chunk();
        if request.stream == "deep" {
            // JSON is read up to 128 levels.
            for (id, depth) in [(3, 126), (4, 100_000)] {
                let (open, close) = ("[".repeat(depth), "]".repeat(depth));
                let line = format!("{{\"id\":{id},\"deep\":{open}{close}}}\n");
                upserts.data.extend(line.as_bytes());
                upserts.count += 1;
            }
        }
        Ok(Batch {
            upserts,
            cursor: b"1".to_vec(),
            done: true,
            ..Batch::default()
        })
    }
}

fn nested(depth: usize, inner: Value) -> Value {
    (0..depth).fold(inner, |inner, level| match level % 2 {
        0 => json!([inner]),
        _ => json!({ "a": inner }),
    })
}

/// Nothing, a little of all, deep, long, wide, extreme, empty, and texts of the kinds that filters read.
fn kinds(size: usize) -> Vec<Value> {
    let wide: Vec<u32> = (0..600 * size as u32)
        .map(|number| number % 7_000)
        .collect();
    let words: Vec<String> = (0..200 * size)
        .map(|number| format!("İ{number}ß"))
        .collect();
    let keys = (0..100 * size).map(|number| (format!("k{number}"), json!("x")));
    let keys: serde_json::Map<String, Value> = keys.collect();
    vec![
        json!({}),
        json!({ "a": "Ada", "b": { "c": "x", "a": 3 }, "c": [1, "2", null, [3]], "n": 12.5 }),
        json!({ "a": nested(90, json!("x")), "b": { "c": nested(89, json!(1)) }, "c": [nested(80, json!(null))] }),
        json!({ "a": "a".repeat(20_971 * size), "b": { "c": "ßİa,".repeat(4_000 * size) }, "c": " a".repeat(8_000 * size), "n": "9".repeat(6_000 * size) }),
        json!({ "a": wide.clone(), "b": { "c": words.clone(), "a": keys.clone() }, "c": [wide, words, keys], "n": 3 }),
        json!({ "a": i64::MIN, "b": { "c": u64::MAX }, "c": -0.0, "n": 1e308 }),
        json!({ "a": "", "b": [], "c": {}, "n": null }),
        json!({ "a": "+48600123456@x.example".repeat(400 * size), "b": "2024-01-01T00:00:00".repeat(400 * size), "c": "1.000,5".repeat(1_000 * size) }),
    ]
}
