//! Versions of fitted models: rows are added, and marked when they are dropped.

use super::query::{get, value};
use super::value::Arg;
use super::{Result, Tx};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRow {
    pub id: i64,
    /// `lifetime` or `likeness`
    pub kind: String,
    pub name: String,
    pub fitted_at: i64,
    /// JSON: parameters, and what they were fitted on.
    pub body: String,
    pub dropped_at: Option<i64>,
}

impl Tx {
    /// Every version of every model, by id.
    pub async fn models(&mut self) -> Result<Vec<ModelRow>> {
        let text = "select id, kind, name, fitted_at, body, dropped_at from model order by id";
        self.all(text, &[], |row| {
            Ok(ModelRow {
                id: get(row, 0)?,
                kind: get(row, 1)?,
                name: get(row, 2)?,
                fitted_at: get(row, 3)?,
                body: get(row, 4)?,
                dropped_at: get(row, 5)?,
            })
        })
        .await
    }

    pub async fn add_model(&mut self, row: &ModelRow) -> Result<()> {
        let text =
            "insert into model (id, kind, name, fitted_at, body) values ($1, $2, $3, $4, $5)";
        self.run(
            text,
            &[
                Arg::Int(row.id),
                Arg::Text(&row.kind),
                Arg::Text(&row.name),
                Arg::Int(row.fitted_at),
                Arg::Text(&row.body),
            ],
        )
        .await
    }

    /// The id of the latest event, 0 when there is none.
    pub async fn last_event(&mut self) -> Result<i64> {
        self.one("select coalesce(max(id), 0) from event", &[], value)
            .await
    }

    /// Whether an event of a name came after one.
    pub async fn has_event_after(&mut self, id: i64, name: &str) -> Result<bool> {
        let text = "select id from event where id > $1 and name = $2 limit 1";
        let after = [Arg::Int(id), Arg::Text(name)];
        let found: Option<i64> = self.maybe(text, &after, value).await?;
        Ok(found.is_some())
    }

    pub async fn drop_model(&mut self, id: i64, at: i64) -> Result<()> {
        let text = "update model set dropped_at = $1 where id = $2";
        self.run(text, &[Arg::Int(at), Arg::Int(id)]).await
    }
}
