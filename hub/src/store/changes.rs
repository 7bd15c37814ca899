//! The keys at which what destinations should hold and what they have acknowledged may differ, and the attempts to send them.

use super::query::{get, json_texts, value};
use super::value::{Arg, json_integers};
use super::{Result, Tx, dialect};
use std::collections::BTreeSet;

/// A key at which wanted and acknowledged may differ, with one of the persons who want it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    pub id: i64,
    pub generation: i64,
    pub object: String,
    pub remote_key: String,
    pub attempts: i64,
    pub unsure: bool,
    /// JSON: the rows that attempts without an answer sent.
    pub tried: String,
    pub acknowledged: Option<String>,
    pub wanted: Option<String>,
    /// As in the wanted row.
    pub allowed: bool,
    pub person: Option<[u8; 16]>,
    /// The person's traits and consents now, as JSON.
    pub traits: Option<String>,
    pub consents: Option<String>,
}

/// A change as it was read. Updates apply to that generation only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Looked {
    pub change: i64,
    pub generation: i64,
}

impl Looked {
    fn args(&self) -> [Arg<'_>; 2] {
        [Arg::Int(self.change), Arg::Int(self.generation)]
    }
}

/// What is known about the attempts to send a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    pub looked: Looked,
    pub unsure: bool,
    pub tried: String,
    pub attempts: i64,
}

impl AttemptRow {
    fn args(&self) -> [Arg<'_>; 5] {
        [
            Arg::Int(i64::from(self.unsure)),
            Arg::Text(&self.tried),
            Arg::Int(self.attempts),
            Arg::Int(self.looked.change),
            Arg::Int(self.looked.generation),
        ]
    }
}

/// A change that the vendor refused, with its own code and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    pub looked: Looked,
    pub code: String,
    pub message: String,
}

const NOTHING_TRIED: &str = "[]";

/// Memberships at the keys `$1` of the destination `$2` that wait for their person or were refused, of people who are wanted and may be sent.
const ASLEEP: &str = "state in ('held', 'rejected') and remote_key in (select value from json_each($1)) and object like 'audience:%' \
    and exists (select 1 from wanted w where w.destination = $2 and w.object = change.object and w.remote_key = change.remote_key and w.allowed = 1)";

/// These changes, a row for each person who wants the key.
fn whole(of: &str) -> String {
    format!(
        "select c.id, c.object, c.remote_key, c.attempts, c.unsure, a.payload, w.payload, p.uuid, p.traits, p.consents, c.tried, c.generation, w.allowed \
         from ({of}) c \
         left join acknowledged a on a.destination = c.destination and a.object = c.object and a.remote_key = c.remote_key \
         left join wanted w on w.destination = c.destination and w.object = c.object and w.remote_key = c.remote_key \
         left join person p on p.id = w.person_id order by c.id, p.uuid"
    )
}

fn change(row: &dialect::Row) -> Result<ChangeRow> {
    let uuid: Option<Vec<u8>> = get(row, 7)?;
    Ok(ChangeRow {
        id: get(row, 0)?,
        object: get(row, 1)?,
        remote_key: get(row, 2)?,
        attempts: get(row, 3)?,
        unsure: get::<i64>(row, 4)? != 0,
        acknowledged: get(row, 5)?,
        wanted: get(row, 6)?,
        person: uuid.and_then(|uuid| uuid.try_into().ok()),
        traits: get(row, 8)?,
        consents: get(row, 9)?,
        tried: get(row, 10)?,
        generation: get(row, 11)?,
        allowed: get::<Option<i64>>(row, 12)? == Some(1),
    })
}

impl Tx {
    /// Marks keys as differing. A key that is marked already is evaluated again, even while it is being sent.
    pub async fn mark_changes(
        &mut self,
        first_id: i64,
        keys: Vec<(String, String, String)>,
    ) -> Result<()> {
        let keys: Vec<_> = (first_id..).zip(keys).collect();
        self.upsert(
            "change (id, destination, object, remote_key, state, generation, unsure, tried, attempts)",
            "on conflict (destination, object, remote_key) do update set state = 'pending', generation = change.generation + 1, attempts = 0",
            &keys,
            |(id, (destination, object, remote_key))| [
                Arg::Int(*id),
                Arg::Text(destination),
                Arg::Text(object),
                Arg::Text(remote_key),
                Arg::Text("pending"),
                Arg::Int(1),
                Arg::Int(0),
                Arg::Text(NOTHING_TRIED),
                Arg::Int(0),
            ],
        )
        .await
    }

