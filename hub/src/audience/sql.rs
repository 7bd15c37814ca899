//! A condition as one query over people whose ids are in a range, for the size of an unsaved audience and as the oracle of
//! `evaluate`. It reads `person(id, uuid, component, traits, consents)`, `evidence(id, component, person_id)`,
//! `event(evidence_id, name, time, properties)` and `membership(audience, person_id, since)`, the JSON columns as text; for main
//! accounts `account(id, traits)`, `account_person(person_id, place, account)` and `account_membership(audience, account, since)`.
//! Every value and name is bound, never spliced in. Each leaf is an `exists` or a comparison of totals, so it is never null
//! and `not` means what it says.

mod events;
mod value;

use crate::audience::Dialect;
use crate::expression::{Condition, Measure};
use crate::model::Timestamp;
use std::fmt::Write;

#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Selects `id`, ascending. Placeholders are `$1`, `$2`, … in the order of `binds`.
    pub text: String,
    pub binds: Vec<Bind>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Bind {
    Text(String),
    Integer(i64),
    Real(f64),
}

/// The people of whom a query asks: `after < id <= last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub after: i64,
    pub last: i64,
}

/// The traits of a person's main account.
const MAIN_ACCOUNT: &str = "(select a.traits from account_person as r join account as a on a.id = r.account \
    where r.person_id = p.id and r.place = 0)";

/// Where a trait's value stands, and its name there.
fn column_of(name: &str) -> (&'static str, &str) {
    match name.strip_prefix("account.") {
        Some(name) => (MAIN_ACCOUNT, name),
        None => ("p.traits", name),
    }
}

impl Part {
    pub const EVERYBODY: Self = Self {
        after: i64::MIN,
        last: i64::MAX,
    };
}

/// The ids of the people for whom `condition` holds at `now`.
pub fn sql(condition: &Condition, now: Timestamp, part: Part, dialect: &Dialect) -> Query {
    let mut writer = Writer::new(now, part, dialect, Vec::new());
    writer.condition(condition);
    writer.finish()
}

/// The same where some audiences of accounts are not what is stored of them: `members` is a JSON object of lists of ids.
pub fn sql_drafted(
    condition: &Condition,
    now: Timestamp,
    part: Part,
    dialect: &Dialect,
    members: String,
) -> Query {
    let dialect = Dialect {
        account_membership: "drafted_membership",
        ..*dialect
    };
    let binds = vec![Bind::Text(members), Bind::Integer(now.millis())];
    let mut writer = Writer::new(now, part, &dialect, binds);
    writer.condition(condition);
    let mut query = writer.finish();
    query.text.insert_str(0, dialect.drafted_membership);
    query
}

struct Writer<'a> {
    dialect: &'a Dialect,
    now: Timestamp,
    text: String,
    binds: Vec<Bind>,
}

impl<'a> Writer<'a> {
    fn new(now: Timestamp, part: Part, dialect: &'a Dialect, binds: Vec<Bind>) -> Self {
        let mut writer = Writer {
            dialect,
            now,
            text: "select p.id from person as p where ".to_owned(),
            binds,
        };
        if part != Part::EVERYBODY {
            let (after, last) = (
                writer.bind(Bind::Integer(part.after)),
                writer.bind(Bind::Integer(part.last)),
            );
            let _ = write!(writer.text, "p.id > {after} and p.id <= {last} and ");
        }
        writer
    }

    fn finish(mut self) -> Query {
        self.push(" order by p.id");
        Query {
            text: self.text,
            binds: self.binds,
        }
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn bind(&mut self, bind: Bind) -> String {
        self.binds.push(bind);
        format!("${}", self.binds.len())
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::All(parts) => self.join(parts, true),
            Condition::Any(parts) => self.join(parts, false),
            Condition::Not(part) => {
                self.push("not (");
                self.condition(part);
                self.push(")");
            }
            leaf => {
                self.push("(");
                self.leaf(leaf);
                self.push(")");
            }
        }
    }

