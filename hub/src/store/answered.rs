//! Answers to changes by the key that the client gave.

use super::query::get;
use super::value::Arg;
use super::{Result, Tx};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsweredRow {
    pub token: i64,
    pub key: String,
    pub at: i64,
    /// The hash of what was asked.
    pub request: Vec<u8>,
    /// An HTTP status; zero until the change has ended.
    pub status: i64,
    pub body: String,
}

impl Tx {
    pub async fn answered(&mut self, token: i64, key: &str) -> Result<Option<AnsweredRow>> {
        let text = "select token, key, at, request, status, body from answered where token = $1 and key = $2";
        self.maybe(text, &[Arg::Int(token), Arg::Text(key)], |row| {
            Ok(AnsweredRow {
                token: get(row, 0)?,
                key: get(row, 1)?,
                at: get(row, 2)?,
                request: get(row, 3)?,
                status: get(row, 4)?,
                body: get(row, 5)?,
            })
        })
        .await
    }

    pub async fn save_answered(&mut self, row: &AnsweredRow) -> Result<()> {
        let text = "insert into answered (token, key, at, request, status, body) values ($1, $2, $3, $4, $5, $6) \
             on conflict (token, key) do update set status = excluded.status, body = excluded.body";
        let arguments = [
            Arg::Int(row.token),
            Arg::Text(&row.key),
            Arg::Int(row.at),
            Arg::Bytes(&row.request),
            Arg::Int(row.status),
            Arg::Text(&row.body),
        ];
        self.run(text, &arguments).await
    }

    pub async fn remove_answered(&mut self, token: i64, key: &str) -> Result<()> {
        let text = "delete from answered where token = $1 and key = $2";
        self.run(text, &[Arg::Int(token), Arg::Text(key)]).await
    }

    /// Forgets what was answered before `at`.
    pub async fn forget_answered(&mut self, at: i64) -> Result<()> {
        self.run("delete from answered where at < $1", &[Arg::Int(at)])
            .await
    }
}
