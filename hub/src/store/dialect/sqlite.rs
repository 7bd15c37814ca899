//! The statements, types and calls that differ between databases. Everything else in `store` is one text for all.
//! Knows no table.

use crate::expression::{Pattern, split_position};
use crate::model::fold;
use crate::store::value::{Arg, pack};
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{FromSqlError, ToSql, ToSqlOutput, Value, ValueRef};
use sqlx::ConnectOptions;
use std::path::Path;

pub type Database = sqlx::Sqlite;
pub type Connection = sqlx::SqliteConnection;
pub type Pool = sqlx::SqlitePool;
pub type PoolOptions = sqlx::sqlite::SqlitePoolOptions;
pub type Options = sqlx::sqlite::SqliteConnectOptions;
pub type Row = sqlx::sqlite::SqliteRow;

/// A row that `by_key` found.
pub type Found<'r> = rusqlite::Row<'r>;
pub use rusqlite::Result as FoundResult;

/// An error of either of the two drivers.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
    #[error(transparent)]
    Rusqlite(#[from] rusqlite::Error),
}

/// How many rows one statement inserts: it keeps its place in the tree from row to row, and its program stays small.
const ROWS: usize = 64;

/// Runs `insert into {table} values (…)` for rows that do not exist.
///
/// `or fail` does not change what happens: after an error the whole transaction is rolled back. But SQLite copies each
/// page before a statement of many rows changes it, unless that statement never has to be undone alone. Nor has a statement of
/// a single row, so what may update goes through `each`.
pub async fn insert<R, const N: usize>(
    connection: &mut Connection,
    table: &str,
    rows: &[R],
    values: impl for<'r> Fn(&'r R) -> [Arg<'r>; N],
) -> Result<(), Failed> {
    let row = format!("({})", vec!["?"; N].join(","));
    let text = |rows: usize| {
        let rows = vec![&*row; rows].join(",");
        format!("insert or fail into {table} values {rows}")
    };
    let (many, few) = rows.as_chunks::<ROWS>();
    if rows.is_empty() {
        return Ok(());
    }
    past_sqlx(connection, |connection| {
        if !many.is_empty() {
            let mut statement = connection.prepare(&text(ROWS))?;
            let mut bound = Bound::new(ROWS * N);
            for rows in many {
                for (index, value) in rows.iter().flat_map(&values).enumerate() {
                    bound.put(&mut statement, index, value)?;
                }
                statement.raw_execute()?;
            }
        }
        run_each(connection, &text(1), few, values).map(drop)
    })
    .await
}

/// Runs one statement for each row; returns how many rows of the database they changed.
pub async fn each<R, const N: usize>(
    connection: &mut Connection,
    text: &str,
    rows: &[R],
    values: impl for<'r> Fn(&'r R) -> [Arg<'r>; N],
) -> Result<usize, Failed> {
    if rows.is_empty() {
        return Ok(0);
    }
    past_sqlx(connection, |connection| {
        run_each(connection, text, rows, values)
    })
    .await
}

fn run_each<R, const N: usize>(
    connection: &rusqlite::Connection,
    text: &str,
    rows: &[R],
    values: impl for<'r> Fn(&'r R) -> [Arg<'r>; N],
) -> rusqlite::Result<usize> {
    let mut changed = 0;
    if rows.is_empty() {
        return Ok(changed);
    }
    let mut statement = connection.prepare(text)?;
    let mut bound = Bound::new(N);
    for row in rows {
        for (index, value) in values(row).into_iter().enumerate() {
            bound.put(&mut statement, index, value)?;
        }
        changed += statement.raw_execute()?;
    }
    Ok(changed)
}

/// The values that a statement has: it keeps them from row to row, and SQLite would copy each text again.
struct Bound<'r>(Vec<Option<Arg<'r>>>);

impl<'r> Bound<'r> {
    fn new(count: usize) -> Self {
        Self(vec![None; count])
    }

    fn put(
        &mut self,
        statement: &mut rusqlite::Statement<'_>,
        index: usize,
        value: Arg<'r>,
    ) -> rusqlite::Result<()> {
        if self.0[index].is_some_and(|bound| bound.is_surely(&value)) {
            return Ok(());
        }
        self.0[index] = Some(value);
        statement.raw_bind_parameter(index + 1, value)
    }
}

