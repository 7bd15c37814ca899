//! Expressions in MiniJinja's engine. It gets only the fields that an expression reads, never a whole record.
//! Only this and `growth` know MiniJinja's types.

use crate::expression::arithmetic;
use crate::expression::bound;
use crate::expression::filter::{Failure, Filter};
use crate::expression::growth;
use crate::expression::scan::{self, ParseError};
use crate::model::Value;
use minijinja::value::{Object, Rest, Value as Cell, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, filters, tests};
use std::sync::{Arc, LazyLock};

/// Under this name, which no expression can spell, filters find the region.
const REGION: &str = " region";

/// Under this name filters find that the expression cuts something.
const CUTS: &str = " cuts";

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);

#[derive(Debug)]
pub(super) struct Program {
    compiled: minijinja::Expression<'static, 'static>,
    reads: Vec<String>,
    fields: Vec<Field>,
    cuts: bool,
}

/// One name that an expression reads, and what it reads beneath it; everything when `below` is empty.
#[derive(Debug)]
struct Field {
    name: Arc<str>,
    below: Vec<Field>,
    /// How often its value can be gone through without a filter that counts: by a comparison, by a cut.
    uses: usize,
}

impl Program {
    pub fn compile(text: &str) -> Result<Self, ParseError> {
        bound::check(text)?;
        let harmless = arithmetic::harmless(text);
        let compiled = ENVIRONMENT
            .compile_expression_owned(harmless.to_string())
            .map_err(|error| syntax_error(&error, text))?;
        let reads = compiled.undeclared_variables(true);
        let compiled = match with_our_operators(text)? {
            None => compiled,
            Some(rewritten) => ENVIRONMENT
                .compile_expression_owned(rewritten)
                .map_err(|_| unclear(text))?,
        };
        let cuts = scan::cuts(text)?;
        let mut reads: Vec<String> = reads.into_iter().collect();
        // MiniJinja does not look at what is cut by `[a:b]`, so what the text names is read, too.
        for path in scan::fields(text) {
            let is_read = |read: &String| {
                let below = path.strip_prefix(read.as_str());
                below.is_some_and(|below| below.is_empty() || below.starts_with('.'))
            };
            if !reads.iter().any(is_read) {
                reads.push(path);
            }
        }
        reads.sort();
        let mut fields = Vec::new();
        for path in &reads {
            let names: Vec<&str> = path.split('.').collect();
            Field::add(&mut fields, &names, text);
        }
        Ok(Self {
            compiled,
            reads,
            fields,
            cuts,
        })
    }

    pub fn reads(&self) -> &[String] {
        &self.reads
    }

    pub fn eval(&self, record: &Value, region: Option<&str>) -> Result<Option<Value>, Failure> {
        bound::begin();
        let mut given = Branch(Vec::with_capacity(self.fields.len() + 2));
        given.fill(&self.fields, record)?;
        if let Some(region) = region {
            given.0.push((REGION.into(), Cell::from(region)));
        }
        if self.cuts {
            given.0.push((CUTS.into(), Cell::from(true)));
        }
        let cell = self
            .compiled
            .eval(Cell::from_object(given))
            .map_err(|error| failure(&error))?;
        self.value(&cell, record)
    }

    /// MiniJinja makes an empty list of nothing that is cut: it is nothing still.
    fn value(&self, cell: &Cell, record: &Value) -> Result<Option<Value>, Failure> {
        if self.cuts && is_empty_list(cell) {
            let is_any = |field: &Field| record.get(&*field.name).is_some();
            return Ok(self.fields.iter().any(is_any).then_some(Value::Null));
        }
        to_json(cell)
    }
}

#[cfg(test)]
impl Program {
    /// As MiniJinja reads the text.
    pub fn eval_unchanged(text: &str, record: &Value) -> Result<Option<Value>, Failure> {
        bound::begin();
        let compiled = ENVIRONMENT.compile_expression(text);
        let cell = compiled.expect("it compiles").eval(from_json(record));
        to_json(&cell.map_err(|error| failure(&error))?)
    }

    /// Over the whole record: what `eval` must equal.
    pub fn eval_over(&self, record: &Value) -> Result<Option<Value>, Failure> {
        bound::begin();
        let mut record = record.clone();
        if let Some(fields) = record.as_object_mut().filter(|_| self.cuts) {
            fields.insert(CUTS.to_owned(), true.into());
        }
        let cell = self.compiled.eval(from_json(&record));
        self.value(&cell.map_err(|error| failure(&error))?, &record)
    }
}

