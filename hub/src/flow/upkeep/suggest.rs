//! Suggestions of who may be one person: a model of likeness is estimated over everybody, likely pairs wait for an operator,
//! and, where the manifest says so, the surest become statements of the model's own. Dropping a model version revokes exactly
//! those.

mod link;

use crate::flow::commit::identifiers::identifier_of;
use crate::flow::commit::views::traits_of;
use crate::flow::context::{Context, Watch};
use crate::flow::stored_json::{read, to_json};
use crate::flow::upkeep::models;
use crate::flow::upkeep::statements::{Stating, named, revoke, state};
use crate::identity::StatementKind;
use crate::likeness::{self, Doubt, Model, Options, Pair, People, Record, Standing};
use crate::model::{Identifier, IdentifierKind, Value};
use crate::problem::Problem;
use crate::problem::codes::NOT_FOUND;
use crate::store::{ModelRow, PersonRow, Result, SuggestionRow, Tx};
use link::{Sure, kept_apart, link};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;
use std::collections::BTreeSet;
use uuid::Uuid;

/// The kind of row that a model of likeness is.
const LIKENESS: &str = "likeness";
/// People that are read at a time.
const PEOPLE: i64 = 5_000;

/// The result of looking for people who are one person.
#[derive(Debug, Serialize)]
pub struct SuggestReport {
    /// The model's version; none when no model could be estimated and there is no earlier one.
    pub version: Option<i64>,
    /// Why no model could be estimated now.
    pub refused: Option<String>,
    pub people: usize,
    pub linked: usize,
    pub waiting: usize,
    /// Values shared by too many people for pairs to mean anything.
    pub skipped_blocks: usize,
}

/// Compares everybody.
pub async fn suggest(context: &Context, watch: Watch<'_>) -> Result<SuggestReport> {
    let plan = context.plan.suggest.clone().unwrap_or_default();
    let options = Options {
        automatic: plan.automatic.unwrap_or(f64::INFINITY),
        review: plan.review,
        ..Options::default()
    };
    let (people, uuids) = everybody(context, watch).await?;
    let mut report = SuggestReport {
        version: None,
        refused: None,
        people: people.len(),
        linked: 0,
        waiting: 0,
        skipped_blocks: 0,
    };
    watch("comparing", report.people);
    // Once most duplicates have been linked, too few are left to estimate a model from.
    let standing = standing(context).await?;
    let computing = crate::flow::context::in_parallel(move || compare(&people, &options, standing));
    let (refusal, compared) = computing.await;
    report.refused = refusal;
    let Some((version, model, found)) = compared else {
        return Ok(report);
    };
    report.skipped_blocks = found.skipped.len();
    let version = match version {
        Some(version) => version,
        None => keep(context, &model).await?,
    };
    report.version = Some(version);
    let decided = decided(context).await?;
    let mut waiting = Vec::new();
    let mut links = Vec::new();
    for pair in &found.pairs {
        let (left, right) = (pair.left as i64, pair.right as i64);
        let (Some(one), Some(other)) = (uuids.get(&left), uuids.get(&right)) else {
            continue;
        };
        if decided.contains(&(*one.min(other), *one.max(other))) {
            continue;
        }
        match &pair.standing {
            Standing::Automatic => links.push(Sure {
                left,
                right,
                probability: pair.probability,
            }),
            Standing::Review(doubt) => {
                // Where nothing is linked automatically, a low probability is not a doubt worth showing.
                let is_usual = plan.automatic.is_none() && *doubt == Doubt::Probability;
                let doubt = if is_usual { "" } else { doubt.words() };
                waiting.push(row_of(pair, doubt, *one, *other, version));
            }
        }
    }
    report.linked = link(context, &links, version, watch).await?;
    let moved = links.iter().flat_map(|pair| [pair.left, pair.right]);
    let moved: FxHashSet<[u8; 16]> = moved.filter_map(|id| uuids.get(&id).copied()).collect();
    let mut tx = context.begin().await?;
    let mut waiting = still_two(&mut tx, waiting, &moved).await?;
    report.waiting = waiting.len();
    tx.replace_waiting(&mut waiting).await?;
    tx.commit().await?;
    Ok(report)
}

/// A model, its version where it is not new, and what it finds.
type Compared = (Option<i64>, Model, likeness::Suggestions);

