//! Versions of the manifests that were applied, with their content. Rows are only ever added.

use super::query::get;
use super::value::Arg;
use super::{Result, Tx, dialect, failed};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use std::io::{Read, Write};

#[derive(Debug, Clone)]
pub struct ManifestRow {
    pub id: i64,
    pub hash: String,
    pub applied_at: i64,
    /// What it changed, in a line.
    pub changes: String,
}

const COLUMNS: &str = "select id, hash, applied_at, changes from manifest_version";

impl Tx {
    /// Every version that was applied, the latest last.
    pub async fn manifest_versions(&mut self) -> Result<Vec<ManifestRow>> {
        self.all(format!("{COLUMNS} order by id"), &[], row).await
    }

    /// The one in force.
    pub async fn manifest_version(&mut self) -> Result<Option<ManifestRow>> {
        let text = format!("{COLUMNS} order by id desc limit 1");
        self.maybe(text, &[], row).await
    }

    pub async fn manifest_content(&mut self, id: i64) -> Result<String> {
        let text = "select content from manifest_version where id = $1";
        let packed: Vec<u8> = self.one(text, &[Arg::Int(id)], |row| get(row, 0)).await?;
        let mut content = String::new();
        let read = DeflateDecoder::new(&*packed).read_to_string(&mut content);
        read.map_err(failed)?;
        Ok(content)
    }

    pub async fn add_manifest_version(&mut self, row: &ManifestRow, content: &str) -> Result<()> {
        let mut packed = DeflateEncoder::new(Vec::new(), Compression::default());
        let written = packed.write_all(content.as_bytes());
        let packed = written.and_then(|()| packed.finish()).map_err(failed)?;
        let text = "insert into manifest_version (id, hash, applied_at, changes, content) values ($1, $2, $3, $4, $5)";
        let arguments = [
            Arg::Int(row.id),
            Arg::Text(&row.hash),
            Arg::Int(row.applied_at),
            Arg::Text(&row.changes),
            Arg::Bytes(&packed),
        ];
        self.run(text, &arguments).await
    }
}

fn row(row: &dialect::Row) -> Result<ManifestRow> {
    Ok(ManifestRow {
        id: get(row, 0)?,
        hash: get(row, 1)?,
        applied_at: get(row, 2)?,
        changes: get(row, 3)?,
    })
}
