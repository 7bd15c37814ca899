//! Destinations, and what became of each row.

use crate::api::answer::{Answer, Answered};
use crate::api::routes::people::{Page, bad_page};
use crate::api::take::{Asked, Given, Named};
use crate::flow::ask::delivered::{Deliveries, deliveries};
use crate::opening::{DestinationHead, find_destination};

/// Every destination with what it holds, what waits and what is withheld.
#[utoipa::path(get, path = "/destinations", tag = "deliveries", security(("token" = ["hub:read"])),
    responses((status = 200, description = "The destinations of the manifests.", body = Vec<DestinationHead>)))]
pub async fn destinations(asked: Asked) -> Answered {
    Ok(Answer::of(&asked.hub().destinations().await?)?.impersonal())
}

/// What a destination should have, row by row: what was sent and confirmed, what was refused, what is withheld and why.
#[utoipa::path(get, path = "/destinations/{destination}/rows", tag = "deliveries", security(("token" = ["deliveries:read"])),
    params(("destination" = String, Path, description = "Its name in the manifests."), Page),
    responses((status = 200, description = "A page of rows.", body = Deliveries)))]
pub async fn log(asked: Asked, Named(name): Named<String>, Given(page): Given<Page>) -> Answered {
    let context = &asked.hub().context;
    let destination = find_destination(&context.plan, &name)?;
    let after = match &page.after {
        None => ("", 0),
        Some(text) => {
            let parts = text.split_once('.');
            let parts = parts.and_then(|(person, object)| Some((object, person.parse().ok()?)));
            parts.ok_or_else(bad_page)?
        }
    };
    let found = deliveries(context, destination, after, page.limit.into()).await?;
    let answer = Answer::of(&found)?;
    Ok(answer.about_people(found.rows.iter().map(|row| row.person.as_str())))
}
