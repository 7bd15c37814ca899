//! Mappings and keys that changed: stored records are mapped again. New and edited definitions are in `fill`.

mod properties;
mod rekey;

use crate::canonical;
use crate::flow::commit::apply::apply;
use crate::flow::commit::change::{Change, Put, To};
use crate::flow::commit::meaning::{Meaning, mapped};
use crate::flow::commit::stream::StreamRef;
use crate::flow::commit::unfit::Unfit;
use crate::flow::context::{Context, UNFINISHED};
use crate::flow::lease;
use crate::flow::upkeep::announce::announce;
use crate::manifest::{Source, Stream};
use crate::model::Timestamp;
use crate::problem::Problem;
use crate::problem::codes::TOO_MANY_UNFIT;
use crate::store::{Result, StoredRecord, StreamRow};
use rustc_hash::FxHashSet;

/// Records that one transaction maps again.
const RECORDS: i64 = 5_000;

/// The hint where a new key does not identify each record.
const WITH_KEY: &str = "see that `key` names the field by which the vendor tells records apart";

/// Which stored records are mapped again.
#[derive(Clone, Copy, PartialEq)]
enum Which {
    All,
    WithLetters,
}

/// Maps a source's stored records again where the mapping changed since, and moves them where the key did. Returns how many
/// records.
pub async fn remap(context: &Context, source: &Source) -> Result<i64> {
    let mut total = 0;
    for plan in &source.streams {
        let mut known = context.store.read().await?.stream_generations().await?;
        known.retain(|row| *row.source == *source.name && *row.name == *plan.name);
        let Some(mut row) = known.pop() else {
            continue;
        };
        let key = Stream::key_digest(&plan.digest);
        if Stream::key_digest(&row.digest) != key {
            let mut tx = context.begin().await?;
            let next = tx.next_generation(&row, &plan.digest).await?;
            tx.commit().await?;
            known.push(std::mem::replace(&mut row, next));
        }
        let stream = StreamRef::from(&row);
        known.retain(|before| before.digest != StreamRow::EMPTIED);
        let mut unfit = Unfit::new(source.max_dead_letters);
        for before in &known {
            would_fit(context, before.id, &stream, plan, &mut unfit).await?;
        }
        for before in &known {
            total += rekey::rekey(context, before, &stream, plan).await?;
        }
        if row.digest == plan.digest {
            continue;
        }
        would_fit(context, stream.id, &stream, plan, &mut unfit).await?;
        // I9: stopped half-way, neither the old mapping nor this one is what all records follow.
        let mut tx = context.begin().await?;
        let unfinished = format!("{key}-{UNFINISHED}");
        tx.set_stream_digest(stream.id, &unfinished).await?;
        tx.commit().await?;
        total += map_stored(context, &stream, plan, Which::All).await?;
        let mut tx = context.begin().await?;
        tx.set_stream_digest(stream.id, &plan.digest).await?;
        tx.commit().await?;
    }
    Ok(total)
}

/// Maps all stored records of a source, or of one of its streams, again. What is stopped half-way is done by the next run.
pub async fn map_again(context: &Context, source: &Source, stream: Option<&str>) -> Result<i64> {
    announce(context).await?;
    let Some(lease) = lease::wait_to_read(context, &source.name).await? else {
        return Err(lease::cancelled());
    };
    let fenced = lease.fencing(context);
    let mapped = async {
        let known = fenced.store.read().await?.streams().await?;
        let is_meant = |plan: &&Stream| stream.is_none_or(|name| *plan.name == *name);
        for plan in source.streams.iter().filter(is_meant) {
            let rows = known.iter();
            let mut of = rows.filter(|row| *row.source == *source.name && *row.name == *plan.name);
            if let Some(row) = of.next().filter(|row| row.digest == plan.digest) {
                let unfinished = format!("{}-{UNFINISHED}", Stream::key_digest(&plan.digest));
                let mut tx = fenced.begin().await?;
                tx.set_stream_digest(row.id, &unfinished).await?;
                tx.commit().await?;
            }
        }
        remap(&fenced, source).await
    };
    let mapped = mapped.await;
    lease.over(mapped).await
}

/// Maps records with open dead letters again. Returns how many.
pub async fn retry_set_aside(context: &Context) -> Result<i64> {
    announce(context).await?;
    let mut total = 0;
    for source in &context.plan.sources {
        let Some(lease) = lease::wait_to_read(context, &source.name).await? else {
            break;
        };
        let mapped = match retry_held(&lease.fencing(context), source).await {
            // Its records stay as they are; those of other sources are tried.
            Err(problem) if problem.code == &TOO_MANY_UNFIT => {
                tracing::warn!(source = %source.name, "{problem}");
                Ok(0)
            }
            other => other,
        };
        total += lease.over(mapped).await?;
    }
    Ok(total)
}

