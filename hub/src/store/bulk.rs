//! One statement for many rows, prepared once. Values are borrowed, not copied: no allocation per row.

use super::value::Arg;
use super::{Result, Tx, dialect, failed};
use crate::problem::Problem;
use tokio::runtime::Handle;

/// From this many keys on, two connections look them up in parallel, where there are two. Tests do so with few.
pub(super) const LONG: usize = if cfg!(test) { 2 } else { 2_000 };

/// The outcome of writing rows that another process may be writing, too.
#[must_use]
pub(super) enum Race {
    Won,
    /// A row to add existed already, or one to change was no longer as it was read; the text says how that showed.
    Lost(String),
}

impl Race {
    /// For rows that nobody else writes: losing is a failure of the store.
    fn won(self) -> Result<()> {
        match self {
            Self::Won => Ok(()),
            Self::Lost(how) => Err(failed(how)),
        }
    }

    /// For rows that another process may have written first: losing is the caller's problem `lost`.
    pub(super) fn won_or(self, lost: fn() -> Problem) -> Result<()> {
        match self {
            Self::Won => Ok(()),
            Self::Lost(_) => Err(lost()),
        }
    }
}

impl Tx {
    /// The rows of each key, in the order of the keys; `text` selects them by `$1`.
    pub(super) async fn by_key<T: Send + 'static>(
        &mut self,
        text: &str,
        keys: &[i64],
        read: fn(&dialect::Found<'_>) -> dialect::FoundResult<T>,
    ) -> Result<Vec<T>> {
        self.by_key_and(text, keys, &[], read).await
    }

    /// The same with values for `$2` and on, which do not change.
    pub(super) async fn by_key_and<T: Send + 'static>(
        &mut self,
        text: &str,
        keys: &[i64],
        more: &[Arg<'_>],
        read: fn(&dialect::Found<'_>) -> dialect::FoundResult<T>,
    ) -> Result<Vec<T>> {
        self.pass().await?;
        let (mine, its) = match self.before {
            Some(_) if keys.len() >= LONG => keys.split_at(keys.len() / 2),
            _ => (keys, &[][..]),
        };
        let Some(mut before) = self.before.take_if(|_| !its.is_empty()) else {
            let found = dialect::by_key(self.connection(), text, keys, more, read).await;
            return found.map_err(failed);
        };
        let (words, its, same) = (text.to_owned(), its.to_vec(), dialect::owned(more));
        let runtime = Handle::current();
        let other = tokio::task::spawn_blocking(move || {
            let look = dialect::by_key(before.connection(), &words, &its, &same, read);
            let found = runtime.block_on(look);
            (before, found)
        });
        let found = dialect::by_key(self.connection(), text, mine, more, read).await;
        let (before, rest) = match other.await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        self.before = Some(before);
        let mut found = found.map_err(failed)?;
        found.append(&mut rest.map_err(failed)?);
        Ok(found)
    }

    /// The same for keys in any order, without duplicates.
    pub(super) async fn of_keys<T: Send + 'static>(
        &mut self,
        text: &str,
        keys: impl IntoIterator<Item = i64>,
        read: fn(&dialect::Found<'_>) -> dialect::FoundResult<T>,
    ) -> Result<Vec<T>> {
        let mut keys: Vec<i64> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.by_key(text, &keys, read).await
    }

    /// Adds rows that do not exist, in the given order; `table` names the columns, too.
    pub(super) async fn insert<R, const N: usize>(
        &mut self,
        table: &'static str,
        rows: &[R],
        values: impl for<'r> Fn(&'r R) -> [Arg<'r>; N],
    ) -> Result<()> {
        self.race_to_insert(table, rows, values).await?.won()
    }

    /// The same for rows that another process may have added.
    pub(super) async fn race_to_insert<R, const N: usize>(
        &mut self,
        table: &'static str,
        rows: &[R],
        values: impl for<'r> Fn(&'r R) -> [Arg<'r>; N],
    ) -> Result<Race> {
        self.pass().await?;
        match dialect::insert(self.connection(), table, rows, values).await {
            Ok(()) => Ok(Race::Won),
            Err(error) if dialect::is_there(&error) => Ok(Race::Lost(error.to_string())),
            Err(error) => Err(failed(error)),
        }
    }

    /// The same for rows that may exist; `tail` says what happens then. Where it is known which exist, `insert` and
    /// `update` cost less.
    pub(super) async fn upsert<R, const N: usize>(
        &mut self,
        table: &'static str,
        tail: &'static str,
        rows: &[R],
        values: impl for<'r> Fn(&'r R) -> [Arg<'r>; N],
    ) -> Result<()> {
        let placeholders: Vec<String> = (1..=N).map(|number| format!("${number}")).collect();
        let text = format!(
            "insert into {table} values ({}) {tail}",
            placeholders.join(",")
        );
        self.each(&text, rows, values).await
    }

    /// Runs an `update` with `$1` to `$N` for each row, each of which changes exactly one existing row.
    pub(super) async fn update<R, const N: usize>(
        &mut self,
        text: &str,
        rows: &[R],
        values: impl for<'r> Fn(&'r R) -> [Arg<'r>; N],
    ) -> Result<()> {
        self.race_to_update(text, rows, values).await?.won()
    }

    /// The same for rows that another process may have changed, where `text` selects them as they were read.
    pub(super) async fn race_to_update<R, const N: usize>(
        &mut self,
        text: &str,
        rows: &[R],
        values: impl for<'r> Fn(&'r R) -> [Arg<'r>; N],
    ) -> Result<Race> {
        self.pass().await?;
        let changed = dialect::each(self.connection(), text, rows, values)
            .await
            .map_err(failed)?;
        Ok(match changed == rows.len() {
            true => Race::Won,
            false => {
                let all = rows.len();
                Race::Lost(format!("{changed} of {all} rows are there to be changed"))
            }
        })
    }

    /// Runs a statement with `$1` to `$N` for each row, in the given order.
    pub(super) async fn each<R, const N: usize>(
        &mut self,
        text: &str,
        rows: &[R],
        values: impl for<'r> Fn(&'r R) -> [Arg<'r>; N],
    ) -> Result<()> {
        self.pass().await?;
        dialect::each(self.connection(), text, rows, values)
            .await
            .map(drop)
            .map_err(failed)
    }
}