impl Field {
    /// Paths arrive sorted, so a path comes before the paths inside it.
    fn add(fields: &mut Vec<Field>, names: &[&str], text: &str) {
        let Some((first, rest)) = names.split_first() else {
            return;
        };
        match fields.iter_mut().find(|field| *field.name == **first) {
            Some(field) if field.below.is_empty() => {}
            Some(field) if rest.is_empty() => field.below.clear(),
            Some(field) => Self::add(&mut field.below, rest, text),
            None => {
                let mut below = Vec::new();
                Self::add(&mut below, rest, text);
                fields.push(Field {
                    name: (*first).into(),
                    below,
                    uses: scan::uses(text, first).max(1),
                });
            }
        }
    }
}

/// What an expression may look at of one object.
#[derive(Debug)]
struct Branch(Vec<(Arc<str>, Cell)>);

impl Branch {
    fn fill(&mut self, fields: &[Field], value: &Value) -> Result<(), Failure> {
        for field in fields {
            let Some(found) = value.get(&*field.name) else {
                continue;
            };
            let cell = if field.below.is_empty() || !found.is_object() {
                bound::spend(weight(found).saturating_mul(field.uses))?;
                from_json(found)
            } else {
                let mut branch = Branch(Vec::with_capacity(field.below.len()));
                branch.fill(&field.below, found)?;
                Cell::from_object(branch)
            };
            self.0.push((field.name.clone(), cell));
        }
        Ok(())
    }
}

impl Object for Branch {
    fn get_value(self: &Arc<Self>, key: &Cell) -> Option<Cell> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Cell> {
        self.0
            .iter()
            .find(|(name, _)| **name == *key)
            .map(|(_, cell)| cell.clone())
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_debug(false);
    for filter in Filter::ALL {
        environment.add_filter(
            filter.name(),
            move |state: &State<'_, '_>, value: Cell, arguments: Rest<Cell>| {
                apply(filter, state, value, &arguments)
            },
        );
    }
    environment.add_filter("abs", filters::abs);
    environment.add_filter("d", filters::default);
    environment.add_filter("default", filters::default);
    environment.add_filter(scan::GIVEN, given);
    environment.add_filter("first", filters::first);
    environment.add_filter("float", filters::float);
    environment.add_filter("int", filters::int);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("round", filters::round);
    growth::add_filters(&mut environment);
    add_tests(&mut environment);
    environment
}

/// A field that is joined: a blank one is nothing.
fn given(value: Cell) -> Cell {
    match value.as_str() {
        Some(text) if text.trim().is_empty() => Cell::from(()),
        _ => value,
    }
}

fn add_tests(environment: &mut Environment<'static>) {
    environment.add_test("boolean", tests::is_boolean);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("endingwith", tests::is_endingwith);
    environment.add_test("false", tests::is_false);
    environment.add_test("integer", tests::is_integer);
    environment.add_test("mapping", tests::is_mapping);
    environment.add_test("none", tests::is_none);
    environment.add_test("number", tests::is_number);
    environment.add_test("sequence", tests::is_sequence);
    environment.add_test("startingwith", tests::is_startingwith);
    environment.add_test("string", tests::is_string);
    environment.add_test("true", tests::is_true);
}

fn apply(
    filter: Filter,
    state: &State<'_, '_>,
    value: Cell,
    arguments: &[Cell],
) -> Result<Cell, Error> {
    let (least, most) = (filter.takes_argument(), filter.may_take_argument());
    if !(usize::from(least)..=usize::from(most)).contains(&arguments.len()) {
        return Err(failed(Failure::Failed(format!(
            "`{}` has the wrong number of arguments",
            filter.name()
        ))));
    }
    if value.is_undefined() || value.is_none() {
        return Ok(value);
    }
    if is_empty_list(&value) {
        // What was cut may be absent or null.
        return Ok(match state.lookup(CUTS) {
            Some(_) => Cell::UNDEFINED,
            None => Cell::from(()),
        });
    }
    let region = state.lookup(REGION);
    let region = region.as_ref().and_then(Cell::as_str);
    let Some(json) = to_json(&value).map_err(failed)? else {
        return Ok(value);
    };
    let argument = match arguments.first() {
        Some(argument) => to_json(argument).map_err(failed)?,
        None => None,
    };
    let result = filter
        .apply(&json, argument.as_ref(), region)
        .map_err(failed)?;
    bound::spend(weight(&result)).map_err(failed)?;
    Ok(from_json(&result))
}

pub(super) fn is_empty_list(cell: &Cell) -> bool {
    cell.kind() == ValueKind::Seq && cell.len() == Some(0)
}

pub(super) fn failed(failure: Failure) -> Error {
    Error::new(ErrorKind::InvalidOperation, failure.to_string()).with_source(failure)
}

/// Our own failure when a filter made it, else only the kind: a detail could hold a value of the record.
fn failure(error: &Error) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(failure) = current.downcast_ref::<Failure>() {
            return failure.clone();
        }
        cause = current.source();
    }
    Failure::Failed(error.kind().to_string())
}

