//! A condition as one query over everybody: the oracle of `evaluate` and the backfill for new definitions.
//!
//! It reads `person(id, traits, consents)`, `evidence(id, person_id)`, `event(evidence_id, name, time, properties)` and
//! `membership(audience, person_id)`, the JSON columns as texts. Every value and name is bound, never spliced. Each leaf is an
//! `exists` or a comparison of totals, so that it is never null and `not` means what it says.

use crate::audience::evaluate::{SCALE, scale};
use crate::expression::{Comparison, Condition, Measure, Test, Window};
use crate::model::{Timestamp, Value};
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

/// What databases say differently. Each takes and gives SQL text. Accessors give null when the value is of another type.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// (JSON text, alias) → a row source with `alias.key`, one row for each field of the object.
    pub fields: fn(&str, &str) -> String,
    /// (alias of a field, alias) → the same for a field that is an object.
    pub nested: fn(&str, &str) -> String,
    /// (alias of a field, alias) → one row for each item if the field is a list, else none.
    pub items: fn(&str, &str) -> String,
    /// alias → its text.
    pub text: fn(&str) -> String,
    /// alias → its number.
    pub number: fn(&str) -> String,
    /// alias → 1 or 0.
    pub boolean: fn(&str) -> String,
    /// alias → whether it is the JSON null.
    pub is_null: fn(&str) -> String,
    /// (text, part) → whether the text contains the part, with case.
    pub contains: fn(&str, &str) -> String,
    /// text → milliseconds, null when it is no time (see `Test::Before`).
    pub time: fn(&str) -> String,
}

pub const SQLITE: Dialect = Dialect {
    fields: |json, alias| format!("json_each({json}) as {alias}"),
    nested: |field, alias| format!("json_each({field}.value) as {alias}"),
    items: |field, alias| {
        format!(
            "json_each(case when {field}.type = 'array' then {field}.value else '[]' end) as {alias}"
        )
    },
    text: |field| format!("case when {field}.type = 'text' then {field}.value end"),
    number: |field| format!("case when {field}.type in ('integer', 'real') then {field}.value end"),
    boolean: |field| format!("case when {field}.type in ('true', 'false') then {field}.value end"),
    is_null: |field| format!("{field}.type = 'null'"),
    contains: |text, part| format!("instr({text}, {part}) > 0"),
    time: sqlite_time,
};

/// Agrees with `parse_time`: the date and clock must come back unchanged, which 30 February does not (24:00 does).
fn sqlite_time(text: &str) -> String {
    format!(
        "(select case \
         when length(t) = 10 and strftime('%Y-%m-%d', t) = t then unixepoch(t) * 1000 \
         when strftime('%Y-%m-%dT%H:%M:%S', substr(t, 1, 19)) = substr(t, 1, 19) \
         and substr(t, 12, 2) <= '23' \
         and (zone = 'Z' or (zone glob '[+-][0-9][0-9]:[0-9][0-9]' and substr(zone, 2, 2) <= '23' and substr(zone, 5) <= '59')) \
         and (fraction = '' or (length(fraction) between 2 and 10 and substr(fraction, 1, 1) = '.' \
         and not substr(fraction, 2) glob '*[^0-9]*')) \
         then unixepoch(substr(t, 1, 19)) * 1000 + cast(substr(substr(fraction, 2) || '000', 1, 3) as integer) \
         - case zone when 'Z' then 0 else case substr(zone, 1, 1) when '-' then -60000 else 60000 end \
         * (cast(substr(zone, 2, 2) as integer) * 60 + cast(substr(zone, 5) as integer)) end \
         end from (select t, zone, substr(t, 20, length(t) - 19 - length(zone)) as fraction \
         from (select t, case when substr(t, -1) = 'Z' then 'Z' else substr(t, -6) end as zone \
         from (select {text} as t) as given) as zoned) as parts)"
    )
}