    /// Pending changes of a destination's objects of one `family` (`person:` or `audience:`) after `after`, in order. A key
    /// wanted by several persons appears several times in a row.
    pub async fn pending_changes(
        &mut self,
        destination: &str,
        family: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ChangeRow>> {
        let of = "select * from change where destination = $1 and state = 'pending' and id > $2 and object like $4 order by id limit $3";
        let arguments = [
            Arg::Text(destination),
            Arg::Int(after),
            Arg::Int(limit),
            Arg::Text(&format!("{family}%")),
        ];
        self.all(whole(of), &arguments, change).await
    }

    /// The memberships that `wake_members` would let be sent at these keys.
    pub async fn waking_changes(
        &mut self,
        destination: &str,
        keys: &[String],
    ) -> Result<Vec<ChangeRow>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let of = format!("select * from change where destination = $2 and {ASLEEP}");
        let keys = json_texts(keys);
        self.all(
            whole(&of),
            &[Arg::Text(&keys), Arg::Text(destination)],
            change,
        )
        .await
    }

    pub async fn is_anything_pending(&mut self, destination: &str) -> Result<bool> {
        let text =
            "select exists (select 1 from change where destination = $1 and state = 'pending')";
        let is_any: i64 = self.one(text, &[Arg::Text(destination)], value).await?;
        Ok(is_any != 0)
    }

    /// The changes that are still pending in the generation that was read.
    pub async fn still_pending(&mut self, looked: &[Looked]) -> Result<BTreeSet<Looked>> {
        let text = "select id, generation from change where id = $1 and state = 'pending'";
        let ids = looked.iter().map(|one| one.change);
        let now: BTreeSet<Looked> = self
            .of_keys(text, ids, |row| {
                Ok(Looked {
                    change: row.get(0)?,
                    generation: row.get(1)?,
                })
            })
            .await?
            .into_iter()
            .collect();
        Ok(looked
            .iter()
            .copied()
            .filter(|one| now.contains(one))
            .collect())
    }

    /// Whether there is nobody for one of these changes who is wanted and may be sent now.
    pub async fn are_forbidden(&mut self, changes: impl IntoIterator<Item = i64>) -> Result<bool> {
        let text = format!(
            "select c.id from change c where c.id {} and not exists (select 1 from wanted w where w.destination = c.destination \
             and w.object = c.object and w.remote_key = c.remote_key and w.allowed = 1) limit 1",
            dialect::IN_INTEGERS
        );
        let found = self.rows_in(text, changes, value::<i64>).await?;
        Ok(!found.is_empty())
    }

    // I9: recorded before anything is sent, so that a crash in between is known. I15: the generation goes up, so that a
    // delivery that began earlier can no longer finish the change.
    pub async fn begin_attempts(&mut self, attempts: &[AttemptRow]) -> Result<()> {
        self.update(
            "update change set unsure = $1, tried = $2, attempts = $3, generation = generation + 1 where id = $4 and generation = $5",
            attempts,
            AttemptRow::args,
        )
        .await
    }

    /// The vendor answered that nothing was applied: the state before the attempt is restored. Where the change moved on
    /// meanwhile, the attempted fields stay recorded.
    pub async fn undo_attempts(&mut self, attempts: &[AttemptRow]) -> Result<()> {
        let text = "update change set unsure = $1, tried = $2, attempts = $3 where id = $4 and generation = $5";
        self.each(text, attempts, AttemptRow::args).await
    }

    pub async fn finish_changes(&mut self, looked: &[Looked]) -> Result<()> {
        let text = "delete from change where id = $1 and generation = $2";
        self.each(text, looked, Looked::args).await
    }