/// The text with what `~`, `+` and `*` mean here, where it has any of them.
fn with_our_operators(text: &str) -> Result<Option<String>, ParseError> {
    let bounded = arithmetic::bounded(text).map_err(|()| unclear(text))?;
    let rewritten = scan::joins(bounded.as_deref().unwrap_or(text)).or(bounded);
    if let Some(rewritten) = &rewritten {
        bound::check_rewritten(rewritten, text)?;
    }
    Ok(rewritten)
}

fn unclear(text: &str) -> ParseError {
    ParseError {
        message: "it cannot be told what `~`, `+` or `*` is between here".to_owned(),
        span: 0..text.len(),
        hint: Some("put that in brackets".to_owned()),
    }
}

fn syntax_error(error: &Error, text: &str) -> ParseError {
    let span = error.range().unwrap_or(0..text.len());
    let start = floor(text, span.start);
    let end = floor(text, span.end).max(start);
    let detail = error.detail().unwrap_or("this is not an expression");
    // What was compiled has `/` in the place of some operators.
    let message = match &text[start..end] {
        sign @ ("+" | "*" | "~") => detail.replace("`/`", &format!("`{sign}`")),
        _ => detail.to_owned(),
    };
    ParseError {
        message,
        span: start..end,
        hint: None,
    }
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The steps that it takes to go through a value.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items
            .iter()
            .fold(bound::ITEM, |sum, item| sum + bound::ITEM + weight(item)),
        Value::Object(map) => map.iter().fold(bound::ITEM, |sum, (name, value)| {
            sum + bound::ITEM + name.len() + weight(value)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

fn from_json(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::from(()),
        Value::Bool(boolean) => Cell::from(*boolean),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Cell::from(integer),
            (None, Some(integer)) => Cell::from(integer),
            (None, None) => Cell::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Cell::from(text.as_str()),
        Value::Array(items) => items.iter().map(from_json).collect(),
        Value::Object(map) => Cell::from_pairs(
            map.iter()
                .map(|(name, value)| (name.as_str(), from_json(value))),
        ),
    }
}

/// Takes the steps for all that is copied.
fn to_json(cell: &Cell) -> Result<Option<Value>, Failure> {
    to_json_at(cell, 0)
}

fn to_json_at(cell: &Cell, depth: usize) -> Result<Option<Value>, Failure> {
    let no_value = |what: &str| {
        Failure::Failed(format!(
            "the result is {what}, which is not a value that a field can have"
        ))
    };
    Ok(Some(match cell.kind() {
        ValueKind::Undefined => return Ok(None),
        ValueKind::None => Value::Null,
        ValueKind::Bool => Value::Bool(cell.is_true()),
        ValueKind::Number if cell.is_integer() => {
            match (i64::try_from(cell.clone()), u64::try_from(cell.clone())) {
                (Ok(integer), _) => integer.into(),
                (Err(_), Ok(integer)) => integer.into(),
                (Err(_), Err(_)) => return Err(no_value("an integer beyond 64 bits")),
            }
        }
        ValueKind::Number => match f64::try_from(cell.clone())
            .ok()
            .and_then(serde_json::Number::from_f64)
        {
            Some(number) => Value::Number(number),
            None => return Err(no_value("not a finite number")),
        },
        ValueKind::String => {
            let text = cell.as_str().unwrap_or_default();
            bound::spend(text.len())?;
            Value::String(text.to_owned())
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let inside = bound::inside(depth)?;
            let mut items = Vec::new();
            for item in cell.try_iter().map_err(|error| failure(&error))? {
                bound::spend(bound::ITEM)?;
                items.push(to_json_at(&item, inside)?.unwrap_or(Value::Null));
            }
            Value::Array(items)
        }
        ValueKind::Map => {
            let inside = bound::inside(depth)?;
            let mut map = serde_json::Map::new();
            for key in cell.try_iter().map_err(|error| failure(&error))? {
                let value = cell.get_item(&key).map_err(|error| failure(&error))?;
                bound::spend(bound::ITEM)?;
                if let Some(value) = to_json_at(&value, inside)? {
                    map.insert(growth::text(&key)?.into_owned(), value);
                }
            }
            Value::Object(map)
        }
        kind => return Err(no_value(&kind.to_string())),
    }))
}