/// The traits of a person's main account.
const MAIN_ACCOUNT: &str = "(select a.traits from account_person as r join account as a on a.id = r.account \
    where r.person_id = p.id and r.place = 0)";

/// The ids of all people for whom `condition` holds at `now`.
pub fn sql(condition: &Condition, now: Timestamp, dialect: &Dialect) -> Query {
    let mut writer = Writer {
        dialect,
        now,
        text: String::new(),
        binds: Vec::new(),
    };
    writer.text.push_str("select p.id from person as p where ");
    writer.condition(condition);
    writer.text.push_str(" order by p.id");
    Query {
        text: writer.text,
        binds: writer.binds,
    }
}

struct Writer<'a> {
    dialect: &'a Dialect,
    now: Timestamp,
    text: String,
    binds: Vec<Bind>,
}

impl Writer<'_> {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn bind(&mut self, bind: Bind) -> String {
        self.binds.push(bind);
        format!("${}", self.binds.len())
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::All(parts) => self.join(parts, " and ", "1 = 1"),
            Condition::Any(parts) => self.join(parts, " or ", "1 = 0"),
            Condition::Not(part) => {
                self.push("not (");
                self.condition(part);
                self.push(")");
            }
            Condition::Trait { name, test } => match name.strip_prefix("account.") {
                Some(name) => self.field(MAIN_ACCOUNT, name, test),
                None => self.field("p.traits", name, test),
            },
            Condition::Audience { name } => {
                let name = self.bind(Bind::Text(name.clone()));
                let _ = write!(
                    self.text,
                    "exists (select 1 from membership as m where m.person_id = p.id and m.audience = {name})"
                );
            }
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
                     (select 1 from {nested} where s.key = 'status' and {status} = 'granted'))"
                );
            }
            Condition::Event {
                name,
                filter,
                window,
                measure,
            } => self.event(name, filter, *window, measure),
        }
    }

    fn join(&mut self, parts: &[Condition], between: &str, empty: &str) {
        if parts.is_empty() {
            return self.push(empty);
        }
        self.push("(");
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.push(between);
            }
            self.condition(part);
        }
        self.push(")");
    }

    /// Whether a field of a JSON object passes a test.
    fn field(&mut self, json: &str, name: &str, test: &Test) {
        let name = self.bind(Bind::Text(name.to_owned()));
        let fields = (self.dialect.fields)(json, "f");
        let is_null = (self.dialect.is_null)("f");
        let not = if *test == Test::Exists(false) {
            "not "
        } else {
            ""
        };
        let passes = self.test(test);
        let _ = write!(
            self.text,
            "{not}exists (select 1 from {fields} where f.key = {name} and not ({is_null}) and {passes})"
        );
    }

    /// The condition on a field `f` that is there and not null.
    fn test(&mut self, test: &Test) -> String {
        let text = (self.dialect.text)("f");
        let number = (self.dialect.number)("f");
        match test {
            Test::Exists(_) => "1 = 1".to_owned(),
            Test::Is(wanted) => self.equal(wanted),
            Test::In(wanted) => {
                let any: Vec<_> = wanted.iter().map(|wanted| self.equal(wanted)).collect();
                if any.is_empty() {
                    "1 = 0".to_owned()
                } else {
                    format!("({})", any.join(" or "))
                }
            }
            Test::Contains(part) => {
                let part = self.bind(Bind::Text(part.clone()));
                let contains = (self.dialect.contains)(&text, &part);
                let (items, item) = ((self.dialect.items)("f", "i"), (self.dialect.text)("i"));
                format!("({contains} or exists (select 1 from {items} where {item} = {part}))")
            }
            Test::Before(time) | Test::After(time) => {
                let sign = if matches!(test, Test::Before(_)) {
                    '<'
                } else {
                    '>'
                };
                let bound = self.bind(Bind::Integer(time.millis()));
                let parsed = (self.dialect.time)(&text);
                format!("({number} {sign} {bound} or {parsed} {sign} {bound})")
            }
            Test::Compare(comparison, bound) => {
                let sign = match comparison {
                    Comparison::AtLeast => ">=",
                    Comparison::AtMost => "<=",
                    Comparison::Above => ">",
                    Comparison::Below => "<",
                };
                let bound = self.bind(Bind::Real(*bound));
                format!("{number} {sign} {bound}")
            }
        }
    }

    fn equal(&mut self, wanted: &Value) -> String {
        let (accessor, bind) = match wanted {
            Value::String(text) => (self.dialect.text, Bind::Text(text.clone())),
            Value::Bool(flag) => (self.dialect.boolean, Bind::Integer(i64::from(*flag))),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => (self.dialect.number, Bind::Integer(whole)),
                None => (
                    self.dialect.number,
                    Bind::Real(number.as_f64().unwrap_or(f64::NAN)),
                ),
            },
            Value::Null | Value::Array(_) | Value::Object(_) => return "1 = 0".to_owned(),
        };
        let bound = self.bind(bind);
        format!("{} = {bound}", accessor("f"))
    }

    fn event(&mut self, name: &str, filter: &[(String, Test)], window: Window, measure: &Measure) {
        let bounds = match measure {
            Measure::Count {
                at_least: None,
                at_most: None,
            } => vec![(">=", Bind::Integer(1))],
            Measure::Count { at_least, at_most } => bounds(*at_least, *at_most, |bound| {
                Bind::Integer(i64::try_from(bound).unwrap_or(i64::MAX))
            }),
            Measure::Sum {
                at_least, at_most, ..
            } => bounds(*at_least, *at_most, |bound| Bind::Real(scale(bound) as f64)),
        };
        if bounds.is_empty() {
            return self.push("1 = 1");
        }
        self.push("(");
        for (index, (sign, bound)) in bounds.into_iter().enumerate() {
            if index > 0 {
                self.push(" and ");
            }
            self.total(name, filter, window, measure);
            let bound = self.bind(bound);
            let _ = write!(self.text, " {sign} {bound}");
        }
        self.push(")");
    }

    /// What is measured over the events of person `p` that count.
    fn total(&mut self, name: &str, filter: &[(String, Test)], window: Window, measure: &Measure) {
        let total = match measure {
            Measure::Count { .. } => "count(*)".to_owned(),
            Measure::Sum { property, .. } => {
                let property = self.bind(Bind::Text(property.clone()));
                let (fields, number) = (
                    (self.dialect.fields)("e.properties", "a"),
                    (self.dialect.number)("a"),
                );
                format!(
                    "coalesce(sum(round((select {number} from {fields} where a.key = {property}) * {SCALE:.1})), 0)"
                )
            }
        };
        let name = self.bind(Bind::Text(name.to_owned()));
        let now = self.bind(Bind::Integer(self.now.millis()));
        let _ = write!(
            self.text,
            "(select {total} from evidence as v join event as e on e.evidence_id = v.id \
             where v.person_id = p.id and e.name = {name} and e.time <= {now}"
        );
        match window {
            Window::Ever => {}
            Window::Within(duration) => {
                let after = self.bind(Bind::Integer(self.now.millis().saturating_sub(duration)));
                let _ = write!(self.text, " and e.time > {after}");
            }
            Window::Between(from, to) => {
                let (from, to) = (
                    self.bind(Bind::Integer(from.millis())),
                    self.bind(Bind::Integer(to.millis())),
                );
                let _ = write!(self.text, " and e.time >= {from} and e.time < {to}");
            }
        }
        for (property, test) in filter {
            self.push(" and ");
            self.field("e.properties", property, test);
        }
        self.push(")");
    }
}

fn bounds<T>(
    at_least: Option<T>,
    at_most: Option<T>,
    bind: impl Fn(T) -> Bind,
) -> Vec<(&'static str, Bind)> {
    let bounds = [(">=", at_least), ("<=", at_most)];
    bounds
        .into_iter()
        .filter_map(|(sign, bound)| Some((sign, bind(bound?))))
        .collect()
}
