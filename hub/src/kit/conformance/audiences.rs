//! Checks of audiences and of erasing people: what is done twice, or again after a fault, has been done once. A connector
//! that takes audiences only is tested without any row.

use super::writing::{MOST_POSITIONS, new_rows, request, tolerable, write};
use super::{Stop, Trial, Tried, failed, not_applicable};
use crate::host::{
    AudienceRef, Connector, Erasure, ErasureStatus, Failure, Member, MemberChange, MemberId,
    MemberIdForm, MemberIdKind, Outcome, WriteMode,
};
use crate::kit::raw_json::weight;
use crate::kit::tap::{Fault, Tap};
use crate::model::Value;
use std::sync::Arc;

const MOST_PAGES: usize = 1_000;
const MOST_POLLS: usize = 100;
/// Members of one attempt.
const MEMBERS: usize = 3;
/// As many members as the hub sends at once.
const BATCH: usize = 500;

/// Rows that are written at once for their members; whether one call takes more is tested by `max-batch`.
const FEW: u32 = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Remove,
}

fn all_audiences(connector: &mut dyn Connector) -> Result<Vec<AudienceRef>, Stop> {
    let mut all = Vec::new();
    let mut page: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let found = connector.list_audiences(page.as_deref())?;
        all.extend(found.audiences);
        page = found.next;
        if page.is_none() {
            return Ok(all);
        }
    }
    failed(format!(
        "the list of audiences has not ended after {MOST_PAGES} pages"
    ))
}

pub fn create_twice(trial: &Trial) -> Tried {
    trial.needs("audience")?;
    trial.needs_live()?;
    let name = format!("conformance {}", trial.number());
    let mut connector = trial.fresh();
    let first = connector.create_audience(&name, None)?;
    let second = trial.fresh().create_audience(&name, None)?;
    if first.id != second.id {
        return failed(format!(
            "`{name}` is made twice: {} and {}",
            first.id, second.id
        ));
    }
    let named = all_audiences(&mut *connector)?;
    match named.iter().filter(|one| one.name == name).count() {
        1 => Ok(()),
        count => failed(format!("`{name}` is in the list {count} times")),
    }
}

/// People by what the connector names members with: `[members] known`, or rows that it has just written, or, where it
/// writes none, people whom nobody knows yet.
fn members(trial: &Trial, count: usize) -> Result<Vec<Member>, Stop> {
    let member = |(key, value): (&str, String)| Member {
        ids: vec![MemberId {
            kind: MemberIdKind::of_key(key),
            form: MemberIdForm::Plain,
            value,
        }],
        traits: None,
    };
    let keys = &trial.description().audience_keys;
    let first = keys.first().map_or("email", String::as_str);
    let known = &trial.subject.settings.members.known;
    if !known.is_empty() {
        if known.len() < count {
            return not_applicable(format!(
                "`[members] known` in conformance.toml names {} people, and the check takes {count}",
                known.len()
            ));
        }
        let known = known.iter().take(count).cloned();
        return Ok(known.map(|value| member((first, value))).collect());
    }
    if trial.takes_audiences_only() {
        let made_up = (0..count).map(|_| member((first, made_up(first, trial.number()))));
        return Ok(made_up.collect());
    }
    if !keys.iter().any(|key| key == "email") {
        return not_applicable("members are not named by e-mail address");
    }
    let emails = emails(trial, count)?.into_iter();
    Ok(emails.map(|value| member(("email", value))).collect())
}

fn made_up(key: &str, number: u32) -> String {
    match key {
        "email" => format!("conformance.{number}@example.com"),
        // Numbers that are kept for fiction.
        "phone" => format!("+1202555{number:04}"),
        _ => format!("conformance-{number}"),
    }
}

