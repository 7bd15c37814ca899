//! What destinations should hold, and what they have acknowledged.

use super::query::{columns, get, json_texts, value};
use super::value::Arg;
use super::{Result, Tx, dialect};
use crate::model::{Permission, Timestamp};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedRow {
    pub destination: String,
    /// `person:TARGET` or `audience:NAME`
    pub object: String,
    pub person_id: i64,
    pub remote_key: String,
    /// JSON object; `{}` for a member.
    pub payload: String,
    /// In the column `allowed`, by its code.
    pub permission: Permission,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcknowledgedRow {
    pub destination: String,
    pub object: String,
    pub remote_key: String,
    pub payload: String,
    /// JSON: by field, the slots of the tool's records that had said its value; none where there are none.
    pub own: Option<String>,
}

/// How many rows a destination has confirmed, and how many changes wait or were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DestinationCounts {
    pub holds: i64,
    pub waits: i64,
    pub refused: i64,
}

/// How one object of a person is at a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    pub object: String,
    /// By which the person is wanted there.
    pub remote_key: Option<String>,
    /// None where the person is not wanted there.
    pub permission: Option<Permission>,
    pub is_acknowledged: bool,
    /// The state of the change at the key, if there is one.
    pub change: Option<String>,
    /// What the vendor said of it.
    pub code: String,
    pub message: String,
}

/// One row that a destination should have, with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredRow {
    pub person_id: i64,
    pub person: Option<Vec<u8>>,
    pub payload: String,
    pub confirmed: Option<String>,
    pub confirmed_at: Option<i64>,
    pub is_unsure: bool,
    pub state: KeyState,
}

/// What the hub wrote somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenRow {
    pub object: String,
    pub remote_key: String,
    /// The row; where attempts have no answer yet, an array of what they sent.
    pub payload: String,
    /// None where attempts have no answer yet.
    pub acknowledged_at: Option<i64>,
    /// What was there before, where that was something else.
    pub former: Option<String>,
    /// As in the acknowledged row.
    pub own: Option<String>,
}

impl Tx {
    pub async fn destinations(&mut self) -> Result<Vec<(String, String)>> {
        self.all(
            "select name, digest from destination order by name",
            &[],
            columns,
        )
        .await
    }

    pub async fn set_destination(&mut self, name: &str, digest: &str) -> Result<()> {
        let text = "insert into destination (name, digest) values ($1, $2) on conflict (name) do update set digest = excluded.digest";
        self.run(text, &[Arg::Text(name), Arg::Text(digest)]).await
    }

    pub async fn remove_destination(&mut self, name: &str) -> Result<()> {
        self.run(
            "delete from destination where name = $1",
            &[Arg::Text(name)],
        )
        .await
    }

    /// Some of the rows that are wanted at a destination.
    pub async fn wanted_at(&mut self, destination: &str, limit: i64) -> Result<Vec<WantedRow>> {
        let text = "select object, person_id, remote_key, payload, allowed from wanted where destination = $1 limit $2";
        self.all(text, &[Arg::Text(destination), Arg::Int(limit)], |row| {
            Ok(WantedRow {
                destination: destination.to_owned(),
                object: get(row, 0)?,
                person_id: get(row, 1)?,
                remote_key: get(row, 2)?,
                payload: get(row, 3)?,
                permission: Permission::of_code(get(row, 4)?),
            })
        })
        .await
    }