async fn retry_held(context: &Context, source: &Source) -> Result<i64> {
    // Where the mapping changed, all records follow the new one first.
    remap(context, source).await?;
    let known = context.store.read().await?.streams().await?;
    let mut total = 0;
    for plan in &source.streams {
        let row = known
            .iter()
            .find(|row| *row.source == *source.name && *row.name == *plan.name);
        let Some(row) = row else { continue };
        let stream = StreamRef::from(row);
        total += map_stored(context, &stream, plan, Which::WithLetters).await?;
    }
    Ok(total)
}

/// Stops before anything of a stream is mapped again by a mapping under which too much of what fitted does not fit.
async fn would_fit(
    context: &Context,
    from: i64,
    stream: &StreamRef,
    plan: &Stream,
    unfit: &mut Unfit,
) -> Result<()> {
    if !unfit.is_asked() {
        return Ok(());
    }
    let mut after = -1;
    let mut tx = context.store.read().await?;
    loop {
        let rows = tx.records_of_stream(from, after, RECORDS).await?;
        let Some(last) = rows.last() else {
            return unfit.answer(stream);
        };
        after = last.row.slot;
        let slots: Vec<i64> = rows.iter().map(|one| one.row.slot).collect();
        let known: FxHashSet<i64> = tx.with_letters(&slots).await?.into_iter().collect();
        for stored in rows {
            let (_, problems) = match known.contains(&stored.row.slot) {
                true => (None, Vec::new()),
                false => meaning_of(context, stream, plan, &stored),
            };
            unfit.count(&problems);
        }
    }
}

/// I17: a stored record that cannot be read is set aside, as when it arrives.
pub fn meaning_of(
    context: &Context,
    stream: &StreamRef,
    plan: &Stream,
    stored: &StoredRecord,
) -> (Option<Meaning>, Vec<Problem>) {
    let body = &stored.body;
    let (mut meaning, problems) = match canonical::key_of_line(plan, &stream.source, body) {
        Ok(key) => mapped(stream, plan, context, &key, body),
        Err(problem) => (None, vec![problem]),
    };
    if let Some(meaning) = &mut meaning {
        meaning.keep_time(plan, stored.changed_at.map(Timestamp));
    }
    (meaning, problems)
}

