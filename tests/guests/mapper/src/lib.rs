//! A connector that calls nobody and has two people, one with a long name, and two records that are nested, one of them
//! without end. Behind its manifest is room: tests write other mappings into copies of the component.

use onefold_sdk::{Batch, CheckReport, Connector, Hub, ReadRequest, Result, Rows, Source};
use serde_json::json;

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
    type Config = serde_json::Value;
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
        if request.stream != "deep" {
            rows.push(&json!({ "id": 1, "name": "Ada" }))?;
            rows.push(&json!({ "id": 2, "name": "a".repeat(1_000) }))?;
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