/// Addresses of people whom the connector itself has just written.
fn emails(trial: &Trial, count: usize) -> Result<Vec<String>, Stop> {
    let targets = trial.description().targets.iter();
    let mut targets = targets.filter(|target| target.modes.iter().any(|mode| mode == "upsert"));
    let (true, Some(target)) = (trial.exports("destination"), targets.next()) else {
        return not_applicable("the connector cannot write the people whom it would take");
    };
    let rows = new_rows(trial, target, count)?;
    for some in rows.chunks(target.max_batch.clamp(1, FEW) as usize) {
        let request = request(trial, target, WriteMode::Upsert, some);
        write(trial, &request, None)?;
    }
    let email = |row: &Value| {
        let members = row.as_object()?.iter();
        let mut addresses = members.filter_map(|(_, value)| value.as_str());
        addresses.find(|text| text.contains('@')).map(str::to_owned)
    };
    match rows.iter().map(email).collect() {
        Some(emails) => Ok(emails),
        None => not_applicable("the rows of conformance.toml hold no e-mail address"),
    }
}

/// A new audience, and a change of some members of it.
fn change_of(trial: &Trial, members: Vec<Member>) -> Result<MemberChange, Stop> {
    let name = format!("conformance {}", trial.number());
    Ok(MemberChange {
        audience: trial.fresh().create_audience(&name, None)?.id,
        members,
        idempotency_key: String::new(),
        verify: false,
    })
}

/// Adds or removes the members and waits for the vendor's answer, when it comes later.
fn put(
    trial: &Trial,
    verb: Verb,
    change: &MemberChange,
    tap: Option<&Arc<Tap>>,
) -> Result<Outcome, Failure> {
    let mut connector = match tap {
        Some(tap) => trial.fresh_through(tap.clone()),
        None => trial.fresh(),
    };
    let mut outcome = match verb {
        Verb::Add => connector.add_members(change)?,
        Verb::Remove => connector.remove_members(change)?,
    };
    let count = u32::try_from(change.members.len()).unwrap_or(u32::MAX);
    for _ in 0..MOST_POLLS {
        let Some(job) = outcome.job.take() else { break };
        let polled = connector.poll_audience(&job, count)?;
        outcome = polled.unwrap_or(Outcome {
            failures: Vec::new(),
            job: Some(job),
        });
    }
    Ok(outcome)
}

/// As another attempt than all before, after which every member has to be accepted.
fn accepted(
    trial: &Trial,
    verb: Verb,
    change: &MemberChange,
    tap: Option<&Arc<Tap>>,
) -> Result<(), Stop> {
    let change = MemberChange {
        idempotency_key: format!("conformance-{}", trial.number()),
        ..change.clone()
    };
    let outcome = put(trial, verb, &change, tap)?;
    match outcome.failures.first() {
        None => Ok(()),
        Some(failure) => failed(format!(
            "member {} is refused: {}",
            failure.index, failure.message
        )),
    }
}

pub fn members_twice(trial: &Trial) -> Tried {
    trial.needs("audience")?;
    trial.needs_live()?;
    let change = change_of(trial, members(trial, MEMBERS)?)?;
    let mut states = vec![trial.state()?];
    for verb in [Verb::Add, Verb::Add, Verb::Remove, Verb::Remove] {
        accepted(trial, verb, &change, None)?;
        states.push(trial.state()?);
    }
    let wrong = if states[0] == states[1] {
        "added members are not at the vendor"
    } else if states[1] != states[2] {
        "members that are added again change the vendor's state"
    } else if states[2] == states[3] {
        "removed members are still at the vendor"
    } else if states[3] != states[4] {
        "members that are removed again change the vendor's state"
    } else {
        return Ok(());
    };
    failed(wrong)
}

