//! Versions of fitted models: rows that are added, and dropped by a mark.

use super::records::get;
use super::{Result, Tx, failed};

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
        let rows = sqlx::query(
            "select id, kind, name, fitted_at, body, dropped_at from model order by id",
        )
        .fetch_all(self.connection())
        .await
        .map_err(failed)?;
        rows.iter()
            .map(|row| {
                Ok(ModelRow {
                    id: get(row, 0)?,
                    kind: get(row, 1)?,
                    name: get(row, 2)?,
                    fitted_at: get(row, 3)?,
                    body: get(row, 4)?,
                    dropped_at: get(row, 5)?,
                })
            })
            .collect()
    }

    pub async fn add_model(&mut self, row: &ModelRow) -> Result<()> {
        sqlx::query(
            "insert into model (id, kind, name, fitted_at, body) values ($1, $2, $3, $4, $5)",
        )
        .bind(row.id)
        .bind(&row.kind)
        .bind(&row.name)
        .bind(row.fitted_at)
        .bind(&row.body)
        .execute(self.connection())
        .await
        .map(drop)
        .map_err(failed)
    }

    /// The id of the latest event, 0 when there is none.
    pub async fn last_event(&mut self) -> Result<i64> {
        let row: (i64,) = sqlx::query_as("select coalesce(max(id), 0) from event")
            .fetch_one(self.connection())
            .await
            .map_err(failed)?;
        Ok(row.0)
    }

    /// Whether an event of a name came after one.
    pub async fn has_event_after(&mut self, id: i64, name: &str) -> Result<bool> {
        let row: Option<(i64,)> =
            sqlx::query_as("select id from event where id > $1 and name = $2 limit 1")
                .bind(id)
                .bind(name)
                .fetch_optional(self.connection())
                .await
                .map_err(failed)?;
        Ok(row.is_some())
    }

    pub async fn drop_model(&mut self, id: i64, at: i64) -> Result<()> {
        sqlx::query("update model set dropped_at = $1 where id = $2")
            .bind(at)
            .bind(id)
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(failed)
    }
}
