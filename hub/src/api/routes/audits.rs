//! The audit log.

use crate::api::answer::{Answer, Answered};
use crate::api::audit::{Line, lines};
use crate::api::routes::audiences::After;
use crate::api::take::{Asked, Given};

/// Who read whom and who changed what, the oldest first. Rows of the last moment may not be there yet.
#[utoipa::path(get, path = "/audit", tag = "audit", security(("token" = ["audit:read"])), params(After),
    responses((status = 200, description = "Rows after a number.", body = Vec<Line>)))]
pub async fn audit(asked: Asked, Given(page): Given<After>) -> Answered {
    let store = &asked.hub().context.store;
    Answer::of(&lines(store, page.after.into(), page.limit.into()).await?)
}
