//! The database: pools, migrations, and one file per family of tables. Knows no stage: it stores and loads plain rows.
//! A `Tx` is one transaction; a flow opens it, loads, lets the pure stages work, saves and commits.

mod account_audiences;
mod accounts;
mod audiences;
mod bulk;
mod capped;
mod changes;
mod computed;
mod deliveries;
mod dialect;
mod full_reads;
mod identity;
mod inbox;
mod jobs;
mod letters;
mod manifests;
mod missed;
mod models;
mod pauses;
mod profiles;
mod query;
mod records;
mod remote_audiences;
mod renames;
mod runs;
mod statements;
mod streams;
mod suggestions;
mod suppressions;
mod tests;
mod tidying;
mod trial;
mod turn;
mod value;
mod versions;

pub use account_audiences::{AccountLogRow, AccountMemberRow, AccountTimerRow, CountRow};
pub use accounts::{AccountClaimRow, AccountRow, RelationRow};
pub use audiences::{HappenedRow, LogRow, MemberRow, MovedRow, TimerRow};
pub use capped::CappedRow;
pub use changes::{AttemptRow, ChangeRow, Looked, RefusedRow};
pub use computed::FaultRow;
pub use deliveries::{AcknowledgedRow, DestinationCounts, KeyState, WantedRow, WrittenRow};
pub use full_reads::SeenBlock;
pub use identity::{EvidenceRow, IdentifierRow};
pub use inbox::{InboxRow, Waiting};
pub use jobs::JobRow;
pub use letters::{DeadLetterRow, Decision, LetterState};
pub use manifests::ManifestRow;
pub use missed::MissedRow;
pub use models::ModelRow;
pub use pauses::{PauseRow, Paused};
pub use profiles::{ClaimRow, EventRow, PersonRow};
pub use records::{RecordRow, RecordState, StoredRecord};
pub use runs::{RunRow, StatusCounts};
pub use statements::{Revoked, StatementRow};
pub use streams::StreamRow;
pub use suggestions::SuggestionRow;
pub use trial::{Trial, back_up};
pub use value::Arg;
pub use versions::{Effect, PastVersion, VersionRow};

use crate::files;
use crate::problem::Problem;
use crate::problem::codes::{STORE_FAILED, STORE_UNREADABLE};
use query::value;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr, Transaction};
use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use turn::{Held, Turn};

/// How long to wait for a connection that only makes things faster.
const SOON: Duration = Duration::from_millis(50);

/// One hub's database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    readers: dialect::Pool,
    /// SQLite has one writer: one connection, with most of the memory that SQLite may use.
    writer: dialect::Pool,
    /// Writers queue for it, including writers in other processes.
    turn: Turn,
    tidying: tidying::Committed,
    gate: Option<Gate>,
}

/// Called before each step of a transaction; may wait, and may refuse. Only tests have one.
pub type Gate = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<()>> + Send>> + Send + Sync>;

/// A transaction, rolled back unless committed.
pub struct Tx {
    inner: Transaction<'static, dialect::Database>,
    /// Of one that may write.
    turn: Option<(Held, tidying::Committed)>,
    /// Reads the state before this transaction.
    before: Option<Box<Tx>>,
    gate: Option<Gate>,
    changes_list: bool,
}

pub type Result<T> = std::result::Result<T, Problem>;

