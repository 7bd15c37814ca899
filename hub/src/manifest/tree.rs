//! The spanned tree of manifest files and typed access to it. Every accessor either returns a value or reports why it cannot.
//! Knows TOML and places; which keys a table has is in `keys`.

pub(super) use crate::expression::suggest;
use crate::manifest::{keys, syntax};
use crate::problem::{Code, Place, Problem, Severity, codes};
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One manifest file, parsed as far as it could be.
pub(super) struct File<'t> {
    pub name: Arc<str>,
    pub text: &'t str,
    pub root: Spanned<DeTable<'t>>,
    pub broken: bool,
}

/// Where an item is.
#[derive(Clone)]
pub(super) struct Spot {
    pub file: Arc<str>,
    pub span: Range<usize>,
}

/// A key with its value.
#[derive(Clone, Copy)]
pub(super) struct Item<'t> {
    pub file: &'t File<'t>,
    pub key: &'t str,
    key_span: (usize, usize),
    value: &'t Spanned<DeValue<'t>>,
}

/// A table whose keys have been checked.
#[derive(Clone, Copy)]
pub(super) struct Table<'t> {
    file: &'t File<'t>,
    entries: &'t DeTable<'t>,
    span: (usize, usize),
}

/// Problems in the order in which they are found.
#[derive(Default)]
pub(super) struct Report {
    pub problems: Vec<Problem>,
}

impl Report {
    /// True when nothing so far is worse than a warning.
    pub fn is_good(&self) -> bool {
        let mut severities = self.problems.iter().map(|problem| problem.severity);
        severities.all(|severity| severity == Severity::Warning)
    }

    pub fn error(
        &mut self,
        code: &'static Code,
        spot: &Spot,
        message: impl Into<String>,
    ) -> &mut Problem {
        let place = Place::File {
            file: spot.file.clone(),
            span: spot.span.clone(),
        };
        self.problems.push(Problem::new(code, message).at(place));
        self.problems.last_mut().expect("one was just pushed")
    }
}

/// `hint` for a problem that is already in the report.
pub(super) trait Hinted {
    fn with_hint(&mut self, hint: Option<String>);
}

impl Hinted for Problem {
    fn with_hint(&mut self, hint: Option<String>) {
        self.hint = hint;
    }
}

impl<'t> File<'t> {
    pub fn parse(name: &str, text: &'t str, report: &mut Report) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let name: Arc<str> = name.into();
        for error in &errors {
            let span = clamp(text, error.span().unwrap_or(0..0));
            let hint = syntax::hint(text, &span, error.message());
            let spot = Spot {
                file: name.clone(),
                span,
            };
            report
                .error(&codes::SYNTAX, &spot, error.message().replace('\n', ", "))
                .with_hint(hint);
        }
        Self {
            name,
            text,
            root,
            broken: !errors.is_empty(),
        }
    }

    pub fn table(&'t self) -> Table<'t> {
        let span = self.root.span();
        Table {
            file: self,
            entries: self.root.get_ref(),
            span: (span.start, span.end),
        }
    }

    /// Where the file begins, for what it lacks.
    pub fn start(&self) -> Spot {
        Spot {
            file: self.name.clone(),
            span: 0..0,
        }
    }
}

impl<'t> Table<'t> {
    pub fn spot(&self) -> Spot {
        Spot {
            file: self.file.name.clone(),
            span: clamp(self.file.text, self.span.0..self.span.1),
        }
    }

    pub fn get(&self, key: &str) -> Option<Item<'t>> {
        self.entries
            .get_key_value(key)
            .map(|(name, value)| self.item(name, value))
    }

