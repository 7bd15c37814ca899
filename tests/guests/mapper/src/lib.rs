//! A connector that calls nobody and has two people, one with a long name. Behind its manifest is room: tests write other
//! mappings into copies of the component.

use onefold_sdk::{Batch, CheckReport, Connector, Hub, ReadRequest, Result, Rows, Source};
use serde_json::json;

pub struct Mapper;

onefold_sdk::export!(Mapper: source);

/// Bytes for the manifest of a copy.
const ROOM: usize = 128 << 10;

const WRITTEN: &[u8] = br#"{"name":"mapper","title":"Mapper","version":"1.0.0","streams":[
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
    fn read(_: &dyn Hub, _: &Self::Config, _: &ReadRequest) -> Result<Batch> {
        let mut rows = Rows::default();
        rows.push(&json!({ "id": 1, "name": "Ada" }))?;
        rows.push(&json!({ "id": 2, "name": "a".repeat(1_000) }))?;
        Ok(Batch {
            upserts: rows.into_chunk(),
            cursor: b"1".to_vec(),
            done: true,
            ..Batch::default()
        })
    }
}
