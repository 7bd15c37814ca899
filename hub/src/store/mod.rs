//! The database: pools, migrations, and one file per family of tables. Knows no stage: it stores and loads plain rows.
//! A `Tx` is one transaction; a flow opens it, loads, lets the pure stages work, saves and commits.

mod audiences;
mod bulk;
mod deliveries;
mod dialect;
mod identity;
mod profiles;
mod records;
mod runs;

pub use audiences::{LogRow, MemberRow, TimerRow};
pub use bulk::Arg;
pub use deliveries::{AcknowledgedRow, ChangeRow, WantedRow};
pub use identity::{EvidenceRow, IdentifierRow};
pub use profiles::{ClaimRow, EntityRow, EventRow, PersonRow};
pub use records::{DeadLetterRow, RecordRow, RecordState, StreamRow, VersionRow};
pub use runs::{RunRow, StatusCounts};

use crate::problem::Problem;
use crate::problem::codes::{STORE_FAILED, STORE_UNREADABLE};
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Executor, SqlSafeStr, Transaction};
use std::borrow::Cow;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// One hub's database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: AnyPool,
    /// SQLite has one writer; queueing for it here is fairer than its busy handler.
    writer: Arc<Mutex<()>>,
}

/// A transaction, rolled back unless committed.
pub struct Tx {
    inner: Transaction<'static, Any>,
    _writer: Option<OwnedMutexGuard<()>>,
}

/// Reads `url`'s scheme and path the way a person reads them; says what is wrong otherwise.
pub type Result<T> = std::result::Result<T, Problem>;

impl Store {
    /// Opens, and makes or migrates the schema.
    pub async fn open(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let url = if url.starts_with("sqlite:") && !url.contains('?') {
            format!("{url}?mode=rwc")
        } else {
            url.to_owned()
        };
        let pool = AnyPoolOptions::new()
            .max_connections(4)
            .min_connections(1)
            .after_connect(|connection, _| {
                Box::pin(async move { connection.execute(dialect::OPENING).await.map(drop) })
            })
            .connect(&url)
            .await
            .map_err(|error| {
                Problem::new(
                    &STORE_UNREADABLE,
                    format!("the store cannot be opened: {error}"),
                )
                .hint("check `store` under `[hub]`, and that its folder exists and can be written")
            })?;
        migrator().run(&pool).await.map_err(|error| {
            Problem::new(
                &STORE_UNREADABLE,
                format!("the store's tables cannot be brought up to date: {error}"),
            )
        })?;
        Ok(Self {
            pool,
            writer: Arc::new(Mutex::new(())),
        })
    }

    /// A transaction that may write.
    pub async fn begin(&self) -> Result<Tx> {
        let guard = self.writer.clone().lock_owned().await;
        Ok(Tx {
            inner: self.pool.begin().await.map_err(failed)?,
            _writer: Some(guard),
        })
    }

    /// A transaction that only reads: one snapshot.
    pub async fn read(&self) -> Result<Tx> {
        Ok(Tx {
            inner: self.pool.begin().await.map_err(failed)?,
            _writer: None,
        })
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl Tx {
    pub async fn commit(self) -> Result<()> {
        self.inner.commit().await.map_err(failed)
    }

    /// Hands out `count` ids in a row of the counter `name`; the first is returned.
    pub async fn reserve(&mut self, name: &'static str, count: i64) -> Result<i64> {
        let row: (i64,) = sqlx::query_as(
            "insert into counter (name, next) values ($1, 1 + $2) \
             on conflict (name) do update set next = counter.next + $2 returning next",
        )
        .bind(name)
        .bind(count)
        .fetch_one(self.connection())
        .await
        .map_err(failed)?;
        Ok(row.0 - count)
    }

    /// A value of the hub itself, such as its schema's version.
    pub async fn hub_value(&mut self, name: &str) -> Result<Option<String>> {
        let row: Option<(String,)> = sqlx::query_as("select value from hub where name = $1")
            .bind(name)
            .fetch_optional(self.connection())
            .await
            .map_err(failed)?;
        Ok(row.map(|row| row.0))
    }

    pub async fn set_hub_value(&mut self, name: &str, value: &str) -> Result<()> {
        sqlx::query("insert into hub (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value")
            .bind(name)
            .bind(value)
            .execute(self.connection())
            .await
            .map_err(failed)?;
        Ok(())
    }

    fn connection(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }
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

/// A statement that failed is the database's fault or ours, never the record's. Values are not part of sqlx's messages.
#[allow(
    clippy::needless_pass_by_value,
    reason = "the shape that `map_err` asks for"
)]
fn failed(error: sqlx::Error) -> Problem {
    Problem::new(&STORE_FAILED, format!("the store failed: {error}"))
        .hint("nothing of this step was stored; check the disk and run again")
}
