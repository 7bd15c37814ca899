//! Accounts: the companies and groups that people belong to.

use crate::api::answer::{Answer, Answered};
use crate::api::routes::people::{Page, no_account};
use crate::api::take::{Asked, Given, LARGEST_PAGE, Named};
use crate::flow::ask::account::{self, AccountHead, AccountView};

/// Accounts by id.
#[utoipa::path(get, path = "/accounts", tag = "accounts", security(("token" = ["accounts:read"])), params(Page),
    responses((status = 200, description = "A page of accounts; the next one comes after the last id.", body = Vec<AccountHead>)))]
pub async fn accounts(asked: Asked, Given(page): Given<Page>) -> Answered {
    let after = page.after.as_deref().unwrap_or_default();
    let context = &asked.hub().context;
    Answer::of(&account::list(context, after, page.limit.into()).await?)
}

/// One account with its values, their origin, and its first people.
#[utoipa::path(get, path = "/accounts/{id}", tag = "accounts", security(("token" = ["accounts:read"])),
    params(("id" = String, Path, description = "As the records name it.")),
    responses((status = 200, description = "The account.", body = AccountView)))]
pub async fn account(asked: Asked, Named(id): Named<String>) -> Answered {
    let context = &asked.hub().context;
    let view = account::show(context, &id, LARGEST_PAGE as usize).await?;
    let view = view.ok_or_else(no_account)?;
    let answer = Answer::of(&view)?;
    Ok(answer.about_people(view.people.iter().map(|one| one.id.as_str())))
}
