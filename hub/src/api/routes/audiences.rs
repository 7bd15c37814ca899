//! Audiences: their sizes, their members, and who entered and left.

use crate::api::answer::{Answer, Answered};
use crate::api::routes::people::{Page, bad_page};
use crate::api::take::{Asked, Given, Limit, Named, Number};
use crate::flow::ask::audience::{self, Day};
use crate::opening::{AudienceHead, ChangesPage, MembersPage, find_audience};
use serde::Deserialize;
use utoipa::IntoParams;

/// The longest history.
const MOST_DAYS: u32 = 400;

/// Every audience with its size.
#[utoipa::path(get, path = "/audiences", tag = "audiences", security(("token" = ["audiences:read"])),
    responses((status = 200, description = "The audiences of the manifests.", body = Vec<AudienceHead>)))]
pub async fn audiences(asked: Asked) -> Answered {
    Ok(Answer::of(&asked.hub().audiences().await?)?.impersonal())
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Days {
    #[param(minimum = 1, maximum = 400, default = 30)]
    days: Option<u32>,
}

/// The days on which members entered or left, the latest first.
#[utoipa::path(get, path = "/audiences/{audience}/days", tag = "audiences", security(("token" = ["audiences:read"])),
    params(("audience" = String, Path, description = "Its name in the manifests."), Days),
    responses((status = 200, description = "The days with the main causes.", body = Vec<Day>)))]
pub async fn days(asked: Asked, Named(name): Named<String>, Given(days): Given<Days>) -> Answered {
    let context = &asked.hub().context;
    let of = find_audience(&context.plan, &name)?;
    let days = days.days.unwrap_or(30);
    if !(1..=MOST_DAYS).contains(&days) {
        let message = format!("`days` must be from 1 to {MOST_DAYS}");
        return Err(crate::api::answer::Refusal::bad(message));
    }
    let days = audience::history(context, of, i64::from(days)).await?;
    Ok(Answer::of(&days)?.impersonal())
}

/// Members, a page at a time.
#[utoipa::path(get, path = "/audiences/{audience}/members", tag = "audiences", security(("token" = ["people:read"])),
    params(("audience" = String, Path, description = "Its name in the manifests."), Page),
    responses((status = 200, description = "A page of members.", body = MembersPage)))]
pub async fn members(
    asked: Asked,
    Named(name): Named<String>,
    Given(page): Given<Page>,
) -> Answered {
    let hub = asked.hub();
    let of = find_audience(&hub.context.plan, &name)?;
    let (after, limit) = (page.after.as_deref(), page.limit.into());
    let found = hub.members_page(of, after, limit).await?;
    let found = found.ok_or_else(bad_page)?;
    let answer = Answer::of(&found)?;
    Ok(answer.about_people(found.members.iter().map(|one| one.id.as_str())))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// The number after which to begin: what an earlier page says as `next`, or zero.
    #[serde(default)]
    #[param(value_type = i64, minimum = 0, default = 0)]
    pub after: Number,
    #[serde(default)]
    #[param(value_type = u32, minimum = 1, maximum = 200, default = 50)]
    pub limit: Limit,
}

/// Who entered and left, in the order in which it happened.
#[utoipa::path(get, path = "/audiences/{audience}/changes", tag = "audiences", security(("token" = ["people:read"])),
    params(("audience" = String, Path, description = "Its name in the manifests."), After),
    responses((status = 200, description = "A page of changes.", body = ChangesPage)))]
pub async fn changes(
    asked: Asked,
    Named(name): Named<String>,
    Given(page): Given<After>,
) -> Answered {
    let hub = asked.hub();
    let of = find_audience(&hub.context.plan, &name)?;
    let found = hub
        .changes_page(of, page.after.into(), page.limit.into())
        .await?;
    let answer = Answer::of(&found)?;
    Ok(answer.about_people(found.changes.iter().map(|one| one.id.as_str())))
}