    pub fn need(&self, key: &str, what: &str, report: &mut Report) -> Option<Item<'t>> {
        let found = self.get(key);
        if found.is_none() {
            report.error(
                &codes::MISSING_KEY,
                &self.spot(),
                format!("{what} has no `{key}`"),
            );
        }
        found
    }

    /// In the order of the file.
    pub fn items(&self) -> Vec<Item<'t>> {
        let mut items: Vec<Item<'t>> = self
            .entries
            .iter()
            .map(|(name, value)| self.item(name, value))
            .collect();
        items.sort_by_key(|item| item.key_span);
        items
    }

    /// Reports keys that the table `name` does not have; true when there are none.
    pub fn check_keys(&self, what: &str, name: &str, report: &mut Report) -> bool {
        self.only(what, &keys::known(name), report)
    }

    /// Reports keys other than these.
    pub fn only(&self, what: &str, known: &[&str], report: &mut Report) -> bool {
        let mut good = true;
        for item in self.items() {
            if !known.contains(&item.key) {
                good = false;
                report
                    .error(
                        &codes::UNKNOWN_KEY,
                        &item.key_spot(),
                        format!("unknown key `{}` in {what}", item.key),
                    )
                    .with_hint(suggest(item.key, known.iter().copied()));
            }
        }
        good
    }

    fn item(
        &self,
        name: &'t Spanned<std::borrow::Cow<'t, str>>,
        value: &'t Spanned<DeValue<'t>>,
    ) -> Item<'t> {
        let span = name.span();
        Item {
            file: self.file,
            key: name.get_ref(),
            key_span: (span.start, span.end),
            value,
        }
    }
}

impl<'t> Item<'t> {
    pub fn spot(&self) -> Spot {
        Spot {
            file: self.file.name.clone(),
            span: clamp(self.file.text, self.value.span()),
        }
    }

    pub fn key_spot(&self) -> Spot {
        Spot {
            file: self.file.name.clone(),
            span: clamp(self.file.text, self.key_span.0..self.key_span.1),
        }
    }

    /// Where a part of a text value is; the whole value when it is written with escapes.
    pub fn part(&self, span: Range<usize>) -> Spot {
        let whole = self.spot();
        let written = self.file.text.get(whole.span.clone()).unwrap_or_default();
        let quote = ["\"\"\"", "'''", "\"", "'"]
            .into_iter()
            .find(|quote| written.starts_with(quote))
            .map_or(0, str::len);
        let inside = written.get(quote..written.len().saturating_sub(quote));
        if inside.is_none() || inside != self.value.get_ref().as_str() || quote == 0 {
            return whole;
        }
        let start = whole.span.start + quote;
        let span = clamp(self.file.text, start + span.start..start + span.end);
        Spot {
            file: whole.file,
            span,
        }
    }

