//! Tests of one value as SQL: a field of a JSON object, from a person's traits or an event's properties.

use super::{Bind, Writer};
use crate::audience::Dialect;
use crate::expression::{Comparison, Test};
use crate::model::Value;
use std::fmt::Write;

impl Writer<'_> {
    /// Whether a field of a JSON object passes a test.
    pub(super) fn field(&mut self, json: &str, name: &str, test: &Test) {
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
            Test::Matches(pattern) => {
                let pattern = self.bind(Bind::Text(pattern.as_str().to_owned()));
                (self.dialect.matches)(&text, &pattern)
            }
            Test::IsTrait(name) => self.related(name, |dialect| {
                let same = [dialect.text, dialect.number, dialect.boolean]
                    .map(|accessor| format!("{} = {}", accessor("f"), accessor("g")));
                same.join(" or ")
            }),
            Test::CompareTrait(comparison, name) => {
                let sign = sign(*comparison);
                self.related(name, |dialect| {
                    format!("{} {sign} {}", (dialect.number)("f"), (dialect.number)("g"))
                })
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
                let sign = sign(*comparison);
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

    /// A comparison of a person's trait with the field `f`.
    fn related(&mut self, name: &str, relation: impl Fn(&Dialect) -> String) -> String {
        let name = self.bind(Bind::Text(name.to_owned()));
        let fields = (self.dialect.fields)("p.traits", "g");
        let relation = relation(self.dialect);
        format!("exists (select 1 from {fields} where g.key = {name} and ({relation}))")
    }
}

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::AtLeast => ">=",
        Comparison::AtMost => "<=",
        Comparison::Above => ">",
        Comparison::Below => "<",
    }
}
