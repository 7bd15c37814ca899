//! Memberships, their log, and the timers at which an answer changes with no new data.

use super::query::{columns, get, uuid, value};
use super::value::Arg;
use super::{Result, Tx, dialect, failed};
use crate::manifest::Subject;
use crate::model::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    pub audience: String,
    pub person_id: i64,
    pub since: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    pub id: i64,
    pub audience: String,
    pub person: [u8; 16],
    pub at: i64,
    pub entered: bool,
    pub cause: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimerRow {
    pub audience: String,
    pub person_id: i64,
    pub due_at: i64,
}

/// An event of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HappenedRow {
    pub evidence_id: i64,
    pub time: i64,
    /// JSON object, or nothing.
    pub properties: String,
}

/// How many persons or accounts moved on one day for one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedRow {
    /// Days since 1970 in UTC.
    pub day: i64,
    pub entered: bool,
    pub cause: String,
    pub members: i64,
}

impl Tx {
    /// Known definitions and their digests.
    pub async fn audiences(&mut self) -> Result<Vec<(String, String)>> {
        self.all(
            "select name, digest from audience order by name",
            &[],
            columns,
        )
        .await
    }

    pub async fn set_audience(&mut self, name: &str, digest: &str) -> Result<()> {
        let text = "insert into audience (name, digest) values ($1, $2) on conflict (name) do update set digest = excluded.digest";
        self.run(text, &[Arg::Text(name), Arg::Text(digest)]).await
    }

    pub async fn remove_audience(&mut self, name: &str) -> Result<()> {
        self.forget_members(Subject::Person, name).await?;
        self.forget_members(Subject::Account, name).await?;
        self.run("delete from audience where name = $1", &[Arg::Text(name)])
            .await
    }

    /// Removes an audience's members of one kind and their timers, as if it had never had any.
    pub async fn forget_members(&mut self, of: Subject, name: &str) -> Result<()> {
        let prefix = prefix(of);
        for table in ["membership", "timer"] {
            let text = format!("delete from {prefix}{table} where audience = $1");
            self.run(text, &[Arg::Text(name)]).await?;
        }
        Ok(())
    }

