//! People: by any identifier, by a text, and whether they are in audiences.

use crate::api::answer::{Answer, Answered, Refusal};
use crate::api::take::{Asked, Given, Limit, Named, Sent};
use crate::audience::Explained;
use crate::flow::ask::account::PersonHead;
use crate::flow::ask::belonging::{Belonging, belonging};
use crate::flow::ask::consent::ConsentView;
use crate::flow::ask::destination::{self, AtDestination};
use crate::flow::ask::event::{self, Events};
use crate::flow::ask::profile::{self, Found, ProfileView, Wanted};
use crate::flow::ask::{account, audience};
use crate::flow::{self, Moment, traits_of};
use crate::manifest::Subject;
use crate::model::{ConsentStatus, Shown};
use crate::opening::{ConsentStatement, find_audience, find_destination, wanted};
use crate::problem::Problem;
use crate::problem::codes::NOT_FOUND;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The longest text that is looked for.
const LONGEST_TEXT: usize = 200;
/// Identifiers that are looked up in one request.
const MOST_IDENTIFIERS: usize = 200;

impl Asked {
    fn wanted(&self, text: &str) -> Result<Wanted, Refusal> {
        Ok(wanted(&self.hub().context.plan, text)?)
    }

    async fn person(&self, text: &str) -> Result<Box<ProfileView>, Refusal> {
        let wanted = self.wanted(text)?;
        match profile::profile(&self.hub().context, &wanted).await? {
            Found::Person(view) => Ok(view),
            Found::Nobody => Err(Refusal::nobody()),
            Found::Shared => {
                let message = "that identifier is shared by several people, so it names nobody";
                Err(Problem::new(&NOT_FOUND, message).into())
            }
        }
    }
}

/// A person: values with their origin, consents, audiences, what makes it one person.
#[utoipa::path(get, path = "/profiles/{identifier}", tag = "people", security(("token" = ["people:read"])),
    params(("identifier" = String, Path, description = "Such as `email:ada@example.com`, `user_id:7`, `external:crm:12` or `id:UUID`.")),
    responses((status = 200, description = "The person.", body = ProfileView)))]
pub async fn profile(asked: Asked, Named(identifier): Named<String>) -> Answered {
    let view = asked.person(&identifier).await?;
    Ok(Answer::of(&view)?.about(&view.id))
}

/// Each change of each value, the newest last.
#[utoipa::path(get, path = "/profiles/{identifier}/history", tag = "people", security(("token" = ["people:read"])),
    params(("identifier" = String, Path, description = "As of `/profiles/{identifier}`.")),
    responses((status = 200, description = "The changes.", body = Vec<Moment>)))]
pub async fn history(asked: Asked, Named(identifier): Named<String>) -> Answered {
    let view = asked.person(&identifier).await?;
    let wanted = asked.wanted(&identifier)?;
    let moments = flow::history(&asked.hub().context, &wanted).await?;
    let moments = moments.ok_or_else(Refusal::nobody)?;
    Ok(Answer::of(&moments)?.about(&view.id))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// What an earlier page says as `next`.
    pub after: Option<String>,
    #[serde(default)]
    #[param(value_type = u32, minimum = 1, maximum = 200, default = 50)]
    pub limit: Limit,
}

/// What a person did, the latest first.
#[utoipa::path(get, path = "/profiles/{identifier}/events", tag = "people", security(("token" = ["people:read"])),
    params(("identifier" = String, Path, description = "As of `/profiles/{identifier}`."), Page),
    responses((status = 200, description = "A page of events.", body = Events)))]
pub async fn events(
    asked: Asked,
    Named(identifier): Named<String>,
    Given(page): Given<Page>,
) -> Answered {
    let after = match &page.after {
        None => None,
        Some(text) => {
            let parts = text.split_once('.');
            let parts = parts.and_then(|(time, id)| Some((time.parse().ok()?, id.parse().ok()?)));
            Some(parts.ok_or_else(bad_page)?)
        }
    };
    let wanted = asked.wanted(&identifier)?;
    let limit = page.limit.count() as usize;
    let found = event::events(&asked.hub().context, &wanted, after, limit).await?;
    let found = found.ok_or_else(Refusal::nobody)?;
    Ok(Answer::of(&found)?.about(&found.person))
}

