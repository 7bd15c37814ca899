//! Reads for accounts: one with its people and the origin of each value, lists, and why one is in an audience or not.

use crate::audience::{self, Explained};
use crate::flow::ask::profile::{InAudience, TraitWhy, why};
use crate::flow::commit::account_audiences::About;
use crate::flow::commit::accounts::claim_of;
use crate::flow::commit::views::{traits_of, values_of};
use crate::flow::context::Context;
use crate::manifest::Audience;
use crate::model::{Fields, Shown};
use crate::profile::Claim;
use crate::store::{AccountRow, PersonRow, Result};
use serde::Serialize;
use uuid::Uuid;

/// An account in a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AccountHead {
    pub id: String,
    #[schema(value_type = Object)]
    pub traits: Fields,
    pub people: i64,
}

/// An account as a surface shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AccountView {
    pub id: String,
    #[schema(value_type = Object)]
    pub traits: Fields,
    pub why: Vec<TraitWhy>,
    pub audiences: Vec<InAudience>,
    pub people_count: usize,
    pub people: Vec<PersonHead>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PersonHead {
    pub id: String,
    #[schema(value_type = Object)]
    pub traits: Fields,
}

impl About {
    pub fn head(self) -> AccountHead {
        AccountHead {
            people: self.people.get("").map_or(0, |count| *count as i64),
            id: self.id,
            traits: self.traits,
        }
    }
}

/// Accounts after the id `after`, by id.
pub async fn list(context: &Context, after: &str, limit: i64) -> Result<Vec<AccountHead>> {
    let mut tx = context.store.read().await?;
    let rows = tx.accounts_after(after, limit).await?;
    let head = |(row, people): (AccountRow, i64)| {
        Ok(AccountHead {
            traits: values_of(&row)?,
            id: row.id,
            people,
        })
    };
    rows.into_iter().map(head).collect()
}

/// One account with at most `limit` of its people; none when neither a record nor a person names it.
pub async fn show(context: &Context, id: &str, limit: usize) -> Result<Option<AccountView>> {
    let mut tx = context.store.read().await?;
    let ids = [id.to_owned()];
    let claims: Vec<Claim> = tx
        .account_claims(&ids)
        .await?
        .into_iter()
        .map(claim_of)
        .collect::<Result<_>>()?;
    let mut people = tx.people_of_accounts(&ids).await?;
    if claims.is_empty() && people.is_empty() {
        return Ok(None);
    }
    let people_count = people.len();
    people.truncate(limit);
    let mut rows = tx.persons(people).await?;
    rows.sort_unstable_by_key(|row| row.id);
    let why = why(&context.plan.survivorship.of_accounts(), &claims);
    let traits = why
        .iter()
        .filter_map(|one| Some((one.name.clone(), one.value.clone()?)));
    let memberships = tx.account_memberships_of(&ids).await?;
    let memberships = memberships.into_iter().map(|row| InAudience {
        name: row.audience,
        since: Shown::of(row.since),
    });
    let head = |row: &PersonRow| {
        Ok(PersonHead {
            id: Uuid::from_bytes(row.uuid).to_string(),
            traits: traits_of(row)?,
        })
    };
    Ok(Some(AccountView {
        id: id.to_owned(),
        audiences: memberships.collect(),
        traits: traits.collect(),
        people_count,
        people: rows.iter().map(head).collect::<Result<_>>()?,
        why,
    }))
}

/// Every condition of an audience for one account; none when neither a record nor a person names it.
pub async fn explain(
    context: &Context,
    audience: &Audience,
    id: &str,
) -> Result<Option<Vec<Explained>>> {
    let mut tx = context.store.read().await?;
    let found = About::load(&mut tx, &[id.to_owned()], &context.counted).await?;
    let now = context.clock.now();
    let known = found.into_iter().find(|about| about.is_known);
    Ok(known.map(|about| about.ask(|facts| audience::explain(&audience.who, facts, now))))
}