async fn map_stored(
    context: &Context,
    stream: &StreamRef,
    plan: &Stream,
    which: Which,
) -> Result<i64> {
    let mut after = -1;
    let mut total = 0;
    loop {
        let mut tx = context.begin().await?;
        let rows = match which {
            Which::All => tx.records_of_stream(stream.id, after, RECORDS).await?,
            Which::WithLetters => tx.records_with_letters(stream.id, after, RECORDS).await?,
        };
        let Some(last) = rows.last() else {
            return Ok(total);
        };
        after = last.row.slot;
        total += rows.len() as i64;
        let slots: Vec<i64> = rows.iter().map(|one| one.row.slot).collect();
        let mut changes = Vec::with_capacity(rows.len());
        for stored in rows {
            let (meaning, problems) = meaning_of(context, stream, plan, &stored);
            let (record, effect) = (stored.row, stored.effect);
            let put = Put {
                hash: record.hash,
                body: None,
                effect,
                meaning,
                problems,
            };
            changes.push(Change {
                slot: record.slot,
                key: record.key.clone(),
                prior: Some(record),
                passed: Vec::new(),
                to: To::Put(Box::new(put)),
            });
        }
        apply(&mut tx, context, stream, changes).await?;
        tx.leave_given_up(&slots).await?;
        tx.commit().await?;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

    use super::*;
    use crate::flow::commit::views::traits_of;
    use crate::flow::harness::World;
    use crate::flow::upkeep::due::evaluate_everybody;
    use crate::store::{DeadLetterRow, RecordState};

    const CONTACTS: (&str, &str) = ("crm", "contacts");

    fn manifest(key: &str, name: &str) -> String {
        format!(
            "[hub]\nname = \"test\"\nstore = \"sqlite:unused.db\"\n[[source]]\nname = \"crm\"\nconnector = \"any\"\n\
             [[source.stream]]\nname = \"contacts\"\nto = \"person\"\nkey = \"{key}\"\nmap.email = \"email\"\nmap.name = \"{name}\"\n"
        )
    }

    /// Each open dead letter as `kind code field`, and the records by state.
    async fn state(world: &World) -> (Vec<String>, [usize; 3]) {
        let mut tx = world.context.store.read().await.unwrap();
        let letters = tx.dead_letters(false, 100).await.unwrap();
        let shown = |one: &DeadLetterRow| {
            assert_eq!((&*one.source, &*one.stream), CONTACTS);
            assert!(!one.message.contains("ada@"), "{}", one.message);
            format!("{} {} {}", one.kind, one.code, one.field)
        };
        let mut letters: Vec<String> = letters.iter().map(shown).collect();
        letters.sort();
        let stream = tx.streams().await.unwrap().pop().unwrap();
        let heads = tx.record_heads(stream.id, -1, 100).await.unwrap();
        let count = |state| heads.iter().filter(|one| one.state == state).count();
        let states = [
            RecordState::Live,
            RecordState::SetAside,
            RecordState::Deleted,
        ];
        (letters, states.map(count))
    }

    async fn names(world: &World) -> Vec<String> {
        let mut tx = world.context.store.read().await.unwrap();
        let rows = tx.persons_after(0, 100).await.unwrap();
        let mut names: Vec<String> = rows
            .iter()
            .map(|row| traits_of(row).unwrap().remove("name").unwrap_or_default())
            .map(|name| name.as_str().unwrap_or("-").to_owned())
            .collect();
        names.sort();
        names
    }

    /// Lines as no vendor should send them, and one as it should.
    const LINES: [&str; 9] = [
        r#"{"id":"1","part":"a","email":"ada@example.com","name":"Ada"}"#,
        r#"{"id":"2","part":"a","email":"ida@example.com","name":"Ida \ud83d"}"#,
        r#"{"id":"3","part":"a","email":"eda\ud83d@example.com","name":"Eda"}"#,
        r#"{"id":"4\ud83d","part":"a","name":"Oda"}"#,
        r#"{"id":"5","part":"a","name":1e999}"#,
        r#"{"id":"6","part":"a","name":"Uda""#,
        "not json",
        "7",
        r#"{"id":"8","part":"a","unread":"\udc00","name":"Una"}"#,
    ];

    // I10, I17
    #[tokio::test]
    async fn lines_that_cannot_be_read_are_set_aside_and_stop_neither_a_retry_nor_a_new_mapping() {
        // The second key is not one that is found at a glance.
        for key in ["id", "id ~ '/' ~ part"] {
            let mut world = World::new(&manifest(key, "name"), &[CONTACTS], 1_000).await;
            world.apply(CONTACTS, &LINES, &[]).await;
            let expected = [
                "field OF0510 email",
                "field OF0510 name",
                "field OF0510 name",
                "record OF0501 key",
                "record OF0501 key",
                "record OF0590 ",
                "record OF0590 ",
            ];
            let expected = (expected.map(str::to_owned).to_vec(), [5, 4, 0]);
            assert_eq!(state(&world).await, expected, "{key}");
            let known = ["-", "Ada", "Eda", "Ida \u{fffd}", "Una"];
            assert_eq!(names(&world).await, known);

            assert_eq!(retry_set_aside(&world.context).await.unwrap(), 7);
            assert_eq!(state(&world).await, expected, "{key}");
            world
                .reread(&manifest(key, "name | upper"), &[CONTACTS])
                .await;
            let source = &world.context.plan.sources[0];
            assert_eq!(remap(&world.context, source).await.unwrap(), 9);
            assert_eq!(state(&world).await, expected, "{key}");
            let known = ["-", "ADA", "EDA", "IDA \u{fffd}", "UNA"];
            assert_eq!(names(&world).await, known);

            // The vendor mends them.
            let mended = [
                r#"{"id":"2","part":"a","email":"ida@example.com","name":"Ida B"}"#,
                r#"{"id":"5","part":"a","name":"Elf"}"#,
            ];
            world.apply(CONTACTS, &mended, &[]).await;
            assert!(names(&world).await.contains(&"IDA B".to_owned()));
        }
    }

    #[tokio::test]
    async fn a_stored_row_that_cannot_be_read_is_an_error_and_is_not_written_over() {
        for (damage, column) in [
            ("update claim set body = '{'", "claim.body"),
            ("update identifier set kind = 'nothing'", "identifier.kind"),
        ] {
            let world = World::new(&manifest("id", "name"), &[CONTACTS], 1_000).await;
            world.apply(CONTACTS, &[LINES[0]], &[]).await;
            let mut tx = world.context.store.begin().await.unwrap();
            tx.damage(damage).await;
            tx.commit().await.unwrap();
            let before = names(&world).await;
            let second = r#"{"id":"9","part":"a","email":"ada@example.com","name":"Countess"}"#;
            let problem = world.try_apply(CONTACTS, &[second], &[]).await.unwrap_err();
            assert_eq!(problem.code.id, "OF0802", "{problem:?}");
            assert!(problem.message.contains(column), "{problem:?}");
            assert_eq!(names(&world).await, before);
        }
        let world = World::new(&manifest("id", "name"), &[CONTACTS], 1_000).await;
        world.apply(CONTACTS, &[LINES[0]], &[]).await;
        let mut tx = world.context.store.begin().await.unwrap();
        tx.damage("update person set traits = '[]'").await;
        tx.commit().await.unwrap();
        let problem = evaluate_everybody(&world.context, &|_, _| {})
            .await
            .unwrap_err();
        assert_eq!(problem.code.id, "OF0802", "{problem:?}");
        let problem = crate::flow::upkeep::rebuild::rebuild(&world.context)
            .await
            .unwrap_err();
        assert_eq!(problem.code.id, "OF0802", "{problem:?}");
        let mut tx = world.context.store.read().await.unwrap();
        assert_eq!(tx.persons_after(0, 1).await.unwrap()[0].traits, "[]");
    }
}