pub fn bad_page() -> Refusal {
    Refusal::bad("`after` is not what an earlier page said as `next`")
}

/// What was said of consent, and which statement decides.
#[utoipa::path(get, path = "/profiles/{identifier}/consents", tag = "people", security(("token" = ["people:read"])),
    params(("identifier" = String, Path, description = "As of `/profiles/{identifier}`.")),
    responses((status = 200, description = "By purpose and address.", body = Vec<ConsentView>)))]
pub async fn consents(asked: Asked, Named(identifier): Named<String>) -> Answered {
    let view = asked.person(&identifier).await?;
    Ok(Answer::of(&view.consent_why)?.about(&view.id))
}

/// Why somebody is in an audience or not.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explanation {
    audience: String,
    /// Of the person or account.
    id: String,
    holds: bool,
    /// In the order in which they are read; the first is the whole.
    conditions: Vec<ConditionLine>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ConditionLine {
    /// In the tree of conditions.
    depth: usize,
    condition: String,
    holds: bool,
    /// What is known; empty for a condition that is made of others.
    why: String,
    changes_at: Option<Shown>,
}

impl Explanation {
    pub fn new(audience: &str, id: &str, lines: Vec<Explained>) -> Self {
        Self {
            audience: audience.to_owned(),
            id: id.to_owned(),
            holds: lines.first().is_some_and(|line| line.holds),
            conditions: lines.into_iter().map(ConditionLine::from).collect(),
        }
    }
}

impl From<Explained> for ConditionLine {
    fn from(line: Explained) -> Self {
        Self {
            depth: line.depth,
            condition: line.condition,
            holds: line.holds,
            why: line.why,
            changes_at: line.changes_at.map(Shown),
        }
    }
}

/// Why a person is in an audience or not, condition by condition.
#[utoipa::path(get, path = "/profiles/{identifier}/audiences/{audience}", tag = "people", security(("token" = ["people:read"])),
    params(("identifier" = String, Path, description = "As of `/profiles/{identifier}`; for an audience of accounts `account:ID`."),
        ("audience" = String, Path, description = "Its name in the manifests.")),
    responses((status = 200, description = "The conditions.", body = Explanation)))]
pub async fn in_audience(
    asked: Asked,
    Named((identifier, name)): Named<(String, String)>,
) -> Answered {
    let context = &asked.hub().context;
    let of = find_audience(&context.plan, &name)?;
    if of.of == Subject::Account {
        let id = identifier.strip_prefix("account:");
        let id = id.ok_or_else(|| {
            Refusal::bad("this is an audience of accounts: name one as `account:ID`")
        })?;
        let lines = account::explain(context, of, id).await?;
        let lines = lines.ok_or_else(no_account)?;
        return Ok(Answer::of(&Explanation::new(&name, id, lines))?.about("an account"));
    }
    let view = asked.person(&identifier).await?;
    let id = Uuid::parse_str(&view.id).map_err(|_| Refusal::nobody())?;
    let lines = audience::explain(context, of, id.as_bytes()).await?;
    let lines = lines.ok_or_else(Refusal::nobody)?;
    Ok(Answer::of(&Explanation::new(&name, &view.id, lines))?.about(&view.id))
}

pub fn no_account() -> Refusal {
    let message = "neither a record nor a person names that account";
    Problem::new(&NOT_FOUND, message).into()
}

/// What a destination has of a person, and why something is not sent.
#[utoipa::path(get, path = "/profiles/{identifier}/destinations/{destination}", tag = "people", security(("token" = ["people:read"])),
    params(("identifier" = String, Path, description = "As of `/profiles/{identifier}`."),
        ("destination" = String, Path, description = "Its name in the manifests.")),
    responses((status = 200, description = "The profile and each audience there.", body = AtDestination)))]
pub async fn at_destination(
    asked: Asked,
    Named((identifier, name)): Named<(String, String)>,
) -> Answered {
    let context = &asked.hub().context;
    let one = find_destination(&context.plan, &name)?;
    let wanted = asked.wanted(&identifier)?;
    let at = destination::explain(context, one, &wanted).await?;
    let at = at.ok_or_else(Refusal::nobody)?;
    Ok(Answer::of(&at)?.about(&at.person))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// A text that some value of the person contains, whatever its case.
    #[param(min_length = 1, max_length = 200)]
    q: String,
    #[serde(default)]
    #[param(value_type = u32, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
}

