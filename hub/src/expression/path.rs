//! The fast path for `properties.email | lower | email` and `(properties.phone or properties.mobile) | phone`: paths and a
//! chain of our filters, read straight from the record. Owns no filter; everything else in an expression is left to `machine`.

use crate::expression::bound::{UNCOUNTED, check_nesting};
use crate::expression::filter::{Failure, Filter};
use crate::model::Value;
use std::borrow::Cow;

#[derive(Debug)]
pub(super) struct Chain {
    /// The first that holds something is meant, else the last: `a or b`.
    paths: Vec<Path>,
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    filter: Filter,
    argument: Option<Path>,
}

/// Names from the record's top level down.
#[derive(Debug)]
struct Path(Vec<String>);

/// Words that mean something else than a field of that name.
const KEYWORDS: [&str; 16] = [
    "true", "True", "false", "False", "none", "None", "loop", "self", "super", "not", "and", "or",
    "in", "is", "if", "else",
];

impl Chain {
    /// Recognises a chain in a text that compiles; `None` when it is anything more.
    pub fn read(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let paths = match rest.strip_prefix('(') {
            None => Path::take_alternatives(&mut rest)?,
            Some(inside) => {
                rest = inside;
                let paths = Path::take_alternatives(&mut rest)?;
                rest = rest.strip_prefix(')')?;
                paths
            }
        };
        // A filter binds closer than `or`.
        if paths.len() > 1 && !text.trim_start().starts_with('(') && !rest.is_empty() {
            return None;
        }
        let mut steps = Vec::new();
        while let Some(after) = rest.trim_start().strip_prefix('|') {
            rest = after.trim_start();
            let filter = Filter::find(take_name(&mut rest)?)?;
            let argument = match rest.trim_start().strip_prefix('(') {
                None => None,
                Some(inside) => {
                    rest = inside.trim_start();
                    let argument = Path::take(&mut rest)?;
                    rest = rest.trim_start().strip_prefix(')')?;
                    Some(argument)
                }
            };
            if argument.is_some() != filter.takes_argument() {
                return None;
            }
            steps.push(Step { filter, argument });
        }
        let is_short = paths.len() <= UNCOUNTED && steps.len() <= UNCOUNTED;
        (is_short && rest.trim().is_empty()).then_some(Self { paths, steps })
    }

    pub fn reads(&self) -> Vec<String> {
        let arguments = self.steps.iter().filter_map(|step| step.argument.as_ref());
        let mut reads: Vec<String> = arguments
            .chain(&self.paths)
            .map(|path| path.0.join("."))
            .collect();
        reads.sort();
        reads.dedup();
        reads
    }

    /// The one name of a path without filters.
    pub fn top_level(&self) -> Option<&str> {
        match (&self.paths[..], &self.steps[..]) {
            ([Path(names)], []) if names.len() == 1 => names.first().map(String::as_str),
            _ => None,
        }
    }

    pub fn last_filter(&self) -> Option<Filter> {
        self.steps.last().map(|step| step.filter)
    }

    pub fn eval(&self, record: &Value, region: Option<&str>) -> Result<Option<Value>, Failure> {
        self.run(&self.steps, record, region)
    }

    /// Without the last step when that is `filter`.
    pub fn eval_before(
        &self,
        filter: Filter,
        record: &Value,
        region: Option<&str>,
    ) -> Result<Option<Value>, Failure> {
        match self.steps.split_last() {
            Some((last, steps)) if last.filter == filter => self.run(steps, record, region),
            _ => self.run(&self.steps, record, region),
        }
    }

    fn find<'r>(&self, record: &'r Value) -> Option<&'r Value> {
        let (last, before) = self.paths.split_last()?;
        for path in before {
            if let Some(value) = path.find(record).filter(|value| holds(value)) {
                return Some(value);
            }
        }
        last.find(record)
    }

    fn run(
        &self,
        steps: &[Step],
        record: &Value,
        region: Option<&str>,
    ) -> Result<Option<Value>, Failure> {
        let Some(found) = self.find(record) else {
            return Ok(None);
        };
        let mut value = Cow::Borrowed(found);
        for step in steps {
            if is_nothing(&value) {
                return Ok(Some(Value::Null));
            }
            let argument = step.argument.as_ref().and_then(|path| path.find(record));
            value = Cow::Owned(step.filter.apply(&value, argument, region)?);
        }
        check_nesting(&value)?;
        Ok(Some(value.into_owned()))
    }
}

/// What filters pass on as nothing; some vendors write an empty list for it.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// What `or` takes for true.
fn holds(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(boolean) => *boolean,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

impl Path {
    /// `a or b.c or d`, with the white space around it.
    fn take_alternatives(rest: &mut &str) -> Option<Vec<Self>> {
        *rest = rest.trim_start();
        let mut paths = vec![Self::take(rest)?];
        loop {
            *rest = rest.trim_start();
            let mut after = *rest;
            if take_name(&mut after) != Some("or") {
                return Some(paths);
            }
            *rest = after.trim_start();
            paths.push(Self::take(rest)?);
        }
    }

    fn take(rest: &mut &str) -> Option<Self> {
        let first = take_name(rest)?;
        if KEYWORDS.contains(&first) {
            return None;
        }
        let mut names = vec![first.to_owned()];
        while let Some(after) = rest.strip_prefix('.') {
            *rest = after;
            names.push(take_name(rest)?.to_owned());
        }
        Some(Self(names))
    }

    fn find<'r>(&self, record: &'r Value) -> Option<&'r Value> {
        let mut value = record;
        for name in &self.0 {
            value = value.as_object()?.get(name)?;
        }
        Some(value)
    }
}

fn take_name<'t>(rest: &mut &'t str) -> Option<&'t str> {
    let text: &'t str = rest;
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    *rest = after;
    Some(name)
}
