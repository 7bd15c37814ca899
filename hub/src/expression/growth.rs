//! Whatever makes a value that can be larger than what it is made of, and MiniJinja's filters that read all of a value: each takes
//! its steps before it works. Owns no numbers; those are in `bound`.

use crate::expression::arithmetic;
use crate::expression::bound::{self, ITEM, TEXT, spend, spend_text};
use crate::expression::filter::Failure;
use crate::expression::machine::{failed, is_empty_list};
use crate::expression::scan;
use minijinja::value::{Rest, Value as Cell, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, filters};
use std::borrow::Cow;
use std::fmt::Write;

pub(super) fn add_filters(environment: &mut Environment<'static>) {
    environment.add_filter(scan::JOIN, join);
    environment.add_filter(arithmetic::SUM, sum);
    environment.add_filter(arithmetic::PRODUCT, product);
    // What a filter does is left to MiniJinja's, under a name that no text can have.
    environment.add_filter("onefold_capitalize", filters::capitalize);
    environment.add_filter("onefold_join_list", filters::join);
    environment.add_filter("onefold_list", filters::list);
    environment.add_filter("onefold_replace", filters::replace);
    environment.add_filter("onefold_split", filters::split);
    environment.add_filter("onefold_title", filters::title);
    environment.add_filter("onefold_unique", filters::unique);
    let mut counted = |name: &'static str, inner: &'static str, cost: Cost| {
        let filter = move |state: &mut State<'_, '_>, arguments: Rest<ValueOrKwargs>| {
            let arguments = arguments.into_values();
            cost(&arguments).map_err(failed)?;
            let made = state.apply_filter(inner, &arguments)?;
            let bytes = made.as_str().map_or(0, str::len);
            spend_text(bytes).map_err(failed)?;
            Ok::<Cell, Error>(made)
        };
        environment.add_filter(name, filter);
    };
    counted("capitalize", "onefold_capitalize", cost_of_cases);
    counted("join", "onefold_join_list", cost_of_join);
    counted("list", "onefold_list", cost_of_list);
    counted("replace", "onefold_replace", cost_of_replace);
    counted("split", "onefold_split", cost_of_split);
    counted("title", "onefold_title", cost_of_cases);
    counted("unique", "onefold_unique", cost_of_unique);
}

/// Takes the steps of one call, given its arguments with the value first.
type Cost = fn(&[Cell]) -> Result<(), Failure>;

/// Takes the steps for a whole value, as a tree.
pub(super) fn spend_value(cell: &Cell) -> Result<(), Failure> {
    if let Some(text) = cell.as_str() {
        return spend(text.len());
    }
    spend(1)?;
    let kind = cell.kind();
    if !matches!(kind, ValueKind::Seq | ValueKind::Iterable | ValueKind::Map) {
        return Ok(());
    }
    let Ok(items) = cell.try_iter() else {
        return Ok(());
    };
    for item in items {
        spend(ITEM)?;
        spend_value(&item)?;
        if kind == ValueKind::Map
            && let Ok(value) = cell.get_item(&item)
        {
            spend_value(&value)?;
        }
    }
    Ok(())
}

/// Letter by letter, and an upper case can be three letters for one.
fn cost_of_cases(arguments: &[Cell]) -> Result<(), Failure> {
    let value = arguments.first().map(text).transpose()?;
    spend(4 * value.map_or(0, |value| value.len()))
}

fn cost_of_list(arguments: &[Cell]) -> Result<(), Failure> {
    match arguments.first() {
        Some(value) => match value.as_str() {
            Some(text) => spend(text.len() + ITEM * text.chars().count()),
            None => spend_value(value),
        },
        None => Ok(()),
    }
}

/// Compares each item with those before it, in a tree.
fn cost_of_unique(arguments: &[Cell]) -> Result<(), Failure> {
    let before = bound::left();
    cost_of_list(arguments)?;
    spend(3 * (before - bound::left()))
}

fn cost_of_split(arguments: &[Cell]) -> Result<(), Failure> {
    let Some(value) = arguments.first().and_then(Cell::as_str) else {
        return Ok(());
    };
    let parts = match arguments.get(1).and_then(Cell::as_str) {
        Some(at) => value.matches(at).count() + 1,
        None => value.split_whitespace().count(),
    };
    spend(value.len() + ITEM * parts)
}

fn cost_of_replace(arguments: &[Cell]) -> Result<(), Failure> {
    let [value, from, to] = arguments else {
        return Ok(());
    };
    let (value, from, to) = (text(value)?, text(from)?, text(to)?);
    let count = value.matches(&*from).count();
    let kept = value.len().saturating_sub(count * from.len());
    spend(value.len())?;
    spend_text(kept.saturating_add(count.saturating_mul(to.len())))
}

fn cost_of_join(arguments: &[Cell]) -> Result<(), Failure> {
    let Some((value, rest)) = arguments.split_first() else {
        return Ok(());
    };
    // The separator is the first argument or a named one, and then at most as long as all that are named.
    let between = rest.iter().map(|cell| Ok(text(cell)?.len()));
    let between: usize = between.sum::<Result<usize, Failure>>()?;
    let Ok(items) = value.try_iter() else {
        return Ok(());
    };
    let mut bytes = 0_usize;
    for item in items {
        bytes += between + text(&item)?.len();
        if bytes > TEXT + between {
            return spend_text(bytes);
        }
    }
    spend(bytes)
}

