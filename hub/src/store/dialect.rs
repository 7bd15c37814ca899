//! The statements, types and calls that differ between databases. Everything else in `store` is one text for all.
//! Knows no table.

use super::bulk::{Arg, pack};
use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};

pub type Database = sqlx::Sqlite;
pub type Connection = sqlx::SqliteConnection;
pub type Pool = sqlx::SqlitePool;
pub type PoolOptions = sqlx::sqlite::SqlitePoolOptions;
pub type Row = sqlx::sqlite::SqliteRow;

/// Runs one statement for each row. On SQLite this goes past sqlx, which would copy every value twice and hand each
/// statement to another thread; it blocks for as long as it takes.
pub async fn each<R, const N: usize>(
    connection: &mut Connection,
    text: &str,
    rows: &[R],
    values: impl for<'r> Fn(&'r R) -> [Arg<'r>; N],
) -> Result<(), sqlx::Error> {
    let mut locked = connection.lock_handle().await?;
    #[allow(
        unsafe_code,
        reason = "rusqlite takes the handle of an open connection on trust"
    )]
    // SAFETY: the handle is open and nobody else's for as long as `locked` lives, and `borrowed`, which does not close
    // it, is dropped before.
    let borrowed = unsafe { rusqlite::Connection::from_handle(locked.as_raw_handle().as_ptr()) };
    let run = || {
        let borrowed = borrowed?;
        let mut statement = borrowed.prepare(text)?;
        for row in rows {
            statement.execute(rusqlite::params_from_iter(values(row)))?;
        }
        Ok(())
    };
    run().map_err(|error: rusqlite::Error| sqlx::Error::Protocol(error.to_string()))
}

impl ToSql for Arg<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match *self {
            Arg::Int(value) | Arg::OptInt(Some(value)) => ValueRef::Integer(value),
            Arg::Text(value) | Arg::OptText(Some(value)) => ValueRef::Text(value.as_bytes()),
            Arg::Bytes(value) => ValueRef::Blob(value),
            Arg::Real(value) => ValueRef::Real(value),
            Arg::OptInt(None) | Arg::OptText(None) => ValueRef::Null,
            Arg::Integers(values) => return Ok(ToSqlOutput::Owned(Value::Blob(pack(values)))),
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

/// Turns a migration's text into the database's own.
pub fn migration(text: &str) -> String {
    text.lines()
        .map(|line| match line.strip_suffix(" --clustered") {
            Some(table) => format!("{} without rowid;\n", table.trim_end_matches(';')),
            None => format!("{line}\n"),
        })
        .collect::<String>()
        .replace(" bigint primary key", " integer primary key")
        .replace(" bytea", " blob")
}

/// A set of integers given as one JSON array in parameter `$1`.
pub const IN_INTEGERS: &str = "in (select value from json_each($1))";

/// What the writing connection says first. A page that changes in many transactions goes to its place in the file once
/// in 128 MB of them.
pub const OPENING_WRITER: &str = "pragma journal_mode = wal; pragma synchronous = normal; pragma cache_size = -49152; \
    pragma temp_store = memory; pragma wal_autocheckpoint = 32000; pragma busy_timeout = 30000; pragma mmap_size = 0;";

/// What a reading connection says first.
pub const OPENING_READER: &str = "pragma cache_size = -4096; pragma temp_store = memory; \
    pragma busy_timeout = 30000; pragma mmap_size = 0; pragma query_only = true;";