/// The rows of each key; `text` selects by `$1`, and by `more` from `$2` on.
pub async fn by_key<T>(
    connection: &mut Connection,
    text: &str,
    keys: &[i64],
    more: &[impl ToSql],
    read: impl Fn(&Found<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Failed> {
    past_sqlx(connection, |connection| {
        let mut statement = connection.prepare(text)?;
        let mut found = Vec::new();
        for (index, value) in more.iter().enumerate() {
            statement.raw_bind_parameter(index + 2, value)?;
        }
        for key in keys {
            statement.raw_bind_parameter(1, key)?;
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                found.push(read(row)?);
            }
        }
        Ok(found)
    })
    .await
}

/// A column of codes, each of which must be one that is known.
pub fn known<T>(row: &Found<'_>, index: usize, read: fn(i64) -> Option<T>) -> rusqlite::Result<T> {
    let code = row.get(index)?;
    read(code).ok_or(rusqlite::Error::IntegralValueOutOfRange(index, code))
}

/// A column that holds integers as `Arg::Integers` stores them.
pub fn integers_in(row: &Found<'_>, index: usize) -> rusqlite::Result<Vec<i64>> {
    let bytes = row.get_ref(index)?.as_blob()?;
    match bytes.as_chunks::<8>() {
        (chunks, []) => Ok(chunks.iter().map(|one| i64::from_le_bytes(*one)).collect()),
        _ => Err(FromSqlError::InvalidBlobSize {
            expected_size: bytes.len().next_multiple_of(8),
            blob_size: bytes.len(),
        }
        .into()),
    }
}

/// Values that another thread can take.
pub fn owned(values: &[Arg<'_>]) -> Vec<Value> {
    let owned = values.iter().map(|value| match *value {
        Arg::Int(value) | Arg::OptInt(Some(value)) => Value::Integer(value),
        Arg::Text(value) | Arg::OptText(Some(value)) => Value::Text(value.to_owned()),
        Arg::Bytes(value) => Value::Blob(value.to_vec()),
        Arg::Integers(values) => Value::Blob(pack(values)),
        Arg::Real(value) => Value::Real(value),
        Arg::OptInt(None) | Arg::OptText(None) => Value::Null,
    });
    owned.collect()
}

/// The first column of each row that a query selects.
pub async fn integers(
    connection: &mut Connection,
    text: &str,
    binds: &[Arg<'_>],
) -> Result<Vec<i64>, Failed> {
    past_sqlx(connection, |connection| {
        let mut statement = connection.prepare(text)?;
        let mut rows = statement.query(rusqlite::params_from_iter(binds))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(row.get(0)?);
        }
        Ok(found)
    })
    .await
}

/// Commands that wait for sqlx's worker. Each statement that goes past it leaves one, and one that finds no room waits for the
/// worker while the worker waits for it: there is room for more than are run while a thread is not scheduled.
const COMMANDS: usize = 1 << 24;

/// How to connect. The library does not log statements: a slow one is not something that an operator can act on, and would be
/// printed on the terminal as a warning with its whole text.
pub fn options(url: &str) -> Result<Options, sqlx::Error> {
    let options: Options = url.parse()?;
    let options = options.command_buffer_size(COMMANDS);
    Ok(options.disable_statement_logging())
}

/// Registers the functions that conditions and searches use: `regexp(pattern, text)`, `place(split, uuid)` and
/// `mentions(values, folded)`, whether a text value of a JSON object contains a text regardless of case.
pub async fn teach(connection: &mut Connection) -> Result<(), Failed> {
    past_sqlx(connection, |connection| {
        let flags = FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_UTF8;
        connection.create_scalar_function("regexp", 2, flags, |call| {
            let pattern = call.get_or_create_aux(0, |value| {
                let text = value.as_str().map_err(|error| error.to_string())?;
                Pattern::parse(text).map_err(|bad| bad.message)
            })?;
            let text = call.get_raw(1);
            Ok(text.as_str().is_ok_and(|text| pattern.is_in(text)))
        })?;
        connection.create_scalar_function("split_position", 2, flags, |call| {
            let split = call.get_raw(0).as_str()?;
            let person: [u8; 16] = call.get(1)?;
            Ok(split_position(split, &person))
        })?;
        connection.create_scalar_function("mentions", 2, flags, |call| {
            let values: serde_json::Value = serde_json::from_str(call.get_raw(0).as_str()?)
                .map_err(|error| rusqlite::Error::UserFunctionError(Box::new(error)))?;
            let folded = call.get_raw(1).as_str()?;
            Ok(folded.is_empty() || mentions(&values, folded))
        })
    })
    .await
}

fn mentions(value: &serde_json::Value, folded: &str) -> bool {
    match value {
        serde_json::Value::String(text) => fold(text).contains(folded),
        serde_json::Value::Number(number) => number.to_string().contains(folded),
        serde_json::Value::Array(items) => items.iter().any(|item| mentions(item, folded)),
        serde_json::Value::Object(fields) => fields.values().any(|one| mentions(one, folded)),
        serde_json::Value::Null | serde_json::Value::Bool(_) => false,
    }
}

/// Lends the open connection to rusqlite. sqlx would copy every value twice and pass each statement and each row to
/// another thread. Blocks until it is done.
async fn past_sqlx<T>(
    connection: &mut Connection,
    run: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>,
) -> Result<T, Failed> {
    let mut locked = connection.lock_handle().await?;
    #[allow(
        unsafe_code,
        reason = "rusqlite takes the handle of an open connection on trust"
    )]
    // SAFETY: the handle is open and nobody else's for as long as `locked` lives, and `borrowed`, which does not close
    // it, is dropped before.
    let borrowed = unsafe { rusqlite::Connection::from_handle(locked.as_raw_handle().as_ptr()) };
    Ok(run(&borrowed?)?)
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

/// Translates a migration into the database's own SQL.
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

/// How large the database is.
pub const BYTES: &str =
    "select page_count * page_size from pragma_page_count(), pragma_page_size()";

/// Committed pages in the WAL that are not checkpointed yet.
pub async fn pages_in_wal(connection: &mut Connection) -> Result<i64, sqlx::Error> {
    let text = "pragma wal_checkpoint(noop)";
    let (_, pages, done): (i64, i64, i64) = sqlx::query_as(text).fetch_one(connection).await?;
    Ok(pages - done)
}

/// Checkpoints them, except pages that a reader still needs to be in the WAL, and later commits.
pub async fn checkpoint(connection: &mut Connection) -> Result<(), sqlx::Error> {
    let text = "pragma wal_checkpoint(passive)";
    sqlx::query(text).execute(connection).await?;
    Ok(())
}

/// Frees the pages that a connection keeps in memory.
pub async fn shrink(connection: &mut Connection) -> Result<(), sqlx::Error> {
    sqlx::Connection::clear_cached_statements(connection).await?;
    sqlx::query("pragma shrink_memory")
        .execute(connection)
        .await?;
    Ok(())
}

/// The first statements of the writing connection. `tidying` checkpoints the WAL; the writer does so only when that does
/// not keep up.
pub const OPENING_WRITER: &str = "pragma busy_timeout = 30000; pragma page_size = 8192; pragma journal_mode = wal; pragma synchronous = normal; \
    pragma cache_size = -49152; pragma temp_store = memory; pragma wal_autocheckpoint = 100000; pragma mmap_size = 0;";

/// The first statements of a reading connection.
pub const OPENING_READER: &str = "pragma busy_timeout = 30000; pragma cache_size = -4096; pragma temp_store = memory; \
    pragma mmap_size = 0; pragma query_only = true;";

/// Begins a transaction as the writer. One that began as a reader could not become the writer once another process had
/// committed in between.
pub const BEGIN_WRITING: &str = "begin immediate";

/// Copies a database, as it is at this moment, into a new file; others go on working with it.
pub async fn copy(url: &str, to: &str) -> Result<(), sqlx::Error> {
    let mut connection = options(url)?.connect().await?;
    sqlx::query("vacuum into $1")
        .bind(to)
        .execute(&mut connection)
        .await?;
    sqlx::Connection::close(connection).await
}

/// The file of a database; none for one in memory.
pub fn path(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = path.split('?').next().unwrap_or(path);
    (!path.is_empty() && !path.starts_with(':')).then(|| Path::new(path))
}

/// Whether another process is writing.
pub fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    // SQLITE_BUSY, with or without an extended code in the upper bytes.
    code.and_then(|code| code.parse::<u32>().ok())
        .is_some_and(|code| code & 0xff == 5)
}

