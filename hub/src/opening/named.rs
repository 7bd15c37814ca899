//! What a caller names in text: a person by an identifier, and things of the manifests by their names.

use crate::expression::closest;
use crate::flow::ask::profile::Wanted;
use crate::manifest::{Audience, Destination, Plan};
use crate::model::{Identifier, IdentifierKind, Rejected};
use crate::problem::{Problem, codes};
use uuid::Uuid;

/// A name that the manifests do not have.
pub fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    let known: Vec<&str> = known.collect();
    let hint = match closest(name, known.iter().copied()) {
        Some(close) => format!("did you mean `{close}`?"),
        None if known.is_empty() => format!("there is no {what} at all"),
        None => format!("there are: {}", known.join(", ")),
    };
    Problem::new(&codes::NOT_FOUND, format!("there is no {what} `{name}`")).hint(hint)
}

pub fn find_audience<'p>(plan: &'p Plan, name: &str) -> Result<&'p Audience, Problem> {
    let names = || plan.audiences.iter().map(|audience| &*audience.name);
    let found = plan.audiences.iter().find(|one| *one.name == *name);
    found.ok_or_else(|| unknown("audience", name, names()))
}

pub fn find_destination<'p>(plan: &'p Plan, name: &str) -> Result<&'p Destination, Problem> {
    let names = || plan.destinations.iter().map(|one| &*one.name);
    let found = plan.destinations.iter().find(|one| *one.name == *name);
    found.ok_or_else(|| unknown("destination", name, names()))
}

/// The person that a text names: by an identifier or by `id:PROFILE-ID`.
pub fn wanted(plan: &Plan, text: &str) -> Result<Wanted, Problem> {
    match text.strip_prefix("id:").map(Uuid::parse_str) {
        Some(Ok(id)) => Ok(Wanted::Id(id)),
        Some(Err(_)) => Err(bad("a profile id is a UUID")),
        None => {
            let region = plan.hub.default_region.as_deref();
            let identifier = parse_identifier(&plan.namespaces.kind(text), region);
            identifier.map(Wanted::Identifier)
        }
    }
}

/// Reads `email:ada@example.com`.
pub fn parse_identifier(text: &str, region: Option<&str>) -> Result<Identifier, Problem> {
    let kinds = "`user_id:`, `email:`, `phone:`, `external:SOURCE:`, `anonymous_id:`, `device_id:`, `ad_id:` or `id:`";
    let (kind, value) = match text
        .strip_prefix("external:")
        .and_then(|rest| rest.split_once(':'))
    {
        Some((source, value)) => (IdentifierKind::parse(&format!("external:{source}")), value),
        None => match text.split_once(':') {
            Some((kind, value)) => (IdentifierKind::parse(kind), value),
            None => (None, text),
        },
    };
    let Some(kind) = kind else {
        return Err(bad(&format!("begin it with {kinds}")));
    };
    let shown = kind.to_string();
    Identifier::parse(kind, value, region).map_err(|why| match why {
        Rejected::Empty => bad("its value is empty"),
        Rejected::Malformed => bad(&format!("its value cannot be of kind `{shown}`")),
        // The text is not repeated: it may be personal data.
        Rejected::Blocked(rule) => Problem::new(
            &codes::USAGE,
            format!(
                "that value is a stand-in and identifies nobody: {}",
                rule.as_str()
            ),
        )
        .hint("records that have it are kept, without it; name the person by another identifier"),
    })
}

/// The text is not repeated: it may be personal data.
fn bad(why: &str) -> Problem {
    Problem::new(&codes::USAGE, "that is not an identifier").hint(why)
}