    fn join(&mut self, parts: &[Condition], all: bool) {
        if parts.is_empty() {
            return self.push(if all { "1 = 1" } else { "1 = 0" });
        }
        self.push("(");
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.push(if all { " and " } else { " or " });
            }
            self.condition(part);
        }
        self.push(")");
    }

    /// A condition that holds no others.
    fn leaf(&mut self, condition: &Condition) {
        match condition {
            Condition::All(_) | Condition::Any(_) | Condition::Not(_) => self.condition(condition),
            Condition::Trait { name, test } => {
                let (json, name) = column_of(name);
                self.field(json, name, test);
            }
            Condition::Near { name, from, until } => {
                let now = self.now.millis();
                let (after, last) = (now.saturating_sub(*until), now.saturating_sub(*from));
                self.near(name, after, last);
            }
            Condition::Audience { name, lasting: 0 } => self.member(name, None),
            Condition::Audience { name, lasting } => {
                let since = self.now.millis().saturating_sub(*lasting);
                self.member(name, Some(("<=", since)));
            }
            Condition::AccountAudience { name, lasting: 0 } => self.account_member(name, None),
            Condition::AccountAudience { name, lasting } => {
                let since = self.now.millis().saturating_sub(*lasting);
                self.account_member(name, Some(("<=", since)));
            }
            // A person has no people; no manifest asks for them.
            Condition::People { .. } => self.push("1 = 0"),
            Condition::Consent { purpose } => {
                let purpose = self.bind(Bind::Text(purpose.clone()));
                let (fields, nested) = (
                    (self.dialect.fields)("p.consents", "f"),
                    (self.dialect.nested)("f", "s"),
                );
                let status = (self.dialect.text)("s");
                let _ = write!(
                    self.text,
                    "exists (select 1 from {fields} where f.key = {purpose} and exists \
                     (select 1 from {nested} where s.key = 0 and {status} = 'granted'))"
                );
            }
            Condition::Split { name, from, until } => {
                let name = self.bind(Bind::Text(name.clone()));
                let split_position = (self.dialect.split_position)(&name, "p.uuid");
                let (from, until) = (
                    self.bind(Bind::Integer(i64::from(*from))),
                    self.bind(Bind::Integer(i64::from(*until) - 1)),
                );
                let _ = write!(self.text, "{split_position} between {from} and {until}");
            }
            Condition::Event {
                name,
                filter,
                window,
                measure,
            } => match measure {
                Measure::Count { at_least, at_most } => {
                    self.count(*at_least, *at_most, name, filter, *window);
                }
                Measure::Sum {
                    property,
                    at_least,
                    at_most,
                } => self.sum(property, (*at_least, *at_most), name, filter, *window),
            },
            Condition::Sequence { steps, window } => self.sequence(steps, *window),
        }
    }

    /// A trait that is a time with `after < time <= last`.
    fn near(&mut self, name: &str, after: i64, last: i64) {
        let name = self.bind(Bind::Text(name.to_owned()));
        let fields = (self.dialect.fields)("p.traits", "f");
        let (text, number) = ((self.dialect.text)("f"), (self.dialect.number)("f"));
        let parsed = (self.dialect.time)(&text);
        let (after, last) = (
            self.bind(Bind::Integer(after)),
            self.bind(Bind::Integer(last)),
        );
        let inside = |time: &str| format!("({time} > {after} and {time} <= {last})");
        let (number, parsed) = (inside(&number), inside(&parsed));
        let _ = write!(
            self.text,
            "exists (select 1 from {fields} where f.key = {name} and ({number} or {parsed}))"
        );
    }

    fn member(&mut self, name: &str, since: Option<(&str, i64)>) {
        let name = self.bind(Bind::Text(name.to_owned()));
        let _ = write!(
            self.text,
            "exists (select 1 from membership as m where m.person_id = p.id and m.audience = {name}"
        );
        self.since(since);
    }

    /// The same of the person's main account.
    fn account_member(&mut self, name: &str, since: Option<(&str, i64)>) {
        let name = self.bind(Bind::Text(name.to_owned()));
        let table = self.dialect.account_membership;
        let _ = write!(
            self.text,
            "exists (select 1 from account_person as r cross join {table} as m \
             where r.person_id = p.id and r.place = 0 and m.audience = {name} and m.account = r.account"
        );
        self.since(since);
    }

    fn since(&mut self, since: Option<(&str, i64)>) {
        if let Some((sign, since)) = since {
            let since = self.bind(Bind::Integer(since));
            let _ = write!(self.text, " and m.since {sign} {since}");
        }
        self.push(")");
    }
}

#[cfg(test)]
mod properties;