impl Store {
    /// Opens the database, and creates or migrates the schema.
    pub async fn open(url: &str) -> Result<Self> {
        let url = if url.starts_with("sqlite:") && !url.contains('?') {
            format!("{url}?mode=rwc")
        } else {
            url.to_owned()
        };
        let turn = Turn::open(dialect::path(&url))?;
        close_to_others(&url);
        // One process makes the tables while the others wait. Where they are made, nobody waits for the writer.
        let opening = match has_tables(&url).await {
            true => None,
            false => Some(turn.take().await?),
        };
        if let Some(path) = dialect::path(&url).filter(|_| opening.is_some()) {
            // What the database adds to a file gets that file's mode. A folder that is not there is reported below.
            let _ = files::keep(path);
        }
        let writer = pool(&url, 1, dialect::OPENING_WRITER).await?;
        if opening.is_some() {
            migrator().run(&writer).await.map_err(|error| {
                Problem::new(
                    &STORE_UNREADABLE,
                    format!("the store's tables cannot be brought up to date: {error}"),
                )
            })?;
        }
        drop(opening);
        let readers = pool(&url, 4, dialect::OPENING_READER).await?;
        let tidying = tidying::start(readers.clone(), turn.clone());
        Ok(Self {
            readers,
            writer,
            turn,
            tidying,
            gate: None,
        })
    }

    /// The same store, each step of whose transactions passes a gate.
    pub fn gated(self, gate: Gate) -> Self {
        Self {
            gate: Some(gate),
            ..self
        }
    }

    /// A transaction that may write, and begins as a writer: from its first read on, nobody else writes (I15).
    pub async fn begin(&self) -> Result<Tx> {
        pass(self.gate.as_ref()).await?;
        let held = self.turn.take().await?;
        let inner = self.writer.begin_with(dialect::BEGIN_WRITING).await;
        let inner = inner.map_err(|error| match dialect::is_busy(&error) {
            true => turn::busy(),
            false => failed(error),
        })?;
        Ok(Tx {
            inner,
            turn: Some((held, self.tidying.clone())),
            before: None,
            gate: self.gate.clone(),
            changes_list: false,
        })
    }

    /// The same for that many records. For many, a second connection, if one is free, does half of every long look-up
    /// until `leave_before`. Nothing may be written before that, because the second connection would not see it.
    pub async fn begin_for(&self, records: usize) -> Result<Tx> {
        let mut tx = self.begin().await?;
        if records < bulk::LONG {
            return Ok(tx);
        }
        // Nobody else writes: a reader that begins now sees what this transaction began with. It may find all connections in
        // use by tasks that wait for this writer, so the wait is short.
        if let Ok(before) = tokio::time::timeout(SOON, self.read()).await {
            let mut before = before?;
            // The snapshot is taken at the first read.
            before.hub_value("schema").await?;
            tx.before = Some(Box::new(before));
        }
        Ok(tx)
    }

    /// A transaction that only reads: one snapshot.
    pub async fn read(&self) -> Result<Tx> {
        pass(self.gate.as_ref()).await?;
        Ok(Tx {
            inner: self.readers.begin().await.map_err(failed)?,
            turn: None,
            before: None,
            gate: self.gate.clone(),
            changes_list: false,
        })
    }

    /// Checkpoints the WAL, and frees the page caches of idle connections: their pages can be read again.
    pub async fn rest(&self) -> Result<()> {
        let _turn = self.turn.take().await?;
        let mut idle = Vec::new();
        for pool in [&self.writer, &self.readers] {
            while let Some(connection) = pool.try_acquire() {
                idle.push(connection);
            }
        }
        if let Some(writer) = idle.first_mut() {
            dialect::checkpoint(writer).await.map_err(failed)?;
        }
        for mut connection in idle {
            dialect::shrink(&mut connection).await.map_err(failed)?;
        }
        Ok(())
    }

    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

impl Tx {
    pub async fn commit(self) -> Result<()> {
        self.pass().await?;
        self.inner.commit().await.map_err(failed)?;
        if let Some((_turn, tidying)) = self.turn {
            // When the channel is full, a check is due anyway.
            let _ = tidying.try_send(());
        }
        Ok(())
    }

    /// Returns the second connection to the pool; from now on this transaction may write.
    pub fn leave_before(&mut self) {
        self.before = None;
    }

    /// Reserves `count` consecutive ids of the counter `name`; returns the first.
    pub async fn reserve(&mut self, name: &'static str, count: i64) -> Result<i64> {
        let text = "insert into counter (name, next) values ($1, 1 + $2) \
             on conflict (name) do update set next = counter.next + $2 returning next";
        let next: i64 = self
            .one(text, &[Arg::Text(name), Arg::Int(count)], value)
            .await?;
        Ok(next - count)
    }

