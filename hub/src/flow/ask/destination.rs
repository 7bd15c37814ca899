//! What a destination holds of one person, what waits, and why something is not sent. Writes nothing.

use crate::delivery::key_text;
use crate::flow::ask::consent::ConsentView;
use crate::flow::ask::profile::{Found, ProfileView, Wanted, profile};
use crate::flow::context::Context;
use crate::manifest::Destination;
use crate::model::{ConsentStatus, Fields, Permission};
use crate::store::{KeyState, Result};
use serde::Serialize;
use uuid::Uuid;

/// One person at one destination.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AtDestination {
    pub destination: String,
    pub person: String,
    #[schema(value_type = Object)]
    pub traits: Fields,
    /// By which the person is found there; none where the profile has no such value.
    pub key: Option<String>,
    pub suppressed: bool,
    pub consents: Vec<Answer>,
    /// The profile first, if profiles are sent, then each audience of the destination.
    pub objects: Vec<Object>,
}

/// What was said of a purpose that the destination needs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Answer {
    pub purpose: String,
    /// For the address at which the person would be reached there; none where nobody said anything.
    pub status: Option<ConsentStatus>,
    /// No stream ever states it.
    pub is_unstated: bool,
    pub said: Vec<ConsentView>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Object {
    /// `profile`, or the name of an audience.
    pub name: String,
    pub state: State,
}

/// How something of a person is at a destination, in the order of what keeps it from being there.
#[derive(Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum State {
    /// The person is in none of the audiences whose people are sent, or not in this audience. `there`: it was sent before.
    NotWanted {
        there: bool,
    },
    /// The profile has no value by which the person could be found there.
    NoKey {
        field: String,
    },
    /// `there`: it was sent before.
    Withheld {
        because: Permission,
        there: bool,
    },
    /// The vendor refused it.
    Rejected {
        code: String,
        message: String,
    },
    /// It follows the profile, which the vendor does not have yet.
    Held,
    /// The next delivery sends it, or takes it away.
    Waits,
    Sent,
}

/// One person at one destination; none when the identifier names no one person.
pub async fn explain(
    context: &Context,
    destination: &Destination,
    wanted: &Wanted,
) -> Result<Option<AtDestination>> {
    let Found::Person(view) = profile(context, wanted).await? else {
        return Ok(None);
    };
    let view: ProfileView = *view;
    let field = match &destination.person {
        Some(push) => &push.match_field,
        None => &destination.member_key,
    };
    let own = key_text(view.traits.get(field));
    let push = destination.person.iter();
    let profiles = push.map(|push| ("profile".to_owned(), format!("person:{}", push.target)));
    let audiences = destination.audiences.iter();
    let audiences = audiences.map(|name| (name.clone(), format!("audience:{name}")));
    let (names, objects): (Vec<String>, Vec<String>) = profiles.chain(audiences).unzip();
    let mut tx = context.store.read().await?;
    let id = Uuid::parse_str(&view.id).unwrap_or_default();
    let Some(person) = tx.alias(id.as_bytes()).await? else {
        return Ok(None);
    };
    let name = &*destination.name;
    let rows = tx.states_of(name, person, own.as_deref(), &objects).await?;
    drop(tx);
    let wanted_by = rows.iter().find_map(|row| row.remote_key.clone());
    let key = wanted_by.or(own);
    let address = key.as_deref().unwrap_or_default();
    let unstated = context.plan.unstated_purposes(destination);
    let answer = |purpose: &String| Answer {
        purpose: purpose.clone(),
        status: context.answer(purpose, destination, &view.consents, &view.traits, address),
        is_unstated: unstated.contains(purpose),
        said: (view.consent_why.iter())
            .filter(|said| said.purpose == *purpose)
            .cloned()
            .collect(),
    };
    let objects = names.into_iter().zip(rows).map(|(name, row)| Object {
        state: match &key {
            Some(_) => state(row),
            None => State::NoKey {
                field: field.clone(),
            },
        },
        name,
    });
    Ok(Some(AtDestination {
        destination: destination.name.to_string(),
        objects: objects.collect(),
        consents: destination.consent.iter().map(answer).collect(),
        person: view.id,
        traits: view.traits,
        suppressed: view.suppressed,
        key,
    }))
}

/// How a row is at a destination.
pub(super) fn state(row: KeyState) -> State {
    let there = row.is_acknowledged;
    match (row.permission, row.change.as_deref()) {
        (_, Some("rejected")) => State::Rejected {
            code: row.code,
            message: row.message,
        },
        (_, Some("held")) => State::Held,
        (Some(Permission::Granted), None) => State::Sent,
        (None, None) => State::NotWanted { there },
        (Some(Permission::Granted) | None, Some(_)) => State::Waits,
        (Some(because), _) => State::Withheld { because, there },
    }
}