/// A text as it is, anything else as MiniJinja writes it.
pub(super) fn text(cell: &Cell) -> Result<Cow<'_, str>, Failure> {
    match cell.as_str() {
        Some(text) => Ok(Cow::Borrowed(text)),
        None => {
            let mut made = Made::default();
            made.add(cell)?;
            Ok(Cow::Owned(made.0))
        }
    }
}

/// A text that grows up to what an expression may make.
#[derive(Default)]
struct Made(String);

impl Write for Made {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if self.0.len() + text.len() > TEXT {
            return Err(std::fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

impl Made {
    fn add(&mut self, cell: &Cell) -> Result<(), Failure> {
        let before = self.0.len();
        let written = match cell.as_str() {
            Some(text) => self.write_str(text),
            None => write!(self, "{cell}"),
        };
        match written {
            Ok(()) => spend(self.0.len() - before),
            Err(_) => spend_text(TEXT + 1),
        }
    }
}

/// What `~` means here: what is joined with nothing is nothing, as in SQL. MiniJinja would write `None` or `[]` into the text.
fn join(values: Vec<Cell>) -> Result<Cell, Error> {
    let is_nothing = |cell: &&Cell| cell.is_undefined() || cell.is_none() || is_empty_list(cell);
    let mut nothing = values.iter().filter(is_nothing).peekable();
    if nothing.peek().is_some() {
        return Ok(match nothing.all(Cell::is_undefined) {
            true => Cell::UNDEFINED,
            false => Cell::from(()),
        });
    }
    let mut made = Made::default();
    for cell in values {
        made.add(&cell).map_err(failed)?;
    }
    Ok(made.0.into())
}

/// What `+` means: of two texts, of two lists, or of numbers.
fn sum(values: Vec<Cell>) -> Result<Cell, Error> {
    in_turn(values, |left, right| {
        if is_list(left) && is_list(right) {
            spend_value(left).map_err(failed)?;
            spend_value(right).map_err(failed)?;
            return Ok(left.try_iter()?.chain(right.try_iter()?).collect());
        }
        if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
            spend_text(left.len() + right.len()).map_err(failed)?;
            return Ok(Cell::from([left, right].concat()));
        }
        numbers(left, right, i128::checked_add, |left, right| left + right)
    })
}

/// What `*` means: of numbers, or of a text or a list and how often.
fn product(values: Vec<Cell>) -> Result<Cell, Error> {
    in_turn(values, |left, right| {
        for (value, times) in [(left, right), (right, left)] {
            if let Some(text) = value.as_str() {
                let times = times.as_usize().ok_or_else(impossible)?;
                spend_text(text.len().saturating_mul(times)).map_err(failed)?;
                return Ok(Cell::from(text.repeat(times)));
            }
        }
        for (value, times) in [(left, right), (right, left)] {
            if is_list(value) {
                let times = times.as_usize().ok_or_else(impossible)?;
                return repeated(value, times);
            }
        }
        numbers(left, right, i128::checked_mul, |left, right| left * right)
    })
}

fn in_turn(
    values: Vec<Cell>,
    operate: impl Fn(&Cell, &Cell) -> Result<Cell, Error>,
) -> Result<Cell, Error> {
    let mut values = values.into_iter();
    let first = values.next().unwrap_or_default();
    values.try_fold(first, |left, right| operate(&left, &right))
}

fn is_list(cell: &Cell) -> bool {
    matches!(cell.kind(), ValueKind::Seq | ValueKind::Iterable)
}

/// Every repeat counts as if it were written out: it is, wherever the list ends up.
fn repeated(list: &Cell, times: usize) -> Result<Cell, Error> {
    let before = bound::left();
    spend_value(list).map_err(failed)?;
    let once = before - bound::left();
    spend(once.saturating_mul(times)).map_err(failed)?;
    let items: Vec<Cell> = list.try_iter()?.collect();
    let count = items.len().saturating_mul(times);
    Ok(items.into_iter().cycle().take(count).collect())
}

/// As MiniJinja computes: integers of 128 bits without overflow, floating point where one is, and `true` is 1.
fn numbers(
    left: &Cell,
    right: &Cell,
    whole: fn(i128, i128) -> Option<i128>,
    point: fn(f64, f64) -> f64,
) -> Result<Cell, Error> {
    let number = |cell: &Cell| match cell.kind() {
        ValueKind::Bool => Some(Number::Whole(i128::from(cell.is_true()))),
        ValueKind::Number if cell.is_integer() => {
            i128::try_from(cell.clone()).ok().map(Number::Whole)
        }
        ValueKind::Number => f64::try_from(cell.clone()).ok().map(Number::Point),
        _ => None,
    };
    match (number(left), number(right)) {
        (Some(Number::Whole(left)), Some(Number::Whole(right))) => {
            let made = whole(left, right).ok_or_else(impossible)?;
            Ok(i64::try_from(made).map_or_else(|_| Cell::from(made), Cell::from))
        }
        (Some(left), Some(right)) => Ok(Cell::from(point(left.as_point(), right.as_point()))),
        _ => Err(impossible()),
    }
}

enum Number {
    Whole(i128),
    Point(f64),
}

impl Number {
    fn as_point(&self) -> f64 {
        match self {
            Self::Whole(number) => *number as f64,
            Self::Point(number) => *number,
        }
    }
}

fn impossible() -> Error {
    Error::from(ErrorKind::InvalidOperation)
}