/// People with a value that contains a text.
#[utoipa::path(get, path = "/profiles", tag = "people", security(("token" = ["people:read"])), params(Search),
    responses((status = 200, description = "The first people that were found.", body = Vec<PersonHead>)))]
pub async fn search(asked: Asked, Given(search): Given<Search>) -> Answered {
    let length = search.q.chars().count();
    if !(1..=LONGEST_TEXT).contains(&length) {
        let message = format!("`q` must have 1 to {LONGEST_TEXT} characters");
        return Err(Refusal::bad(message));
    }
    let context = &asked.hub().context;
    let rows = profile::search(context, &search.q, search.limit.into()).await?;
    let mut people = Vec::with_capacity(rows.len());
    for row in rows {
        people.push(PersonHead {
            id: Uuid::from_bytes(row.uuid).to_string(),
            traits: traits_of(&row)?,
        });
    }
    let answer = Answer::of(&people)?;
    Ok(answer.about_people(people.iter().map(|one| one.id.as_str())))
}

/// Whose memberships are asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Such as `email:ada@example.com`.
    #[schema(min_items = 1, max_items = 200)]
    identifiers: Vec<String>,
    /// Only these audiences; all where it is left out.
    audiences: Option<Vec<String>>,
}

/// The audiences of the people with identifiers, in the order of the identifiers.
#[utoipa::path(post, path = "/memberships", tag = "people", security(("token" = ["memberships:check"])), request_body = Check,
    responses((status = 200, description = "One entry for each identifier.", body = Vec<Belonging>)))]
pub async fn memberships(asked: Asked, Sent(check): Sent<Check>) -> Answered {
    if !(1..=MOST_IDENTIFIERS).contains(&check.identifiers.len()) {
        let message = format!("`identifiers` must have 1 to {MOST_IDENTIFIERS} entries");
        return Err(Refusal::bad(message));
    }
    let context = &asked.hub().context;
    for name in check.audiences.iter().flatten() {
        find_audience(&context.plan, name)?;
    }
    let wanted = check.identifiers.iter();
    let wanted: Result<Vec<Wanted>, Refusal> = wanted.map(|text| asked.wanted(text)).collect();
    let mut found = belonging(context, &wanted?).await?;
    if let Some(names) = &check.audiences {
        for one in &mut found {
            one.audiences.retain(|audience| names.contains(audience));
        }
    }
    let answer = Answer::of(&found)?;
    Ok(answer.about_people(found.iter().filter_map(|one| one.person.as_deref())))
}

/// What somebody agreed to or refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Such as `email:ada@example.com`; a person's id is not one.
    identifier: String,
    /// One of the manifests.
    purpose: String,
    status: ConsentStatus,
    /// Why; it is kept with the statement.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct StatedConsent {
    purpose: String,
    status: ConsentStatus,
    /// How many people have the identifier.
    people: usize,
}

/// State that somebody grants or refuses a purpose.
#[utoipa::path(post, path = "/consents", tag = "people", security(("token" = ["consents:state"])), request_body = Statement,
    responses((status = 200, description = "It counts from now on.", body = StatedConsent)))]
pub async fn state_consent(asked: Asked, Sent(statement): Sent<Statement>) -> Answered {
    let reason = reason(&statement.reason)?;
    let stating = ConsentStatement {
        identifier: &statement.identifier,
        purpose: &statement.purpose,
        status: statement.status,
        reason,
        author: &asked.by.name,
    };
    let (kind, people) = asked.hub().state_consent(&stating).await?;
    let view = asked.person(&statement.identifier).await;
    let who = view.map_or_else(
        |_| format!("somebody with an identifier of kind {kind}"),
        |view| view.id,
    );
    let stated = StatedConsent {
        purpose: statement.purpose,
        status: statement.status,
        people,
    };
    Ok(Answer::of(&stated)?.about(who))
}

/// Why something is changed: it is kept, so it must say something and not everything.
pub fn reason(text: &str) -> Result<&str, Refusal> {
    let text = text.trim();
    match (1..=1_000).contains(&text.chars().count()) {
        true => Ok(text),
        false => Err(Refusal::bad("`reason` must have 1 to 1,000 characters")),
    }
}