/// Why no model could be estimated, if so; and what the new model, or else the standing one, finds.
fn compare(
    people: &People,
    options: &Options,
    standing: Option<(i64, Model)>,
) -> (Option<String>, Option<Compared>) {
    let (refusal, model) = match likeness::estimate(people, options) {
        Ok(model) => (None, Some((None, model))),
        Err(refusal) => {
            let standing = standing.map(|(version, model)| (Some(version), model));
            (Some(refusal.to_string()), standing)
        }
    };
    let compared = model.map(|(version, model)| {
        let found = likeness::suggest(people, &model, options);
        (version, model, found)
    });
    (refusal, compared)
}

/// The pairs that are still two people after other pairs were linked.
async fn still_two(
    tx: &mut Tx,
    rows: Vec<SuggestionRow>,
    moved: &FxHashSet<[u8; 16]>,
) -> Result<Vec<SuggestionRow>> {
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        let is_moved = moved.contains(&row.left) && moved.contains(&row.right);
        if !is_moved || tx.alias(&row.left).await? != tx.alias(&row.right).await? {
            kept.push(row);
        }
    }
    Ok(kept)
}

/// The latest version that was not dropped.
async fn standing(context: &Context) -> Result<Option<(i64, Model)>> {
    let rows = context.store.read().await?.models().await?;
    let stands = |row: &&ModelRow| row.kind == LIKENESS && row.dropped_at.is_none();
    match rows.iter().rfind(stands) {
        Some(row) => Ok(Some((row.id, likeness_of(row)?))),
        None => Ok(None),
    }
}

async fn keep(context: &Context, model: &Model) -> Result<i64> {
    let mut tx = context.begin().await?;
    let id = tx.reserve("model", 1).await?;
    let row = ModelRow {
        id,
        kind: LIKENESS.to_owned(),
        name: "likeness".to_owned(),
        fitted_at: context.clock.now().0,
        body: to_json(model),
        dropped_at: None,
    };
    tx.add_model(&row).await?;
    tx.commit().await?;
    Ok(id)
}

/// Pairs that were decided: by the ids that their people had then, or by a statement that keeps them apart whatever their ids
/// are now. The smaller id comes first.
async fn decided(context: &Context) -> Result<FxHashSet<([u8; 16], [u8; 16])>> {
    let mut tx = context.store.read().await?;
    let mut decided = kept_apart(&mut tx, context).await?;
    let rows = tx.suggestions(false).await?;
    decided.extend(
        rows.iter()
            .map(|row| (row.left.min(row.right), row.left.max(row.right))),
    );
    Ok(decided)
}

fn row_of(pair: &Pair, doubt: &str, left: [u8; 16], right: [u8; 16], model: i64) -> SuggestionRow {
    let reasons: Vec<(&str, &str, f64)> = pair
        .steps
        .iter()
        .map(|step| {
            let what = step.comparison.words();
            (what, step.comparison.level_words(step.level), step.bits)
        })
        .collect();
    SuggestionRow {
        id: 0,
        model,
        left,
        right,
        probability: pair.probability,
        reasons: to_json(&(doubt, reasons)),
        state: "waiting".to_owned(),
    }
}

fn author(version: i64) -> String {
    format!("model:{version}")
}

/// A decision about a pair, and the statement that it became.
pub struct Decided {
    pub statement: i64,
    pub kind: StatementKind,
    pub left: Identifier,
    pub right: Identifier,
}

/// An operator's decision about a pair that waits, which becomes a statement.
pub async fn decide(
    context: &Context,
    id: i64,
    is_one: bool,
    by: &str,
    reason: &str,
) -> Result<Decided> {
    let mut tx = context.store.read().await?;
    let rows = tx.suggestions(true).await?;
    drop(tx);
    let row = rows.into_iter().find(|row| row.id == id).ok_or_else(|| {
        Problem::new(&NOT_FOUND, format!("no suggestion {id} waits"))
            .hint("`onefold identity suggestions` lists them")
    })?;
    let kind = match is_one {
        true => StatementKind::MustLink,
        false => StatementKind::MustNotLink,
    };
    let left = named(context, Uuid::from_bytes(row.left)).await?;
    let right = named(context, Uuid::from_bytes(row.right)).await?;
    let stating = Stating {
        kind,
        left: left.clone(),
        right: right.clone(),
        reason: reason.to_owned(),
        author: by.to_owned(),
    };
    let statement = state(context, &[stating]).await?[0];
    let mut tx = context.begin().await?;
    tx.decide_suggestion(id, if is_one { "accepted" } else { "declined" })
        .await?;
    tx.commit().await?;
    Ok(Decided {
        statement,
        kind,
        left,
        right,
    })
}

