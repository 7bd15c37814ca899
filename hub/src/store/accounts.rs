//! Accounts: what records say about them, the winning values, and which people belong to which.

use super::query::{columns, get, value};
use super::value::{Arg, json_integers};
use super::{Result, Tx, dialect};

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
    /// Removes the claims of records, and returns the accounts that they were about.
    pub async fn take_account_claims(&mut self, slots: &[i64]) -> Result<Vec<String>> {
        if slots.is_empty() {
            return Ok(Vec::new());
        }
        let text = format!(
            "delete from account_claim where slot {} returning account",
            dialect::IN_INTEGERS
        );
        self.rows_in(text, slots.iter().copied(), value).await
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
        self.rows_in_texts(text, accounts, "", |row| {
            Ok(AccountClaimRow {
                account: get(row, 0)?,
                slot: get(row, 1)?,
                source: get(row, 2)?,
                record: get(row, 3)?,
                time: get(row, 4)?,
                traits: get(row, 5)?,
            })
        })
        .await
    }

    pub async fn accounts(&mut self, ids: &[String]) -> Result<Vec<AccountRow>> {
        self.rows_in_texts(
            "select id, traits from account where id",
            ids,
            "",
            account_row,
        )
        .await
    }

    /// Accounts after the id `after`, by id, each with how many people belong to it; including accounts that only people name.
    pub async fn accounts_after(
        &mut self,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(AccountRow, i64)>> {
        let text = "select i.id, coalesce(a.traits, '{}'), (select count(*) from account_person p where p.account = i.id) \
             from (select id from account union select account from account_person) i \
             left join account a on a.id = i.id where i.id > $1 order by i.id limit $2";
        self.all(text, &[Arg::Text(after), Arg::Int(limit)], |row| {
            Ok((account_row(row)?, get(row, 2)?))
        })
        .await
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
        self.rows_in(text, persons, relation_row).await
    }

    /// Who belongs to any of these accounts, by person.
    pub async fn people_of_accounts(&mut self, accounts: &[String]) -> Result<Vec<i64>> {
        let text = "select distinct person_id from account_person where account";
        let mut people: Vec<i64> = self.rows_in_texts(text, accounts, "", value).await?;
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
        self.all(
            text,
            &[Arg::Text(&json_integers(evidence)), Arg::Text(property)],
            columns,
        )
        .await
    }
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