    pub async fn memberships_of(
        &mut self,
        persons: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<MemberRow>> {
        let text = "select audience, person_id, since from membership where person_id = $1";
        self.of_keys(text, persons, |row| {
            Ok(MemberRow {
                audience: row.get(0)?,
                person_id: row.get(1)?,
                since: row.get(2)?,
            })
        })
        .await
    }

    /// Ids of all members, ascending.
    pub async fn members(&mut self, audience: &str) -> Result<Vec<MemberRow>> {
        let text = "select audience, person_id, since from membership where audience = $1 order by person_id";
        self.all(text, &[Arg::Text(audience)], |row| {
            Ok(MemberRow {
                audience: get(row, 0)?,
                person_id: get(row, 1)?,
                since: get(row, 2)?,
            })
        })
        .await
    }

    /// Up to `limit` members after a person's number.
    pub async fn members_after(
        &mut self,
        audience: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<MemberRow>> {
        let text = "select audience, person_id, since from membership where audience = $1 and person_id > $2 \
             order by person_id limit $3";
        let page = [Arg::Text(audience), Arg::Int(after), Arg::Int(limit)];
        self.all(text, &page, |row| {
            Ok(MemberRow {
                audience: get(row, 0)?,
                person_id: get(row, 1)?,
                since: get(row, 2)?,
            })
        })
        .await
    }

    /// Up to `limit` rows of an audience's log of people after a row of it.
    pub async fn log_of(&mut self, audience: &str, after: i64, limit: i64) -> Result<Vec<LogRow>> {
        let text = "select id, audience, person, at, entered, cause from membership_log \
             where audience = $1 and id > $2 order by id limit $3";
        let page = [Arg::Text(audience), Arg::Int(after), Arg::Int(limit)];
        self.all(text, &page, |row| {
            Ok(LogRow {
                id: get(row, 0)?,
                audience: get(row, 1)?,
                person: uuid(row, 2)?,
                at: get(row, 3)?,
                entered: get::<i64>(row, 4)? != 0,
                cause: get(row, 5)?,
            })
        })
        .await
    }

    pub async fn member_count(&mut self, of: Subject, audience: &str) -> Result<i64> {
        let prefix = prefix(of);
        let text = format!("select count(*) from {prefix}membership where audience = $1");
        self.one(text, &[Arg::Text(audience)], value).await
    }

    pub async fn add_members(&mut self, members: &[MemberRow]) -> Result<()> {
        self.upsert(
            "membership (audience, person_id, since)",
            "on conflict (audience, person_id) do nothing",
            members,
            |member| {
                [
                    Arg::Text(&member.audience),
                    Arg::Int(member.person_id),
                    Arg::Int(member.since),
                ]
            },
        )
        .await
    }

    pub async fn remove_members(&mut self, members: &[(String, i64)]) -> Result<()> {
        self.each(
            "delete from membership where audience = $1 and person_id = $2",
            members,
            |(audience, person)| [Arg::Text(audience), Arg::Int(*person)],
        )
        .await
    }

    pub async fn add_log(&mut self, log: &[LogRow]) -> Result<()> {
        self.insert(
            "membership_log (id, audience, person, at, entered, cause)",
            log,
            |row| {
                [
                    Arg::Int(row.id),
                    Arg::Text(&row.audience),
                    Arg::Bytes(&row.person),
                    Arg::Int(row.at),
                    Arg::Int(i64::from(row.entered)),
                    Arg::Text(&row.cause),
                ]
            },
        )
        .await
    }

    /// Entered and left after a row of the log.
    pub async fn log_counts(
        &mut self,
        of: Subject,
        audience: &str,
        after_id: i64,
    ) -> Result<(i64, i64)> {
        let text = format!(
            "select coalesce(sum(entered), 0), coalesce(sum(1 - entered), 0) from {}membership_log where audience = $1 and id > $2",
            prefix(of)
        );
        let of = [Arg::Text(audience), Arg::Int(after_id)];
        self.one(text, &of, columns).await
    }

    pub async fn last_log_id(&mut self, of: Subject) -> Result<i64> {
        let text = format!("select max(id) from {}membership_log", prefix(of));
        let last: Option<i64> = self.one(text, &[], value).await?;
        Ok(last.unwrap_or_default())
    }

    /// Replaces the timers of persons.
    pub async fn set_timers(&mut self, persons: &[i64], timers: &[TimerRow]) -> Result<()> {
        self.remove("delete from timer where person_id", persons)
            .await?;
        self.upsert(
            "timer (audience, person_id, due_at)",
            "on conflict (audience, person_id) do update set due_at = excluded.due_at",
            timers,
            |timer| {
                [
                    Arg::Text(&timer.audience),
                    Arg::Int(timer.person_id),
                    Arg::Int(timer.due_at),
                ]
            },
        )
        .await
    }

    /// Replaces the timers of persons in some audiences.
    pub async fn set_timers_of(
        &mut self,
        audiences: &[&str],
        persons: &[i64],
        timers: &[TimerRow],
    ) -> Result<()> {
        for audience in audiences {
            let rows: Vec<(&str, i64)> = persons.iter().map(|one| (*audience, *one)).collect();
            self.each(
                "delete from timer where audience = $1 and person_id = $2",
                &rows,
                |(audience, person)| [Arg::Text(audience), Arg::Int(*person)],
            )
            .await?;
        }
        self.set_timers(&[], timers).await
    }

    /// Persons with a timer that is due, at most `limit`.
    pub async fn due_persons(&mut self, now: Timestamp, limit: i64) -> Result<Vec<i64>> {
        let text =
            "select distinct person_id from timer where due_at <= $1 order by person_id limit $2";
        self.all(text, &[Arg::Int(now.0), Arg::Int(limit)], value)
            .await
    }

    pub async fn next_due(&mut self) -> Result<Option<i64>> {
        let text = "select min(due_at) from (select min(due_at) as due_at from timer \
             union all select min(due_at) from account_timer) as both";
        self.one(text, &[], value).await
    }

    /// Runs a query that selects person ids; every value in it is bound, in the order of the placeholders.
    pub async fn select_persons(&mut self, text: &str, binds: &[Arg<'_>]) -> Result<Vec<i64>> {
        dialect::integers(self.connection(), text, binds)
            .await
            .map_err(failed)
    }

    /// The last of the next `limit` persons after `after`, by id.
    pub async fn last_person(&mut self, after: i64, limit: i64) -> Result<Option<i64>> {
        let text = "select max(id) from (select id from person where id > $1 order by id limit $2) as next";
        self.one(text, &[Arg::Int(after), Arg::Int(limit)], value)
            .await
    }

    /// The members with `after < id <= last`, and since when they are members.
    pub async fn members_between(
        &mut self,
        audience: &str,
        after: i64,
        last: i64,
    ) -> Result<Vec<(i64, i64)>> {
        let text = "select person_id, since from membership where audience = $1 and person_id > $2 and person_id <= $3";
        self.all(
            text,
            &[Arg::Text(audience), Arg::Int(after), Arg::Int(last)],
            columns,
        )
        .await
    }

    /// Replaces the timers of persons with `after < id <= last` in some audiences.
    pub async fn set_timers_between(
        &mut self,
        audiences: &[&str],
        after: i64,
        last: i64,
        timers: &[TimerRow],
    ) -> Result<()> {
        let text = "delete from timer where audience = $1 and person_id > $2 and person_id <= $3";
        self.each(text, audiences, |audience| {
            [Arg::Text(audience), Arg::Int(after), Arg::Int(last)]
        })
        .await?;
        self.set_timers(&[], timers).await
    }

    /// Events of one name later than `after`, by evidence; the properties are empty unless asked for.
    pub async fn events_named(
        &mut self,
        evidence: &[i64],
        name: &str,
        after: i64,
        properties: bool,
    ) -> Result<Vec<HappenedRow>> {
        let properties = if properties { "properties" } else { "''" };
        let text = format!(
            "select evidence_id, time, {properties} from event where evidence_id = $1 and name = $2 and time > $3"
        );
        let more = [Arg::Text(name), Arg::Int(after)];
        self.by_key_and(&text, evidence, &more, |row| {
            Ok(HappenedRow {
                evidence_id: row.get(0)?,
                time: row.get(1)?,
                properties: row.get(2)?,
            })
        })
        .await
    }

    /// How many entered and left an audience, by day and cause, the latest day first.
    pub async fn moved(
        &mut self,
        of: Subject,
        audience: &str,
        from: Timestamp,
    ) -> Result<Vec<MovedRow>> {
        let text = format!(
            "select at / 86400000 as day, entered, cause, count(*) as members from {}membership_log \
             where audience = $1 and at >= $2 group by 1, 2, 3 order by 1 desc, 4 desc, 3",
            prefix(of)
        );
        self.all(text, &[Arg::Text(audience), Arg::Int(from.0)], |row| {
            Ok(MovedRow {
                day: get(row, 0)?,
                entered: get::<i64>(row, 1)? != 0,
                cause: get(row, 2)?,
                members: get(row, 3)?,
            })
        })
        .await
    }
}

/// What the names of the tables of memberships, their log and timers begin with.
fn prefix(of: Subject) -> &'static str {
    match of {
        Subject::Person => "",
        Subject::Account => "account_",
    }
}