/// What the vendor holds is compared by its size, because times may have moved on.
pub fn faults(trial: &Trial) -> Tried {
    trial.needs("audience")?;
    trial.needs_live()?;
    let change = change_of(trial, members(trial, MEMBERS)?)?;
    let mut without = Vec::new();
    for verb in [Verb::Add, Verb::Remove] {
        let tap = Tap::new(trial.way_out());
        accepted(trial, verb, &change, Some(&tap))?;
        without.push((
            verb,
            tap.sent().min(MOST_POSITIONS),
            weight(&trial.state()?),
        ));
    }
    let (wait, lost) = (Fault::RateLimited { retry_after_s: 1 }, Fault::AnswerLost);
    for (verb, requests, expected) in without {
        let (what, opposite) = match verb {
            Verb::Add => ("adding members", Verb::Remove),
            Verb::Remove => ("removing members", Verb::Add),
        };
        for number in 0..requests {
            for fault in [
                wait,
                Fault::ServerError,
                Fault::HalfBody,
                lost,
                Fault::Reset,
            ] {
                accepted(trial, opposite, &change, None)?;
                let mut change = MemberChange {
                    idempotency_key: format!("conformance-{}", trial.number()),
                    ..change.clone()
                };
                let tap = Tap::with_fault(trial.way_out(), number, fault);
                tolerable(trial, what, fault, put(trial, verb, &change, Some(&tap)))?;
                change.verify = true;
                let outcome = put(trial, verb, &change, None)?;
                if !outcome.failures.is_empty() || weight(&trial.state()?) != expected {
                    return failed(format!(
                        "{what}: after {fault:?} at request {} another attempt does not have the result that it has without",
                        number + 1
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Many members change as much as the same number of changes of one.
pub fn batch(trial: &Trial) -> Tried {
    trial.needs("audience")?;
    trial.needs_live()?;
    let known = trial.subject.settings.members.known.len();
    let count = if known == 0 { BATCH } else { known.min(BATCH) };
    let size = || Ok::<_, Stop>(i64::try_from(weight(&trial.state()?)).unwrap_or(i64::MAX));
    let grown = |count: usize| {
        let change = change_of(trial, members(trial, count)?)?;
        let before = size()?;
        accepted(trial, Verb::Add, &change, None)?;
        let inside = size()?;
        accepted(trial, Verb::Remove, &change, None)?;
        Ok::<_, Stop>([inside - before, inside - size()?])
    };
    let expected = grown(1)?.map(|one| one * i64::try_from(count).unwrap_or(i64::MAX));
    let [added, removed] = grown(count)?;
    let what = if added != expected[0] {
        "added"
    } else if removed != expected[1] {
        "removed"
    } else if count < BATCH {
        return not_applicable(format!(
            "the hub sends {BATCH} members at once, and `[members] known` has {known}; so many are added and removed"
        ));
    } else {
        return Ok(());
    };
    failed(format!("of {count} members not each is {what} once"))
}

fn erased(connector: &mut dyn Connector, id: &MemberId, number: u32) -> Result<Erasure, Stop> {
    let request = format!("conformance-{number}");
    let mut erasure = connector.erase(std::slice::from_ref(id), &request)?;
    for _ in 0..MOST_POLLS {
        let ErasureStatus::Pending(job) = &erasure.status else {
            break;
        };
        erasure = connector.poll_erasure(&job.clone())?;
    }
    Ok(erasure)
}

/// Somebody whom the vendor has: as conformance.toml says, or a row that was written, or a member that was added.
fn who_is_there(trial: &Trial) -> Result<MemberId, Stop> {
    let by_email = |value| MemberId {
        kind: MemberIdKind::Email,
        form: MemberIdForm::Plain,
        value,
    };
    match &trial.subject.settings.erase {
        Some(who) => Ok(by_email(who.email.clone())),
        None if trial.takes_audiences_only() => {
            let mut change = change_of(trial, members(trial, 1)?)?;
            accepted(trial, Verb::Add, &change, None)?;
            Ok(change.members.remove(0).ids.remove(0))
        }
        None => Ok(by_email(emails(trial, 1)?.remove(0))),
    }
}

pub fn erase_twice(trial: &Trial) -> Tried {
    trial.needs("privacy")?;
    trial.needs_live()?;
    let id = who_is_there(trial)?;
    let first = erased(&mut *trial.fresh(), &id, trial.number())?.status;
    let second = erased(&mut *trial.fresh(), &id, trial.number())?.status;
    match (&first, &second) {
        (ErasureStatus::Done(1..), ErasureStatus::Done(0) | ErasureStatus::NotFound)
        | (ErasureStatus::Manual(_), ErasureStatus::Manual(_)) => Ok(()),
        (ErasureStatus::Done(1..) | ErasureStatus::Manual(_), _) => failed(format!(
            "who is erased is answered {second:?} the second time"
        )),
        _ => failed(format!("who is there is answered {first:?}")),
    }
}