    /// The `name` of a table, good or not.
    pub fn name(&self) -> Option<&'t str> {
        self.raw().as_table()?.get("name")?.get_ref().as_str()
    }

    pub fn raw(&self) -> &'t DeValue<'t> {
        self.value.get_ref()
    }

    pub fn wrong(&self, expected: &str, report: &mut Report) {
        let found = match self.raw() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "`true` or `false`",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let message = format!("`{}` must be {expected}, not {found}", self.key);
        report
            .error(&codes::WRONG_VALUE, &self.spot(), message)
            .with_hint(self.right_form(expected));
    }

    /// How to write what was meant, where that follows from what is there. What is there is not repeated: it may be a secret.
    fn right_form(&self, expected: &str) -> Option<String> {
        match (expected, self.raw()) {
            ("a list", DeValue::String(_)) => Some(format!(
                "write it in square brackets: `{} = [\"…\"]`",
                self.key
            )),
            ("a list", _) => Some("write it in square brackets: `[…]`".to_owned()),
            ("a text", DeValue::Array(_) | DeValue::Table(_)) => None,
            ("a text", _) => Some("write it in quotes".to_owned()),
            ("a number" | "a whole number", DeValue::String(text))
                if text.trim().parse::<f64>().is_ok() =>
            {
                Some(format!("write `{}`, without quotes", text.trim()))
            }
            ("`true` or `false`", DeValue::String(text)) if matches!(&**text, "true" | "false") => {
                Some(format!("write `{text}`, without quotes"))
            }
            ("a table", _) => match self.key {
                "schedule" => Some("write `schedule = { cron = \"0 */15 * * * *\" }`".to_owned()),
                "credential" => Some("say which: `credential.NAME = \"env:VARIABLE\"`".to_owned()),
                "grant" => Some("write `grant.hosts = [\"api.example.com\"]`".to_owned()),
                _ => None,
            },
            _ => None,
        }
    }

    pub fn text(&self, report: &mut Report) -> Option<&'t str> {
        let text = self.raw().as_str();
        if text.is_none() {
            self.wrong("a text", report);
        }
        text
    }

    pub fn boolean(&self, report: &mut Report) -> Option<bool> {
        let boolean = self.raw().as_bool();
        if boolean.is_none() {
            self.wrong("`true` or `false`", report);
        }
        boolean
    }

    pub fn integer(&self, range: RangeInclusive<i64>, report: &mut Report) -> Option<i64> {
        let Some(integer) = self.raw().as_integer() else {
            self.wrong("a whole number", report);
            return None;
        };
        match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(integer) if range.contains(&integer) => Some(integer),
            _ => {
                let (least, most) = (range.start(), range.end());
                let message = if *most == i64::MAX {
                    format!("`{}` must be at least {least}", self.key)
                } else {
                    format!("`{}` must be between {least} and {most}", self.key)
                };
                report.error(&codes::BAD_NUMBER, &self.spot(), message);
                None
            }
        }
    }

    /// A whole number or one with a point; `None` for anything else, unreported.
    pub fn as_number(&self) -> Option<f64> {
        match self.raw() {
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .ok()
                .map(|integer| integer as f64),
            DeValue::Float(float) => float
                .as_str()
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite()),
            _ => None,
        }
    }

    pub fn number(&self, report: &mut Report) -> Option<f64> {
        let number = self.as_number();
        if number.is_none() {
            self.wrong("a number", report);
        }
        number
    }

    /// One of a few words; reports anything else.
    pub fn choice<T: Copy>(&self, choices: &[(&str, T)], report: &mut Report) -> Option<T> {
        let text = self.text(report)?;
        let found = choices
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            report
                .error(
                    &codes::UNKNOWN_CHOICE,
                    &self.spot(),
                    format!("`{}` cannot be `{text}`", self.key),
                )
                .with_hint(suggest(text, choices.iter().map(|(word, _)| *word)));
        }
        found
    }

    pub fn list(&self, report: &mut Report) -> Vec<Item<'t>> {
        match self.raw() {
            DeValue::Array(values) => {
                let item = |value| Item {
                    file: self.file,
                    key: self.key,
                    key_span: self.key_span,
                    value,
                };
                values.iter().map(item).collect()
            }
            _ => {
                self.wrong("a list", report);
                Vec::new()
            }
        }
    }

    /// Each text with the item that contains it.
    pub fn texts(&self, report: &mut Report) -> Vec<(Item<'t>, &'t str)> {
        let items = self.list(report);
        items
            .into_iter()
            .filter_map(|item| item.text(report).map(|text| (item, text)))
            .collect()
    }

    /// A table of any keys, or nothing, unreported.
    pub fn as_table(&self) -> Option<Table<'t>> {
        let DeValue::Table(entries) = self.raw() else {
            return None;
        };
        let span = self.value.span();
        Some(Table {
            file: self.file,
            entries,
            span: (span.start, span.end),
        })
    }

    /// A table of any keys.
    pub fn free_table(&self, report: &mut Report) -> Option<Table<'t>> {
        let table = self.as_table();
        if table.is_none() {
            self.wrong("a table", report);
        }
        table
    }

    /// A table with the keys that `keys` lists for the table `name`.
    pub fn table(&self, what: &str, name: &str, report: &mut Report) -> Option<Table<'t>> {
        let table = self.free_table(report)?;
        table.check_keys(what, name, report);
        Some(table)
    }

    /// The entries of `[[name]]`.
    pub fn tables(&self, report: &mut Report) -> Vec<Item<'t>> {
        if matches!(self.raw(), DeValue::Table(_)) {
            let message = format!(
                "there can be several `{0}`: write `[[{0}]]` in double brackets",
                self.key
            );
            report.error(&codes::WRONG_VALUE, &self.key_spot(), message);
            return Vec::new();
        }
        self.list(report)
    }
}

/// A range on character boundaries within the text, whatever came in.
pub(super) fn clamp(text: &str, span: Range<usize>) -> Range<usize> {
    let floor = |at: usize| {
        (0..=at.min(text.len()))
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0)
    };
    let start = floor(span.start);
    start..floor(span.end).max(start)
}
