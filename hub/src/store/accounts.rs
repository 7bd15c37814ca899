//! Accounts: what records say about them, the winning values, and which people belong to which.

use super::bulk::Arg;
use super::records::get;
use super::{Result, Tx, dialect, failed};

/// What one record says about an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountClaimRow {
    pub account: String,
    pub slot: i64,
    pub source: String,
    /// `stream/key`
    pub record: String,
    pub time: i64,
    /// JSON object.
    pub traits: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    pub id: String,
    /// JSON object of the winning values.
    pub traits: String,
}

/// That a person belongs to an account. Place 0 is the person's main account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelationRow {
    pub person_id: i64,
    pub place: i64,
    pub account: String,
}

impl Tx {
    /// Removes what records said, and gives the accounts that they said it about.
    pub async fn take_account_claims(&mut self, slots: &[i64]) -> Result<Vec<String>> {
        if slots.is_empty() {
            return Ok(Vec::new());
        }
        let text = format!(
            "delete from account_claim where slot {} returning account",
            dialect::IN_INTEGERS
        );
        let rows = self.rows_in(text, slots.iter().copied()).await?;
        rows.iter().map(|row| get(row, 0)).collect()
    }

    pub async fn save_account_claims(&mut self, claims: &[AccountClaimRow]) -> Result<()> {
        self.upsert(
            "account_claim (account, slot, source, record, time, traits)",
            "on conflict (account, slot) do update set time = excluded.time, traits = excluded.traits",
            claims,
            |claim| {
                [
                    Arg::Text(&claim.account),
                    Arg::Int(claim.slot),
                    Arg::Text(&claim.source),
                    Arg::Text(&claim.record),
                    Arg::Int(claim.time),
                    Arg::Text(&claim.traits),
                ]
            },
        )
        .await
    }

    pub async fn account_claims(&mut self, accounts: &[String]) -> Result<Vec<AccountClaimRow>> {
        let text =
            "select account, slot, source, record, time, traits from account_claim where account";
        let rows = rows_in_texts(self, text, accounts, "").await?;
        rows.iter()
            .map(|row| {
                Ok(AccountClaimRow {
                    account: get(row, 0)?,
                    slot: get(row, 1)?,
                    source: get(row, 2)?,
                    record: get(row, 3)?,
                    time: get(row, 4)?,
                    traits: get(row, 5)?,
                })
            })
            .collect()
    }

    pub async fn accounts(&mut self, ids: &[String]) -> Result<Vec<AccountRow>> {
        let rows = rows_in_texts(self, "select id, traits from account where id", ids, "").await?;
        rows.iter().map(account_row).collect()
    }

    /// Accounts after the id `after`, by id, each with how many people belong to it; those too that only people name.
    pub async fn accounts_after(
        &mut self,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(AccountRow, i64)>> {
        let rows = sqlx::query(
            "select i.id, coalesce(a.traits, '{}'), (select count(*) from account_person p where p.account = i.id) \
             from (select id from account union select account from account_person) i \
             left join account a on a.id = i.id where i.id > $1 order by i.id limit $2",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(self.connection())
        .await
        .map_err(failed)?;
        rows.iter()
            .map(|row| Ok((account_row(row)?, get(row, 2)?)))
            .collect()
    }

    pub async fn save_accounts(&mut self, accounts: &[AccountRow]) -> Result<()> {
        self.upsert(
            "account (id, traits)",
            "on conflict (id) do update set traits = excluded.traits",
            accounts,
            |account| [Arg::Text(&account.id), Arg::Text(&account.traits)],
        )
        .await
    }

    pub async fn remove_accounts(&mut self, ids: &[String]) -> Result<()> {
        self.each("delete from account where id = $1", ids, |id| {
            [Arg::Text(id)]
        })
        .await
    }

    /// The accounts of people, each person's main one first.
    pub async fn relations_of(
        &mut self,
        persons: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<RelationRow>> {
        let text = format!(
            "select person_id, place, account from account_person where person_id {} order by person_id, place",
            dialect::IN_INTEGERS
        );
        let rows = self.rows_in(text, persons).await?;
        rows.iter().map(relation_row).collect()
    }

    /// Who belongs to any of these accounts, by person.
    pub async fn people_of_accounts(&mut self, accounts: &[String]) -> Result<Vec<i64>> {
        let text = "select distinct person_id from account_person where account";
        let rows = rows_in_texts(self, text, accounts, "").await?;
        let mut people: Vec<i64> = rows.iter().map(|row| get(row, 0)).collect::<Result<_>>()?;
        people.sort_unstable();
        Ok(people)
    }

    pub async fn save_relations(&mut self, relations: &[RelationRow]) -> Result<()> {
        self.insert(
            "account_person (person_id, place, account)",
            relations,
            |row| {
                [
                    Arg::Int(row.person_id),
                    Arg::Int(row.place),
                    Arg::Text(&row.account),
                ]
            },
        )
        .await
    }

    pub async fn remove_relations(&mut self, persons: &[i64]) -> Result<()> {
        self.remove("delete from account_person where person_id", persons)
            .await
    }

    /// What events name as accounts: the evidence, and the JSON of the property.
    pub async fn accounts_of_events(
        &mut self,
        evidence: impl IntoIterator<Item = i64>,
        property: &str,
    ) -> Result<Vec<(i64, String)>> {
        let text = format!(
            "select distinct evidence_id, properties -> $2 from event where evidence_id {} and properties -> $2 is not null",
            dialect::IN_INTEGERS
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(super::bulk::json_integers(evidence))
            .bind(property)
            .fetch_all(self.connection())
            .await
            .map_err(failed)?;
        rows.iter()
            .map(|row| Ok((get(row, 0)?, get(row, 1)?)))
            .collect()
    }
}

/// Runs `{head} in (…) {tail}` for a set of texts.
pub(super) async fn rows_in_texts(
    tx: &mut Tx,
    head: &str,
    texts: &[String],
    tail: &str,
) -> Result<Vec<dialect::Row>> {
    let set = serde_json::Value::from(texts.to_vec()).to_string();
    let text = format!("{head} {} {tail}", dialect::IN_INTEGERS);
    sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(set)
        .fetch_all(tx.connection())
        .await
        .map_err(failed)
}

fn account_row(row: &dialect::Row) -> Result<AccountRow> {
    Ok(AccountRow {
        id: get(row, 0)?,
        traits: get(row, 1)?,
    })
}

pub(super) fn relation_row(row: &dialect::Row) -> Result<RelationRow> {
    Ok(RelationRow {
        person_id: get(row, 0)?,
        place: get(row, 1)?,
        account: get(row, 2)?,
    })
}
