//! Tokens of the API: the hash of each secret, the role, and when it ends and was last used.

use super::query::get;
use super::value::Arg;
use super::{Result, Tx, dialect};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    pub id: i64,
    pub name: String,
    pub role: String,
    pub created_at: i64,
    pub expires_at: i64,
    /// To the minute.
    pub used_at: Option<i64>,
    pub revoked_at: Option<i64>,
}

const COLUMNS: &str = "id, name, role, created_at, expires_at, used_at, revoked_at";

impl Tx {
    /// Every token that was ever made, the oldest first.
    pub async fn tokens(&mut self) -> Result<Vec<TokenRow>> {
        let text = format!("select {COLUMNS} from token order by id");
        self.all(text, &[], token).await
    }

    /// The token with the hash of its secret, whatever its state.
    pub async fn token_of(&mut self, hash: &[u8]) -> Result<Option<TokenRow>> {
        let text = format!("select {COLUMNS} from token where hash = $1");
        self.maybe(text, &[Arg::Bytes(hash)], token).await
    }

    pub async fn add_token(&mut self, row: &TokenRow, hash: &[u8]) -> Result<()> {
        let text = "insert into token (id, name, role, hash, created_at, expires_at) values ($1, $2, $3, $4, $5, $6)";
        let arguments = [
            Arg::Int(row.id),
            Arg::Text(&row.name),
            Arg::Text(&row.role),
            Arg::Bytes(hash),
            Arg::Int(row.created_at),
            Arg::Int(row.expires_at),
        ];
        self.run(text, &arguments).await
    }

    pub async fn revoke_token(&mut self, id: i64, at: i64) -> Result<()> {
        let text = "update token set revoked_at = $2 where id = $1 and revoked_at is null";
        self.run(text, &[Arg::Int(id), Arg::Int(at)]).await
    }

    pub async fn mark_token_used(&mut self, id: i64, at: i64) -> Result<()> {
        let text =
            "update token set used_at = $2 where id = $1 and (used_at is null or used_at < $2)";
        self.run(text, &[Arg::Int(id), Arg::Int(at)]).await
    }
}

fn token(row: &dialect::Row) -> Result<TokenRow> {
    Ok(TokenRow {
        id: get(row, 0)?,
        name: get(row, 1)?,
        role: get(row, 2)?,
        created_at: get(row, 3)?,
        expires_at: get(row, 4)?,
        used_at: get(row, 5)?,
        revoked_at: get(row, 6)?,
    })
}