    /// Held until their key is marked again, or, for members, until the destination has their person.
    pub async fn hold_changes(&mut self, looked: &[Looked]) -> Result<()> {
        let text = "update change set state = 'held' where id = $1 and generation = $2";
        self.each(text, looked, Looked::args).await
    }

    /// The memberships among these changes whose person's row the destination does not have yet, with the change of that row, and
    /// whether the row was refused.
    pub async fn before_their_person(
        &mut self,
        person: &str,
        changes: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<(i64, i64, bool)>> {
        let text = format!(
            "select c.id, p.id, p.state = 'rejected' from change c join change p on p.destination = c.destination and p.object = $2 \
             and p.remote_key = c.remote_key where c.id {} and p.state in ('pending', 'rejected') and not exists (select 1 from acknowledged a \
             where a.destination = c.destination and a.object = $2 and a.remote_key = c.remote_key)",
            dialect::IN_INTEGERS
        );
        let changes = json_integers(changes);
        self.all(text, &[Arg::Text(&changes), Arg::Text(person)], |row| {
            Ok((get(row, 0)?, get(row, 1)?, get::<i64>(row, 2)? != 0))
        })
        .await
    }

    /// Lets memberships at these keys be sent that waited for their person, or were refused. Removals are not among them: a guard has to
    /// count those first.
    pub async fn wake_members(&mut self, destination: &str, keys: &[String]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let text = format!(
            "update change set state = 'pending', generation = generation + 1, attempts = 0 where destination = $2 and {ASLEEP}"
        );
        let keys = json_texts(keys);
        self.run(text, &[Arg::Text(&keys), Arg::Text(destination)])
            .await
    }

    pub async fn reject_changes(&mut self, refused: &[RefusedRow]) -> Result<()> {
        self.each(
            "update change set state = 'rejected', code = $1, message = $2 where id = $3 and generation = $4",
            refused,
            |row| {
                [
                    Arg::Text(&row.code),
                    Arg::Text(&row.message),
                    Arg::Int(row.looked.change),
                    Arg::Int(row.looked.generation),
                ]
            },
        )
        .await
    }

    /// Retries rejected changes, but not where somebody has given up; returns how many.
    pub async fn retry_rejected(&mut self) -> Result<u64> {
        let text = "update change set state = 'pending', generation = generation + 1, attempts = 0 where state = 'rejected' \
             and not exists (select 1 from dead_letter d where d.state = 'given_up' and d.slot = -change.id and d.version = change.generation)";
        self.changed(text, &[]).await
    }

    /// The same for one change; false when it is not rejected any more.
    pub async fn retry_change(&mut self, looked: Looked) -> Result<bool> {
        let text = "update change set state = 'pending', generation = generation + 1, attempts = 0 where state = 'rejected' \
             and id = $1 and generation = $2";
        Ok(self.changed(text, &looked.args()).await? > 0)
    }

    /// Whether a change is still as it was when the vendor refused it.
    pub async fn is_rejected(&mut self, looked: Looked) -> Result<bool> {
        let text =
            "select count(*) from change where id = $1 and generation = $2 and state = 'rejected'";
        let found: i64 = self.one(text, &looked.args(), value).await?;
        Ok(found > 0)
    }

    /// What a destination should have at the key of a change: the row, none where it should have nothing; and none at all when
    /// the change has ended.
    pub async fn wanted_by(&mut self, change: i64) -> Result<Option<Option<String>>> {
        let text = "select w.payload from change c left join wanted w on w.destination = c.destination and w.object = c.object \
             and w.remote_key = c.remote_key and w.allowed = 1 where c.id = $1 limit 1";
        self.maybe(text, &[Arg::Int(change)], value).await
    }

    /// Whether the destination holds these keys, which are marked, is unknown.
    pub async fn mark_unsure(
        &mut self,
        destination: &str,
        object: &str,
        keys: &[String],
    ) -> Result<()> {
        let keys: Vec<_> = keys.iter().map(|key| (destination, object, key)).collect();
        self.each(
            "update change set unsure = 1 where destination = $1 and object = $2 and remote_key = $3",
            &keys,
            |(destination, object, key)| {
                [Arg::Text(destination), Arg::Text(object), Arg::Text(key)]
            },
        )
        .await
    }
}