    pub async fn wanted_of(
        &mut self,
        persons: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<WantedRow>> {
        let text = "select destination, object, person_id, remote_key, payload, allowed from wanted where person_id = $1";
        self.of_keys(text, persons, |row| {
            Ok(WantedRow {
                destination: row.get(0)?,
                object: row.get(1)?,
                person_id: row.get(2)?,
                remote_key: row.get(3)?,
                payload: row.get(4)?,
                permission: Permission::of_code(row.get(5)?),
            })
        })
        .await
    }

    /// What a destination has at these keys: what it acknowledged, and what it may have been sent without an answer.
    pub async fn written_at(
        &mut self,
        destination: &str,
        objects: &[String],
        keys: &[String],
    ) -> Result<Vec<WrittenRow>> {
        if keys.is_empty() || objects.is_empty() {
            return Ok(Vec::new());
        }
        let text = "select a.object, a.remote_key, a.payload, a.acknowledged_at, a.former, a.own from json_each($3) as o cross join json_each($1) as k \
             cross join acknowledged as a on a.destination = $2 and a.object = o.value and a.remote_key = k.value \
             union all select c.object, c.remote_key, c.tried, null, null, b.own from json_each($3) as o cross join json_each($1) as k \
             cross join change as c on c.destination = $2 and c.object = o.value and c.remote_key = k.value and c.unsure = 1 \
             left join acknowledged as b on b.destination = $2 and b.object = o.value and b.remote_key = k.value";
        let (objects, keys) = (json_texts(objects), json_texts(keys));
        let arguments = [
            Arg::Text(&keys),
            Arg::Text(destination),
            Arg::Text(&objects),
        ];
        self.all(text, &arguments, |row| {
            Ok(WrittenRow {
                object: get(row, 0)?,
                remote_key: get(row, 1)?,
                payload: get(row, 2)?,
                acknowledged_at: get(row, 3)?,
                former: get(row, 4)?,
                own: get(row, 5)?,
            })
        })
        .await
    }

    /// The evidence of the people who are wanted at these keys.
    pub async fn evidence_wanted_at(
        &mut self,
        destination: &str,
        object: &str,
        keys: &[String],
    ) -> Result<Vec<(String, i64)>> {
        let text = "select w.remote_key, v.id from json_each($1) as k \
             cross join wanted as w on w.destination = $2 and w.object = $3 and w.remote_key = k.value \
             cross join person as p on p.id = w.person_id cross join evidence as v on v.component = p.component and v.person_id = p.id";
        let keys = json_texts(keys);
        let arguments = [Arg::Text(&keys), Arg::Text(destination), Arg::Text(object)];
        self.all(text, &arguments, columns).await
    }

    pub async fn save_wanted(&mut self, wanted: &[WantedRow]) -> Result<()> {
        self.upsert(
            "wanted (destination, object, person_id, remote_key, payload, allowed)",
            "on conflict (destination, object, person_id) do update set remote_key = excluded.remote_key, \
             payload = excluded.payload, allowed = excluded.allowed",
            wanted,
            |row| [
                Arg::Text(&row.destination),
                Arg::Text(&row.object),
                Arg::Int(row.person_id),
                Arg::Text(&row.remote_key),
                Arg::Text(&row.payload),
                Arg::Int(row.permission.code()),
            ],
        )
        .await
    }

    pub async fn remove_wanted(&mut self, gone: &[WantedRow]) -> Result<()> {
        self.each(
            "delete from wanted where destination = $1 and object = $2 and person_id = $3",
            gone,
            |row| {
                [
                    Arg::Text(&row.destination),
                    Arg::Text(&row.object),
                    Arg::Int(row.person_id),
                ]
            },
        )
        .await
    }

    /// Rows acknowledged for an object.
    pub async fn acknowledged_count(&mut self, destination: &str, object: &str) -> Result<i64> {
        let text = "select count(*) from acknowledged where destination = $1 and object = $2";
        self.one(text, &[Arg::Text(destination), Arg::Text(object)], value)
            .await
    }

    /// Keeps what was there before where it `keeps_former`.
    pub async fn acknowledge(
        &mut self,
        acknowledged: &[AcknowledgedRow],
        now: Timestamp,
        keeps_former: bool,
    ) -> Result<()> {
        let conflict = match keeps_former {
            true => {
                "on conflict (destination, object, remote_key) do update set payload = excluded.payload, own = excluded.own, acknowledged_at = excluded.acknowledged_at, \
                 former = case when acknowledged.payload = excluded.payload then acknowledged.former else acknowledged.payload end"
            }
            false => {
                "on conflict (destination, object, remote_key) do update set payload = excluded.payload, own = excluded.own, acknowledged_at = excluded.acknowledged_at, \
                 former = null"
            }
        };
        self.upsert(
            "acknowledged (destination, object, remote_key, payload, own, acknowledged_at)",
            conflict,
            acknowledged,
            |row| {
                [
                    Arg::Text(&row.destination),
                    Arg::Text(&row.object),
                    Arg::Text(&row.remote_key),
                    Arg::Text(&row.payload),
                    Arg::OptText(row.own.as_deref()),
                    Arg::Int(now.0),
                ]
            },
        )
        .await
    }

    pub async fn forget_acknowledged(
        &mut self,
        destination: &str,
        keys: &[(String, String)],
    ) -> Result<()> {
        let keys: Vec<_> = keys
            .iter()
            .map(|(object, key)| (destination, object, key))
            .collect();
        self.each(
            "delete from acknowledged where destination = $1 and object = $2 and remote_key = $3",
            &keys,
            |(destination, object, key)| {
                [Arg::Text(destination), Arg::Text(object), Arg::Text(key)]
            },
        )
        .await
    }

    /// Up to `limit` keys that an object is known to hold there.
    pub async fn acknowledged_keys(
        &mut self,
        destination: &str,
        object: &str,
        limit: i64,
    ) -> Result<Vec<String>> {
        let text = "select remote_key from acknowledged where destination = $1 and object = $2 order by remote_key limit $3";
        self.all(
            text,
            &[Arg::Text(destination), Arg::Text(object), Arg::Int(limit)],
            value,
        )
        .await
    }

    pub async fn destination_counts(&mut self, destination: &str) -> Result<DestinationCounts> {
        let text = "select (select count(*) from acknowledged where destination = $1), \
             coalesce(sum(state <> 'rejected'), 0), coalesce(sum(state = 'rejected'), 0) from change where destination = $1";
        self.one(text, &[Arg::Text(destination)], |row| {
            Ok(DestinationCounts {
                holds: get(row, 0)?,
                waits: get(row, 1)?,
                refused: get(row, 2)?,
            })
        })
        .await
    }

    /// One row for each of the objects. `key` is where a person is looked for who is not wanted there.
    pub async fn states_of(
        &mut self,
        destination: &str,
        person: i64,
        key: Option<&str>,
        objects: &[String],
    ) -> Result<Vec<KeyState>> {
        let text = "select o.value, w.remote_key, w.allowed, a.remote_key is not null, c.state, c.code, c.message from json_each($4) o \
             left join wanted w on w.destination = $1 and w.object = o.value and w.person_id = $2 \
             left join acknowledged a on a.destination = $1 and a.object = o.value and a.remote_key = coalesce(w.remote_key, $3) \
             left join change c on c.destination = $1 and c.object = o.value and c.remote_key = coalesce(w.remote_key, $3) order by o.key";
        let objects = json_texts(objects);
        let args = [
            Arg::Text(destination),
            Arg::Int(person),
            Arg::OptText(key),
            Arg::Text(&objects),
        ];
        self.all(text, &args, key_state).await
    }

    /// Rows that a destination should have, by object and person, after one of them.
    pub async fn delivered_after(
        &mut self,
        destination: &str,
        (object, person): (&str, i64),
        limit: i64,
    ) -> Result<Vec<DeliveredRow>> {
        let text = "select w.object, w.remote_key, w.allowed, a.remote_key is not null, c.state, c.code, c.message, \
             w.person_id, p.uuid, w.payload, a.payload, a.acknowledged_at, coalesce(c.unsure, 0) from wanted w \
             left join person p on p.id = w.person_id \
             left join acknowledged a on a.destination = w.destination and a.object = w.object and a.remote_key = w.remote_key \
             left join change c on c.destination = w.destination and c.object = w.object and c.remote_key = w.remote_key \
             where w.destination = $1 and (w.object, w.person_id) > ($2, $3) order by w.object, w.person_id limit $4";
        let arguments = [
            Arg::Text(destination),
            Arg::Text(object),
            Arg::Int(person),
            Arg::Int(limit),
        ];
        self.all(text, &arguments, |row| {
            Ok(DeliveredRow {
                state: key_state(row)?,
                person_id: get(row, 7)?,
                person: get(row, 8)?,
                payload: get(row, 9)?,
                confirmed: get(row, 10)?,
                confirmed_at: get(row, 11)?,
                is_unsure: get::<i64>(row, 12)? != 0,
            })
        })
        .await
    }

    /// How many people may not be sent, by the reason.
    pub async fn withheld(&mut self, destination: &str) -> Result<Vec<(Permission, i64)>> {
        let text = "select allowed, count(distinct person_id) from wanted where destination = $1 and allowed <> 1 \
             group by allowed order by allowed desc";
        self.all(text, &[Arg::Text(destination)], |row| {
            Ok((Permission::of_code(get(row, 0)?), get(row, 1)?))
        })
        .await
    }

    /// Some of them, with the key by which they would be found there.
    pub async fn withheld_people(
        &mut self,
        destination: &str,
        limit: i64,
    ) -> Result<Vec<(String, Permission)>> {
        let text = "select distinct remote_key, allowed from wanted where destination = $1 and allowed <> 1 \
             order by remote_key limit $2";
        self.all(text, &[Arg::Text(destination), Arg::Int(limit)], |row| {
            Ok((get(row, 0)?, Permission::of_code(get(row, 1)?)))
        })
        .await
    }
}

fn key_state(row: &dialect::Row) -> Result<KeyState> {
    let said = |text: Option<String>| text.unwrap_or_default();
    Ok(KeyState {
        object: get(row, 0)?,
        remote_key: get(row, 1)?,
        permission: get::<Option<i64>>(row, 2)?.map(Permission::of_code),
        is_acknowledged: get::<i64>(row, 3)? != 0,
        change: get(row, 4)?,
        code: said(get(row, 5)?),
        message: said(get(row, 6)?),
    })
}
