//! Pairs of people who look alike, waiting for an operator, or decided by one.

use super::query::{get, uuid};
use super::value::Arg;
use super::{Result, Tx};

#[derive(Debug, Clone, PartialEq)]
pub struct SuggestionRow {
    pub id: i64,
    /// The version of the model that found it.
    pub model: i64,
    pub left: [u8; 16],
    pub right: [u8; 16],
    pub probability: f64,
    /// JSON: why it waits, and what each comparison adds. No values.
    pub reasons: String,
    /// `waiting`, `accepted`, `declined`
    pub state: String,
}

impl Tx {
    /// Suggestions that wait, the likeliest first, or the decided ones.
    pub async fn suggestions(&mut self, waiting: bool) -> Result<Vec<SuggestionRow>> {
        let text = match waiting {
            true => {
                "select id, model_id, left_uuid, right_uuid, probability, reasons, state from suggestion \
                     where state = 'waiting' order by probability desc, id"
            }
            false => {
                "select id, model_id, left_uuid, right_uuid, probability, reasons, state from suggestion \
                      where state <> 'waiting' order by id"
            }
        };
        self.all(text, &[], |row| {
            Ok(SuggestionRow {
                id: get(row, 0)?,
                model: get(row, 1)?,
                left: uuid(row, 2)?,
                right: uuid(row, 3)?,
                probability: get(row, 4)?,
                reasons: get(row, 5)?,
                state: get(row, 6)?,
            })
        })
        .await
    }

    /// Replaces all waiting suggestions.
    pub async fn replace_waiting(&mut self, rows: &mut [SuggestionRow]) -> Result<()> {
        self.run("delete from suggestion where state = 'waiting'", &[])
            .await?;
        let first = self.reserve("suggestion", rows.len() as i64).await?;
        for (row, id) in rows.iter_mut().zip(first..) {
            row.id = id;
        }
        self.insert(
            "suggestion (id, model_id, left_uuid, right_uuid, probability, reasons, state)",
            rows,
            |row| {
                [
                    Arg::Int(row.id),
                    Arg::Int(row.model),
                    Arg::Bytes(&row.left),
                    Arg::Bytes(&row.right),
                    Arg::Real(row.probability),
                    Arg::Text(&row.reasons),
                    Arg::Text(&row.state),
                ]
            },
        )
        .await
    }

    pub async fn drop_waiting(&mut self, model: i64) -> Result<()> {
        let text = "delete from suggestion where state = 'waiting' and model_id = $1";
        self.run(text, &[Arg::Int(model)]).await
    }

    pub async fn decide_suggestion(&mut self, id: i64, state: &str) -> Result<()> {
        let text = "update suggestion set state = $1 where id = $2";
        self.run(text, &[Arg::Text(state), Arg::Int(id)]).await
    }
}