/// Drops a model version: revokes its links and what it suggested, or removes the traits that follow from it. Returns how many
/// links.
///
/// A version counts as dropped once all its links are revoked, so that an interrupted drop can be repeated (I9).
pub async fn drop_version(
    context: &mut Context,
    row: &ModelRow,
    by: &str,
    watch: Watch<'_>,
) -> Result<usize> {
    let author = author(row.id);
    let reason = "the model version was dropped";
    let links = revoke(context, |row| row.author == author, by, reason).await?;
    let mut tx = context.begin().await?;
    tx.drop_model(row.id, context.clock.now().0).await?;
    tx.drop_waiting(row.id).await?;
    tx.commit().await?;
    if row.kind != LIKENESS {
        models::adopt(context).await?;
        models::work_out_everybody(context, watch).await?;
    }
    Ok(links)
}

/// A version of the model of likeness.
pub fn likeness_of(row: &ModelRow) -> Result<Model> {
    read("model.body", row.id, &row.body)
}

/// A doubt, then comparison, level and bits.
pub type Reasons = (String, Vec<(String, String, f64)>);

/// Why the latest model suggests a pair that waits, for a surface: doubt, then comparison, level and bits.
pub fn reasons_of(row: &SuggestionRow) -> Result<Reasons> {
    read("suggestion.reasons", row.id, &row.reasons)
}

/// Everybody as the model compares them, and the ids of people by their numbers.
async fn everybody(
    context: &Context,
    watch: Watch<'_>,
) -> Result<(People, FxHashMap<i64, [u8; 16]>)> {
    let mut people = People::default();
    let mut uuids = FxHashMap::default();
    let mut after = 0;
    loop {
        let mut tx = context.store.read().await?;
        let rows = tx.persons_after(after, PEOPLE).await?;
        let Some(last) = rows.last() else {
            return Ok((people, uuids));
        };
        after = last.id;
        watch("reading", people.len());
        let users = users(&mut tx, &rows).await?;
        for row in &rows {
            uuids.insert(row.id, row.uuid);
            people.add(&record(row, users.get(&row.id).copied())?);
        }
    }
}

/// A number for the user id of each person who has one.
async fn users(tx: &mut Tx, rows: &[PersonRow]) -> Result<FxHashMap<i64, u64>> {
    let components: BTreeSet<i64> = rows.iter().map(|row| row.component).collect();
    let evidence = tx.evidence_of_components(components).await?;
    let slots: BTreeSet<i64> = evidence.iter().flat_map(|row| row.nodes.clone()).collect();
    let slots: Vec<i64> = slots.into_iter().collect();
    let mut known = BTreeSet::new();
    for row in tx.identifiers_at(&slots).await? {
        if identifier_of(&row)?.kind == IdentifierKind::UserId {
            known.insert(row.slot);
        }
    }
    let mut users = FxHashMap::default();
    for row in &evidence {
        let user = row.nodes.iter().find(|slot| known.contains(slot));
        if let (Some(person), Some(user)) = (row.person_id, user) {
            users.insert(person, *user as u64);
        }
    }
    Ok(users)
}

fn record(row: &PersonRow, user: Option<u64>) -> Result<Record> {
    let traits = traits_of(row)?;
    let address = traits.get("address").and_then(Value::as_object);
    let text = |names: &[&str]| {
        names.iter().find_map(|name| {
            let value = traits.get(*name).or_else(|| address?.get(*name))?;
            match value {
                Value::String(text) if !text.is_empty() => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            }
        })
    };
    Ok(Record {
        id: row.id as u64,
        user,
        list: None,
        given_name: text(&["first_name", "firstName"]),
        surname: text(&["last_name", "lastName"]),
        birth_date: text(&["birthday"]),
        house_number: text(&["house_number"]),
        street: text(&["street"]),
        address_line: text(&["address_line", "street_2"]),
        city: text(&["city"]),
        postcode: text(&["postal_code", "postalCode"]),
        state: text(&["state"]),
        phone: text(&["phone"]),
        email: text(&["email"]),
        national_id: text(&["national_id"]),
    })
}
