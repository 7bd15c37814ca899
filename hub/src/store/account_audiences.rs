//! Audiences of accounts: memberships, their log, timers, and how many of an account's people are in audiences of people.

use super::accounts::{RelationRow, relation_row};
use super::query::{get, json_texts, value};
use super::value::Arg;
use super::{Result, Tx, dialect};
use crate::model::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountMemberRow {
    pub audience: String,
    pub account: String,
    pub since: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountLogRow {
    pub id: i64,
    pub audience: String,
    pub account: String,
    pub at: i64,
    pub entered: bool,
    pub cause: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountTimerRow {
    pub audience: String,
    pub account: String,
    pub due_at: i64,
}

/// How many of an account's people are in an audience; all of them where the audience is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountRow {
    pub account: String,
    pub audience: String,
    pub people: i64,
}

impl Tx {
    pub async fn account_memberships_of(
        &mut self,
        accounts: &[String],
    ) -> Result<Vec<AccountMemberRow>> {
        let text = "select audience, account, since from account_membership where account";
        self.rows_in_texts(text, accounts, "", member_row).await
    }

    /// All members, by id.
    pub async fn account_members(&mut self, audience: &str) -> Result<Vec<AccountMemberRow>> {
        let text = "select audience, account, since from account_membership where audience = $1 order by account";
        self.all(text, &[Arg::Text(audience)], member_row).await
    }

    /// Up to `limit` members after an account's id.
    pub async fn account_members_after(
        &mut self,
        audience: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<AccountMemberRow>> {
        let text = "select audience, account, since from account_membership where audience = $1 and account > $2 \
             order by account limit $3";
        let page = [Arg::Text(audience), Arg::Text(after), Arg::Int(limit)];
        self.all(text, &page, member_row).await
    }

    /// Up to `limit` rows of an audience's log of accounts after a row of it.
    pub async fn account_log_of(
        &mut self,
        audience: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<AccountLogRow>> {
        let text = "select id, audience, account, at, entered, cause from account_membership_log \
             where audience = $1 and id > $2 order by id limit $3";
        let page = [Arg::Text(audience), Arg::Int(after), Arg::Int(limit)];
        self.all(text, &page, |row| {
            Ok(AccountLogRow {
                id: get(row, 0)?,
                audience: get(row, 1)?,
                account: get(row, 2)?,
                at: get(row, 3)?,
                entered: get::<i64>(row, 4)? != 0,
                cause: get(row, 5)?,
            })
        })
        .await
    }

    pub async fn add_account_members(&mut self, members: &[AccountMemberRow]) -> Result<()> {
        self.upsert(
            "account_membership (audience, account, since)",
            "on conflict (audience, account) do nothing",
            members,
            |member| {
                [
                    Arg::Text(&member.audience),
                    Arg::Text(&member.account),
                    Arg::Int(member.since),
                ]
            },
        )
        .await
    }

    pub async fn remove_account_members(&mut self, members: &[(String, String)]) -> Result<()> {
        self.each(
            "delete from account_membership where audience = $1 and account = $2",
            members,
            |(audience, account)| [Arg::Text(audience), Arg::Text(account)],
        )
        .await
    }

    pub async fn add_account_log(&mut self, log: &[AccountLogRow]) -> Result<()> {
        self.insert(
            "account_membership_log (id, audience, account, at, entered, cause)",
            log,
            |row| {
                [
                    Arg::Int(row.id),
                    Arg::Text(&row.audience),
                    Arg::Text(&row.account),
                    Arg::Int(row.at),
                    Arg::Int(i64::from(row.entered)),
                    Arg::Text(&row.cause),
                ]
            },
        )
        .await
    }

    /// Replaces the timers of accounts in some audiences.
    pub async fn set_account_timers(
        &mut self,
        audiences: &[&str],
        accounts: &[String],
        timers: &[AccountTimerRow],
    ) -> Result<()> {
        for audience in audiences {
            let rows: Vec<(&str, &String)> = accounts.iter().map(|one| (*audience, one)).collect();
            self.each(
                "delete from account_timer where audience = $1 and account = $2",
                &rows,
                |(audience, account)| [Arg::Text(audience), Arg::Text(account)],
            )
            .await?;
        }
        self.upsert(
            "account_timer (audience, account, due_at)",
            "on conflict (audience, account) do update set due_at = excluded.due_at",
            timers,
            |timer| {
                [
                    Arg::Text(&timer.audience),
                    Arg::Text(&timer.account),
                    Arg::Int(timer.due_at),
                ]
            },
        )
        .await
    }

    /// Removes the timers that are due, of at most `limit` accounts, and returns the accounts.
    pub async fn take_due_accounts(&mut self, now: Timestamp, limit: i64) -> Result<Vec<String>> {
        let text = "select distinct account from account_timer where due_at <= $1 order by account limit $2";
        let due = [Arg::Int(now.0), Arg::Int(limit)];
        let accounts: Vec<String> = self.all(text, &due, value).await?;
        self.each(
            "delete from account_timer where account = $1 and due_at <= $2",
            &accounts,
            |account| [Arg::Text(account), Arg::Int(now.0)],
        )
        .await?;
        Ok(accounts)
    }

    /// How many people each of these accounts has, and how many of them are in these audiences. No row for a count of zero.
    pub async fn count_people(
        &mut self,
        accounts: &[String],
        audiences: &[&str],
    ) -> Result<Vec<CountRow>> {
        let all = "select account, '', count(*) from account_person where account";
        let mut rows = self
            .rows_in_texts(all, accounts, "group by account", count_row)
            .await?;
        if !audiences.is_empty() {
            // Each account's people first, then each one's membership: the tables' keys lead from one to the next.
            let text = "select r.account, n.value, count(*) from json_each($1) as i cross join account_person as r \
                 cross join json_each($2) as n cross join membership as m \
                 where r.account = i.value and m.audience = n.value and m.person_id = r.person_id group by 1, 2";
            let (accounts, audiences) = (json_texts(accounts), json_texts(audiences));
            let sets = [Arg::Text(&accounts), Arg::Text(&audiences)];
            rows.extend(self.all(text, &sets, count_row).await?);
        }
        Ok(rows)
    }

    /// Who belongs to these accounts.
    pub async fn relations_to(&mut self, accounts: &[String]) -> Result<Vec<RelationRow>> {
        let text = "select person_id, place, account from account_person where account";
        self.rows_in_texts(text, accounts, "", relation_row).await
    }

    /// Whose main account is one of these, by person.
    pub async fn people_of_main_accounts(&mut self, accounts: &[String]) -> Result<Vec<i64>> {
        let text = "select person_id from account_person where place = 0 and account";
        self.rows_in_texts(text, accounts, "order by person_id", value)
            .await
    }
}

fn count_row(row: &dialect::Row) -> Result<CountRow> {
    Ok(CountRow {
        account: get(row, 0)?,
        audience: get(row, 1)?,
        people: get(row, 2)?,
    })
}

fn member_row(row: &dialect::Row) -> Result<AccountMemberRow> {
    Ok(AccountMemberRow {
        audience: get(row, 0)?,
        account: get(row, 1)?,
        since: get(row, 2)?,
    })
}

#[cfg(test)]
impl Tx {
    /// The log after a row of it.
    pub async fn account_log_after(&mut self, id: i64) -> Result<Vec<AccountLogRow>> {
        let text = "select id, audience, account, at, entered, cause from account_membership_log where id > $1 order by id";
        self.all(text, &[Arg::Int(id)], |row| {
            Ok(AccountLogRow {
                id: get(row, 0)?,
                audience: get(row, 1)?,
                account: get(row, 2)?,
                at: get(row, 3)?,
                entered: get::<i64>(row, 4)? != 0,
                cause: get(row, 5)?,
            })
        })
        .await
    }

    /// The log of people after a row of it.
    pub async fn log_after(&mut self, id: i64) -> Result<Vec<super::LogRow>> {
        let text = "select id, audience, person, at, entered, cause from membership_log where id > $1 order by id";
        self.all(text, &[Arg::Int(id)], |row| {
            Ok(super::LogRow {
                id: get(row, 0)?,
                audience: get(row, 1)?,
                person: super::query::uuid(row, 2)?,
                at: get(row, 3)?,
                entered: get::<i64>(row, 4)? != 0,
                cause: get(row, 5)?,
            })
        })
        .await
    }
}
