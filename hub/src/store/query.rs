//! Single statements, and how their rows are read: the only place where `store` calls the driver for one. What reads or
//! writes many rows by key is in `bulk`.

use super::value::{Arg, json_integers, pack};
use super::{Result, Tx, dialect, failed};
use futures_util::TryStreamExt;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, FromRow, Row};
use std::borrow::Cow;

type Bound<'q> = Query<'q, dialect::Database, <dialect::Database as sqlx::Database>::Arguments>;

impl Tx {
    /// Runs a statement with `$1` and on.
    pub(super) async fn run(
        &mut self,
        text: impl Into<Cow<'static, str>>,
        arguments: &[Arg<'_>],
    ) -> Result<()> {
        self.changed(text, arguments).await.map(drop)
    }

    /// The same; returns how many rows it changed.
    pub(super) async fn changed(
        &mut self,
        text: impl Into<Cow<'static, str>>,
        arguments: &[Arg<'_>],
    ) -> Result<u64> {
        self.pass().await?;
        let done = bound(text, arguments).execute(self.connection()).await;
        done.map(|done| done.rows_affected()).map_err(failed)
    }

    /// The one row that a statement always has.
    pub(super) async fn one<T>(
        &mut self,
        text: impl Into<Cow<'static, str>>,
        arguments: &[Arg<'_>],
        read: impl Fn(&dialect::Row) -> Result<T>,
    ) -> Result<T> {
        self.pass().await?;
        let row = bound(text, arguments).fetch_one(self.connection()).await;
        read(&row.map_err(failed)?)
    }

    /// The first row of a statement, if it has any.
    pub(super) async fn maybe<T>(
        &mut self,
        text: impl Into<Cow<'static, str>>,
        arguments: &[Arg<'_>],
        read: impl Fn(&dialect::Row) -> Result<T>,
    ) -> Result<Option<T>> {
        self.pass().await?;
        let query = bound(text, arguments);
        let row = query.fetch_optional(self.connection()).await;
        row.map_err(failed)?.as_ref().map(read).transpose()
    }

    /// Every row of a statement.
    pub(super) async fn all<T>(
        &mut self,
        text: impl Into<Cow<'static, str>>,
        arguments: &[Arg<'_>],
        read: impl Fn(&dialect::Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.pass().await?;
        let mut rows = bound(text, arguments).fetch(self.connection());
        let mut found = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            found.push(read(&row)?);
        }
        Ok(found)
    }

    /// Every row of a statement whose `$1` is a set of integers.
    pub(super) async fn rows_in<T>(
        &mut self,
        text: String,
        values: impl IntoIterator<Item = i64>,
        read: impl Fn(&dialect::Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let set = json_integers(values);
        self.all(text, &[Arg::Text(&set)], read).await
    }

    /// Every row of `{head} in (…) {tail}` for a set of texts.
    pub(super) async fn rows_in_texts<T>(
        &mut self,
        head: &str,
        texts: &[String],
        tail: &str,
        read: impl Fn(&dialect::Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let text = format!("{head} {} {tail}", dialect::IN_INTEGERS);
        self.all(text, &[Arg::Text(&json_texts(texts))], read).await
    }
}

fn bound<'q>(text: impl Into<Cow<'static, str>>, arguments: &'q [Arg<'q>]) -> Bound<'q> {
    let query = sqlx::query(AssertSqlSafe(text.into()));
    arguments.iter().fold(query, |query, one| match *one {
        Arg::Int(value) => query.bind(value),
        Arg::OptInt(value) => query.bind(value),
        Arg::Text(value) => query.bind(value),
        Arg::OptText(value) => query.bind(value),
        Arg::Bytes(value) => query.bind(value),
        Arg::Integers(values) => query.bind(pack(values)),
        Arg::Real(value) => query.bind(value),
    })
}

/// A set of texts as a JSON array.
pub(super) fn json_texts<T: Into<serde_json::Value> + Clone>(texts: &[T]) -> String {
    serde_json::Value::from(texts.to_vec()).to_string()
}

/// A column by its place.
pub(super) fn get<'r, T>(row: &'r dialect::Row, index: usize) -> Result<T>
where
    T: sqlx::Decode<'r, dialect::Database> + sqlx::Type<dialect::Database>,
{
    row.try_get(index).map_err(failed)
}

/// The first column.
pub(super) fn value<T>(row: &dialect::Row) -> Result<T>
where
    T: for<'r> sqlx::Decode<'r, dialect::Database> + sqlx::Type<dialect::Database>,
{
    get(row, 0)
}

/// The columns as a tuple.
pub(super) fn columns<T>(row: &dialect::Row) -> Result<T>
where
    T: for<'r> FromRow<'r, dialect::Row>,
{
    T::from_row(row).map_err(failed)
}

/// A column of codes, each of which must be one that is known.
pub(super) fn known<T>(row: &dialect::Row, index: usize, read: fn(i64) -> Option<T>) -> Result<T> {
    read(get(row, index)?).ok_or_else(|| failed(format!("column {index} holds an unknown code")))
}

/// A column of a person's id.
pub(super) fn uuid(row: &dialect::Row, index: usize) -> Result<[u8; 16]> {
    let bytes: Vec<u8> = get(row, index)?;
    let wrong = || failed(format!("column {index} does not hold an id of 16 bytes"));
    bytes.try_into().map_err(|_| wrong())
}
