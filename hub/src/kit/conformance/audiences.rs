//! Checks of audiences and of erasing people: whatever is done twice has been done once.

use super::writing::{new_rows, request, write};
use super::{Stop, Trial, Tried, failed, not_applicable};
use crate::host::{
    AudienceRef, Connector, Erasure, ErasureStatus, Failure, Member, MemberChange, MemberId,
    MemberIdForm, MemberIdKind, Outcome, WriteMode,
};
use crate::model::Value;

const MOST_PAGES: usize = 1_000;
const MOST_POLLS: usize = 100;

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

/// People whom the vendor has, by what the connector names members with.
fn members(trial: &Trial, count: usize) -> Result<Vec<Member>, Stop> {
    let keys = &trial.description().audience_keys;
    if !keys.iter().any(|key| key == "email") {
        return not_applicable("members are not named by e-mail address");
    }
    Ok(emails(trial, count)?
        .into_iter()
        .map(|value| Member {
            ids: vec![MemberId {
                kind: MemberIdKind::Email,
                form: MemberIdForm::Plain,
                value,
            }],
            traits: None,
        })
        .collect())
}

/// Addresses of people whom the connector itself has just written.
fn emails(trial: &Trial, count: usize) -> Result<Vec<String>, Stop> {
    let targets = trial.description().targets.iter();
    let mut targets = targets.filter(|target| target.modes.iter().any(|mode| mode == "upsert"));
    let (true, Some(target)) = (trial.exports("destination"), targets.next()) else {
        return not_applicable("the connector cannot write the people whom it would take");
    };
    let rows = new_rows(trial, target, count)?;
    write(
        trial,
        &request(trial, target, WriteMode::Upsert, &rows),
        None,
    )?;
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

fn accepted(
    connector: &mut dyn Connector,
    count: usize,
    first: Result<Outcome, Failure>,
) -> Result<(), Stop> {
    let mut outcome = first?;
    for _ in 0..MOST_POLLS {
        let Some(job) = outcome.job.take() else { break };
        let polled = connector.poll_audience(&job, u32::try_from(count).unwrap_or(u32::MAX))?;
        outcome = polled.unwrap_or(Outcome {
            failures: Vec::new(),
            job: Some(job),
        });
    }
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
    let members = members(trial, 3)?;
    let mut connector = trial.fresh();
    let name = format!("conformance {}", trial.number());
    let audience = connector.create_audience(&name, None)?.id;
    let change = || MemberChange {
        audience: audience.clone(),
        members: members.clone(),
        idempotency_key: format!("conformance-{}", trial.number()),
        verify: false,
    };
    let mut states = vec![trial.state()?];
    for adds in [true, true, false, false] {
        let done = match adds {
            true => connector.add_members(&change()),
            false => connector.remove_members(&change()),
        };
        accepted(&mut *connector, members.len(), done)?;
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

pub fn erase_twice(trial: &Trial) -> Tried {
    trial.needs("privacy")?;
    trial.needs_live()?;
    let email = match &trial.subject.settings.erase {
        Some(who) => who.email.clone(),
        None => emails(trial, 1)?.remove(0),
    };
    let id = MemberId {
        kind: MemberIdKind::Email,
        form: MemberIdForm::Plain,
        value: email,
    };
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
