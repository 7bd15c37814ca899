//! Many rows in one statement. Statements have few distinct lengths, so that they stay prepared.

use super::{Result, Tx, dialect, failed};
use sqlx::any::AnyArguments;
use sqlx::{Arguments, AssertSqlSafe, Executor};

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Arg {
    Int(i64),
    OptInt(Option<i64>),
    Text(String),
    OptText(Option<String>),
    Bytes(Vec<u8>),
    Real(f64),
}

/// Rows for one statement, laid flat.
pub struct Rows {
    columns: usize,
    args: Vec<Arg>,
}

impl Rows {
    pub fn new(columns: usize, rows: usize) -> Self {
        Self {
            columns,
            args: Vec::with_capacity(columns * rows),
        }
    }

    pub fn push<const N: usize>(&mut self, row: [Arg; N]) {
        debug_assert_eq!(N, self.columns);
        self.args.extend(row);
    }
}

/// How many rows a statement may take, largest first.
const STEPS: [usize; 4] = [1000, 100, 10, 1];

impl Tx {
    /// Runs `{head} values (…), (…) {tail}` for all rows, in the order given.
    pub(super) async fn insert(
        &mut self,
        head: &'static str,
        tail: &'static str,
        rows: Rows,
    ) -> Result<()> {
        let columns = rows.columns;
        let mut left = rows.args.len() / columns.max(1);
        let mut args = rows.args.into_iter();
        for step in STEPS {
            let step = step.min(32_000 / columns);
            if left < step {
                continue;
            }
            let text = statement(head, tail, columns, step);
            while left >= step {
                let mut bound = AnyArguments::default();
                bound.reserve(columns * step, 0);
                for arg in args.by_ref().take(columns * step) {
                    bind(&mut bound, arg)?;
                }
                let query = sqlx::query_with(AssertSqlSafe(text.clone()), bound);
                self.connection().execute(query).await.map_err(failed)?;
                left -= step;
            }
        }
        Ok(())
    }
}

fn bind(bound: &mut AnyArguments, arg: Arg) -> Result<()> {
    match arg {
        Arg::Int(value) => bound.add(value),
        Arg::OptInt(value) => bound.add(value),
        Arg::Text(value) => bound.add(value),
        Arg::OptText(value) => bound.add(value),
        Arg::Bytes(value) => bound.add(value),
        Arg::Real(value) => bound.add(value),
    }
    .map_err(|error| failed(sqlx::Error::Encode(error)))
}

fn statement(head: &str, tail: &str, columns: usize, rows: usize) -> String {
    let mut text = String::with_capacity(head.len() + tail.len() + rows * (columns * 6 + 3) + 16);
    text.push_str(head);
    text.push_str(" values ");
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..columns {
            if column > 0 {
                text.push(',');
            }
            dialect::push_placeholder(&mut text, row * columns + column + 1);
        }
        text.push(')');
    }
    text.push(' ');
    text.push_str(tail);
    text
}

/// Integers as the JSON array that `dialect::IN_INTEGERS` takes.
pub(super) fn json_integers(values: impl IntoIterator<Item = i64>) -> String {
    let mut text = String::from("[");
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&value.to_string());
    }
    text.push(']');
    text
}