    /// A value of the hub itself, such as its schema's version.
    pub async fn hub_value(&mut self, name: &str) -> Result<Option<String>> {
        self.maybe(
            "select value from hub where name = $1",
            &[Arg::Text(name)],
            value,
        )
        .await
    }

    pub async fn set_hub_value(&mut self, name: &str, value: &str) -> Result<()> {
        let text = "insert into hub (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value";
        self.run(text, &[Arg::Text(name), Arg::Text(value)]).await
    }

    pub async fn remove_hub_value(&mut self, name: &str) -> Result<()> {
        self.run("delete from hub where name = $1", &[Arg::Text(name)])
            .await
    }

    async fn pass(&self) -> Result<()> {
        pass(self.gate.as_ref()).await
    }

    fn connection(&mut self) -> &mut dialect::Connection {
        &mut self.inner
    }
}

async fn pass(gate: Option<&Gate>) -> Result<()> {
    match gate {
        Some(gate) => gate().await,
        None => Ok(()),
    }
}

async fn pool(url: &str, connections: u32, opening: &'static str) -> Result<dialect::Pool> {
    let unopened = |error: sqlx::Error| {
        Problem::new(
            &STORE_UNREADABLE,
            format!("the store cannot be opened: {error}"),
        )
        .hint("check `store` under `[hub]`, and that its folder exists and can be written")
    };
    let options = dialect::options(url).map_err(unopened)?;
    dialect::PoolOptions::new()
        .max_connections(connections)
        // The database rolled a transaction back by itself (a full disk), and the driver still counts it as open: such a
        // connection could never begin again.
        .before_acquire(|connection, _| {
            let is_free = !sqlx::Connection::is_in_transaction(connection);
            Box::pin(async move { Ok(is_free) })
        })
        .after_connect(move |connection, _| {
            Box::pin(async move {
                connection.execute(opening).await?;
                let taught = dialect::teach(connection).await;
                taught.map_err(|error| sqlx::Error::Configuration(Box::new(error)))
            })
        })
        .connect_with(options)
        .await
        .map_err(unopened)
}

/// A database that an earlier version made, or that was copied here, may be open to others.
fn close_to_others(url: &str) {
    let Some(path) = dialect::path(url) else {
        return;
    };
    for ending in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        files::close_to_others(name.as_ref());
    }
}

/// Whether the database has the tables of this version. What cannot be read is looked at by the migrator.
async fn has_tables(url: &str) -> bool {
    if !dialect::path(url).is_some_and(std::path::Path::exists) {
        return false;
    }
    let Ok(readers) = pool(url, 1, dialect::OPENING_READER).await else {
        return false;
    };
    let text = "select version, checksum from _sqlx_migrations where success order by version";
    let known: Vec<(i64, Vec<u8>)> = sqlx::query_as(text)
        .fetch_all(&readers)
        .await
        .unwrap_or_default();
    readers.close().await;
    let migrator = migrator();
    let wanted = migrator.iter().map(|one| (one.version, &*one.checksum));
    wanted.eq(known.iter().map(|(version, sum)| (*version, &**sum)))
}

fn migrator() -> Migrator {
    let start = dialect::migration(include_str!("migrations/0001_start.sql"));
    Migrator {
        migrations: Cow::Owned(vec![Migration::new(
            1,
            Cow::Borrowed("start"),
            MigrationType::Simple,
            AssertSqlSafe(start).into_sql_str(),
            false,
        )]),
        ..Migrator::DEFAULT
    }
}

/// A statement that failed is the database's fault or ours, never the record's. Values are not part of the drivers' messages.
fn failed(error: impl std::fmt::Display) -> Problem {
    Problem::new(&STORE_FAILED, format!("the store failed: {error}"))
        .hint("nothing of this step was stored; check the disk and run again")
}
