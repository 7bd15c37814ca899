//! The query against `evaluate`, in a database: both find the same people.

use super::*;
use crate::audience::SQLITE;
use crate::audience::tests::{Someone, conditions, people};
use crate::expression::{Pattern, split_position};
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value as Held;

const TABLES: &str = "
    create table person (id integer primary key, uuid blob, component bigint, traits text, consents text);
    create table evidence (id integer primary key, component bigint, person_id bigint);
    create table event (id integer primary key, evidence_id bigint, name text, time bigint, properties text);
    create table membership (audience text, person_id bigint, since bigint);";

fn database(people: &[Someone]) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    let flags = FunctionFlags::SQLITE_DETERMINISTIC;
    connection
        .create_scalar_function("regexp", 2, flags, |call| {
            let pattern = Pattern::parse(call.get_raw(0).as_str()?).unwrap();
            Ok(call
                .get_raw(1)
                .as_str()
                .is_ok_and(|text| pattern.is_in(text)))
        })
        .unwrap();
    connection
        .create_scalar_function("split_position", 2, flags, |call| {
            Ok(split_position(
                &call.get::<String>(0)?,
                &call.get::<[u8; 16]>(1)?,
            ))
        })
        .unwrap();
    connection.execute_batch(TABLES).unwrap();
    for (at, someone) in people.iter().enumerate() {
        let id = at as i64;
        // Two people share a component, and each has two pieces of evidence.
        let component = id / 2;
        let consents: std::collections::BTreeMap<_, _> = someone
            .granted
            .iter()
            .map(|purpose| (purpose, serde_json::json!(["granted"])))
            .collect();
        let json = |value: &dyn erased_json::Json| value.text();
        connection
            .execute(
                "insert into person values ($1, $2, $3, $4, $5)",
                (
                    id,
                    someone.id,
                    component,
                    json(&someone.traits),
                    json(&consents),
                ),
            )
            .unwrap();
        for evidence in [id * 2, id * 2 + 1] {
            connection
                .execute(
                    "insert into evidence values ($1, $2, $3)",
                    (evidence, component, id),
                )
                .unwrap();
        }
        for (number, (name, time, properties)) in someone.events.iter().enumerate() {
            connection
                .execute(
                    "insert into event (evidence_id, name, time, properties) values ($1, $2, $3, $4)",
                    (id * 2 + (number % 2) as i64, name, time.millis(), json(properties)),
                )
                .unwrap();
        }
        for (name, since) in &someone.audiences {
            connection
                .execute(
                    "insert into membership values ($1, $2, $3)",
                    (name, id, since.millis()),
                )
                .unwrap();
        }
    }
    connection
}

mod erased_json {
    pub trait Json {
        fn text(&self) -> String;
    }
    impl<T: serde::Serialize> Json for T {
        fn text(&self) -> String {
            serde_json::to_string(self).unwrap()
        }
    }
}

fn ids(connection: &Connection, query: &Query) -> Vec<i64> {
    let binds = query.binds.iter().map(|bind| match bind {
        Bind::Text(text) => Held::Text(text.clone()),
        Bind::Integer(number) => Held::Integer(*number),
        Bind::Real(number) => Held::Real(*number),
    });
    let mut statement = connection.prepare(&query.text).unwrap();
    let rows = statement.query_map(rusqlite::params_from_iter(binds), |row| row.get(0));
    rows.unwrap().map(Result::unwrap).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_query_finds_those_for_whom_the_condition_holds(
        condition in conditions(), people in prop::collection::vec(people(), 1..5), now in -5..40i64, after in -1..3i64,
    ) {
        let connection = database(&people);
        let now = Timestamp(now);
        let holding = |part: Part| -> Vec<i64> {
            let inside = |id: &i64| part.after < *id && *id <= part.last;
            (0..people.len() as i64)
                .filter(|id| inside(id) && people[*id as usize].evaluate(&condition, now).holds)
                .collect()
        };
        for part in [Part::EVERYBODY, Part { after, last: 2 }] {
            prop_assert_eq!(ids(&connection, &sql(&condition, now, part, &SQLITE)), holding(part));
        }
    }
}