/// Whether a row with the same key exists already.
pub fn is_there(error: &Failed) -> bool {
    let Failed::Rusqlite(error) = error else {
        return false;
    };
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

    use super::*;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_slow_statement_is_not_printed_on_the_terminal() {
        let kept = Kept::default();
        let writer = kept.clone();
        // The library logs on threads of its own.
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::WARN)
            .with_writer(move || writer.clone())
            .init();
        let url = "sqlite::memory:";
        let pool = PoolOptions::new().connect_with(options(url).unwrap());
        let mut connection = pool.await.unwrap().acquire().await.unwrap();
        past_sqlx(&mut connection, |connection| {
            connection.create_scalar_function("pause", 1, FunctionFlags::default(), |call| {
                std::thread::park_timeout(Duration::from_millis(call.get::<u32>(0)?.into()));
                Ok(true)
            })
        })
        .await
        .unwrap();
        let statement = sqlx::query("select pause(1200)");
        statement.fetch_all(&mut *connection).await.unwrap();
        drop(connection);
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert!(!text.contains("pause"), "{text}");
    }

    /// With sqlx's own 50 commands this hangs: while its worker is not scheduled between giving the connection away and asking
    /// for it back, statements go on, each with a command more, until one waits for room in the queue with the connection in hand.
    #[test]
    fn statements_past_sqlx_do_not_wait_for_a_worker_that_is_slow_to_ask_back() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let busy = Arc::new(std::sync::atomic::AtomicBool::new(true));
        // So that the worker's thread is often not scheduled.
        let others: Vec<_> = (0..16)
            .map(|_| {
                let busy = busy.clone();
                std::thread::spawn(move || {
                    while busy.load(std::sync::atomic::Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                })
            })
            .collect();
        let statements = async {
            let pool = PoolOptions::new().connect_with(options("sqlite::memory:").unwrap());
            let mut connection = pool.await.unwrap().acquire().await.unwrap();
            for _ in 0..10_000 {
                let one = past_sqlx(&mut connection, |connection| {
                    connection.query_row("select 1", [], |row| row.get::<_, i64>(0))
                });
                assert_eq!(one.await.unwrap(), 1);
            }
        };
        let most = Duration::from_secs(60);
        let done = runtime.block_on(async { tokio::time::timeout(most, statements).await });
        busy.store(false, std::sync::atomic::Ordering::Relaxed);
        for other in others {
            other.join().unwrap();
        }
        done.expect("the worker and the statement wait for one another");
    }
}
