//! One dead letter: what it is about, and what an operator decides about it.

use crate::canonical::{self, Edit};
use crate::flow::commit::apply::apply;
use crate::flow::commit::change::{Change, Put, To};
use crate::flow::commit::stream::StreamRef;
use crate::flow::context::Context;
use crate::flow::lease;
use crate::flow::upkeep::announce::announce;
use crate::flow::upkeep::remap::{meaning_of, remap};
use crate::manifest::Stream;
use crate::problem::Problem;
use crate::problem::codes::{LETTER_ENDED, NOT_CORRECTED, NOT_FOUND};
use crate::store::{
    DeadLetterRow, Decision, Effect, LetterState, Looked, RecordRow, Result, StoredRecord,
    StreamRow, Tx,
};
use bytes::Bytes;

/// A dead letter and what it is about.
#[derive(Debug)]
pub struct Letter {
    pub row: DeadLetterRow,
    pub about: About,
}

#[derive(Debug)]
pub enum About {
    Record {
        /// The version that did not fit, as the vendor sent it.
        received: Option<Vec<u8>>,
        /// The version that counts now, when it is another one.
        now: Option<Vec<u8>>,
        /// The expression that fills the field, and the paths that it reads.
        expression: Option<(String, Vec<String>)>,
    },
    Row {
        /// What the destination should have, as JSON: none where it should have nothing any more.
        wanted: Option<String>,
    },
}

/// What replaces a record's body.
#[derive(Debug)]
pub enum Correction {
    Edits(Vec<Edit>),
    Whole(Vec<u8>),
}

pub async fn letter(context: &Context, id: i64) -> Result<Letter> {
    let mut tx = context.store.read().await?;
    let row = find(&mut tx, id).await?;
    if let Some(looked) = change_of(&row) {
        let wanted = tx.wanted_by(looked.change).await?.flatten();
        let about = About::Row { wanted };
        return Ok(Letter { row, about });
    }
    let now = tx.stored_record(row.slot).await?;
    let now = now.filter(|stored| stored.row.version_id != row.version);
    let now = now.map(|stored| stored.body);
    let mut received = tx.bodies([row.version]).await?;
    let received = received.pop().map(|(_, body)| body);
    let plan = stream_of(context, &row);
    let expression = plan.and_then(|plan| expression_of(plan, &row.field));
    let about = About::Record {
        received,
        now,
        expression,
    };
    Ok(Letter { row, about })
}

/// Puts a corrected body in the place of a record's, until the vendor sends another version. Refuses what does not fit either.
pub async fn correct(
    context: &Context,
    id: i64,
    correction: &Correction,
    decision: &Decision,
) -> Result<()> {
    on_record(context, id, async |context, letter| {
        let mut tx = context.begin().await?;
        let (stream, plan, mut stored) = current(&mut tx, context, letter).await?;
        refuse_in_full_read(&mut tx, letter, stream.id).await?;
        let new = corrected(correction, &stored.body).map_err(|why| refused(letter, &why))?;
        let key = canonical::key_of_line(plan, &stream.source, &new);
        if key.ok().as_ref() != Some(&stored.row.key) {
            let why = "its key would change, and the vendor's record would stay as it is";
            return Err(refused(letter, why));
        }
        stored.body = new;
        let (meaning, problems) = meaning_of(context, &stream, plan, &stored);
        let is_same = |problem: &&Problem| problem.field() == letter.field;
        let left = problems.iter().find(is_same);
        if let Some(problem) = left.or(problems.first().filter(|_| meaning.is_none())) {
            return Err(refused(letter, &problem.message));
        }
        let put = Put {
            hash: stored.row.hash,
            body: Some(Bytes::from(stored.body)),
            effect: Effect::Corrected,
            meaning,
            problems,
        };
        // Before its letters are closed.
        if !tx
            .decide_dead_letter(id, LetterState::Corrected, decision)
            .await?
        {
            return Err(ended(letter));
        }
        put_one(&mut tx, context, &stream, stored.row, put).await?;
        tx.commit().await
    })
    .await
}

/// What came of trying one dead letter again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RetriedOne {
    Fits,
    DoesNotFit,
    /// By the next run.
    WillBeSent,
}

/// Maps one record again, or marks one row to be sent again.
pub async fn retry_one(context: &Context, id: i64) -> Result<RetriedOne> {
    let row = find(&mut context.store.read().await?, id).await?;
    if let Some(looked) = change_of(&row) {
        let mut tx = context.begin().await?;
        if row.state != LetterState::Open || !tx.retry_change(looked).await? {
            return Err(ended(&row));
        }
        tx.commit().await?;
        return Ok(RetriedOne::WillBeSent);
    }
    on_record(context, id, async |context, letter| {
        let mut tx = context.begin().await?;
        let (stream, plan, stored) = current(&mut tx, context, letter).await?;
        let (meaning, problems) = meaning_of(context, &stream, plan, &stored);
        let is_same = |one: &Problem| one.code.id == letter.code && one.field() == letter.field;
        let again = problems.iter().any(is_same);
        let put = Put {
            hash: stored.row.hash,
            body: None,
            effect: stored.effect,
            meaning,
            problems,
        };
        put_one(&mut tx, context, &stream, stored.row, put).await?;
        tx.commit().await?;
        Ok(match again {
            true => RetriedOne::DoesNotFit,
            false => RetriedOne::Fits,
        })
    })
    .await
}

/// Leaves a record or row as it is: it is no open dead letter any more, until there is another version of it.
pub async fn give_up(context: &Context, id: i64, decision: &Decision) -> Result<()> {
    let mut tx = context.begin().await?;
    let row = find(&mut tx, id).await?;
    if let Some(looked) = change_of(&row)
        && row.state == LetterState::Open
        && !tx.is_rejected(looked).await?
    {
        return Err(ended(&row));
    }
    if !tx
        .decide_dead_letter(id, LetterState::GivenUp, decision)
        .await?
    {
        return Err(ended(&row));
    }
    tx.commit().await
}

/// Does something with the record of an open dead letter while nobody else reads its source, by the current mapping.
async fn on_record<T>(
    context: &Context,
    id: i64,
    work: impl AsyncFnOnce(&Context, &DeadLetterRow) -> Result<T>,
) -> Result<T> {
    let row = find(&mut context.store.read().await?, id).await?;
    if row.state != LetterState::Open {
        return Err(ended(&row));
    }
    if row.kind == "delivery" {
        let why = "it is about a row that the hub made of a profile: correct the record or the mapping that it comes from";
        return Err(refused(&row, why));
    }
    let sources = &context.plan.sources;
    let Some(source) = sources.iter().find(|one| *one.name == *row.source) else {
        return Err(ended(&row));
    };
    announce(context).await?;
    let lease = lease::wait_to_read(context, &source.name).await?;
    let lease = lease.ok_or_else(lease::cancelled)?;
    let fenced = lease.fencing(context);
    let done = async {
        // Where the mapping changed, all records follow the new one first; that may have closed this one.
        remap(&fenced, source).await?;
        let row = find(&mut context.store.read().await?, id).await?;
        if row.state != LetterState::Open {
            return Err(ended(&row));
        }
        work(&fenced, &row).await
    };
    let done = done.await;
    lease.over(done).await
}

/// The record of a dead letter in the version that the letter is about.
async fn current<'p>(
    tx: &mut Tx,
    context: &'p Context,
    letter: &DeadLetterRow,
) -> Result<(StreamRef, &'p Stream, StoredRecord)> {
    let stored = tx.stored_record(letter.slot).await?;
    let stored = stored
        // One about a key that two records have is about whichever version counts.
        .filter(|stored| letter.version == 0 || stored.row.version_id == letter.version)
        .ok_or_else(|| ended(letter))?;
    let plan = stream_of(context, letter).ok_or_else(|| ended(letter))?;
    let rows = tx.stream_generations().await?;
    let row = rows.iter().find(|row| row.id == stored.row.stream_id);
    let stream = StreamRef::from(row.ok_or_else(|| ended(letter))?);
    Ok((stream, plan, stored))
}

/// A full read that was interrupted takes every version since it began for one that it has read.
async fn refuse_in_full_read(tx: &mut Tx, letter: &DeadLetterRow, stream: i64) -> Result<()> {
    let streams = tx.streams().await?;
    let mut streams = streams.iter().filter(|row| row.id == stream);
    let since = streams.next().and_then(|row| row.full_since);
    match since.is_some_and(|since| since != StreamRow::AGAIN) {
        true => Err(refused(
            letter,
            "a full read of its stream was interrupted: run it to its end first",
        )),
        false => Ok(()),
    }
}

async fn put_one(
    tx: &mut Tx,
    context: &Context,
    stream: &StreamRef,
    record: RecordRow,
    put: Put,
) -> Result<()> {
    let (slot, version) = (record.slot, record.version_id);
    let change = Change {
        slot,
        key: record.key.clone(),
        prior: Some(record),
        passed: Vec::new(),
        to: To::Put(Box::new(put)),
    };
    apply(tx, context, stream, vec![change]).await?;
    tx.go_on_given_up(slot, version).await?;
    tx.leave_given_up(&[slot]).await
}

fn corrected(correction: &Correction, old: &[u8]) -> std::result::Result<Vec<u8>, String> {
    match correction {
        Correction::Edits(edits) => {
            let line = std::str::from_utf8(old)
                .map_err(|_| "the record is not UTF-8; give it whole".to_owned())?;
            canonical::edited(line, edits).map(String::into_bytes)
        }
        // One line, as every stored version.
        Correction::Whole(body) => {
            let raw: &serde_json::value::RawValue =
                serde_json::from_slice(body).map_err(|error| {
                    let (line, column) = (error.line(), error.column());
                    format!("what was given is not JSON: line {line}, column {column}")
                })?;
            Ok(raw.get().replace(['\n', '\r'], " ").into_bytes())
        }
    }
}

async fn find(tx: &mut Tx, id: i64) -> Result<DeadLetterRow> {
    let found = tx.dead_letter(id).await?;
    found.ok_or_else(|| {
        Problem::new(&NOT_FOUND, format!("there is no dead letter {id}"))
            .hint("`onefold dead-letters list` shows each with its number")
    })
}

/// The change that a dead letter about a row is about.
fn change_of(row: &DeadLetterRow) -> Option<Looked> {
    (row.kind == "delivery").then_some(Looked {
        change: -row.slot,
        generation: row.version,
    })
}

fn stream_of<'p>(context: &'p Context, row: &DeadLetterRow) -> Option<&'p Stream> {
    let sources = context.plan.sources.iter();
    let mut sources = sources.filter(|source| *source.name == *row.source);
    let streams = &sources.next()?.streams;
    streams.iter().find(|stream| *stream.name == *row.stream)
}

fn expression_of(plan: &Stream, field: &str) -> Option<(String, Vec<String>)> {
    let times = [
        ("key", Some(&plan.key)),
        ("created_at", plan.created_at.as_ref()),
        ("updated_at", plan.updated_at.as_ref()),
    ];
    let mut named = times.into_iter().filter(|(name, _)| *name == field);
    let mut mapped = plan.map.iter().filter(|(name, _)| name == field);
    let found = named.next().and_then(|(_, found)| found);
    let found = found.or_else(|| mapped.next().map(|(_, expression)| expression))?;
    Some((found.text().to_owned(), found.reads().to_vec()))
}

fn refused(letter: &DeadLetterRow, why: &str) -> Problem {
    let message = format!(
        "dead letter {} cannot be corrected like this: {why}",
        letter.id
    );
    Problem::new(&NOT_CORRECTED, message).hint(format!(
        "`onefold dead-letters show {}` shows the record and the field",
        letter.id
    ))
}

fn ended(letter: &DeadLetterRow) -> Problem {
    let message = match letter.state {
        LetterState::Open if letter.kind == "delivery" => format!(
            "the row of dead letter {} is about to be sent again",
            letter.id
        ),
        LetterState::Open => format!(
            "dead letter {} is about a version that does not count any more",
            letter.id
        ),
        state => format!(
            "dead letter {} is not open, but {}",
            letter.id,
            spoken(state)
        ),
    };
    Problem::new(&LETTER_ENDED, message)
        .hint("`onefold dead-letters list` shows the ones that are open")
}

fn spoken(state: LetterState) -> &'static str {
    match state {
        LetterState::Open => "open",
        LetterState::Closed => "closed: its record or row was looked at again since",
        LetterState::Corrected => "corrected",
        LetterState::GivenUp => "given up",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

    use super::*;
    use crate::flow::commit::views::traits_of;
    use crate::flow::harness::World;
    use crate::flow::upkeep::remap::retry_set_aside;

    const CONTACTS: (&str, &str) = ("crm", "contacts");

    fn manifest(birthday: &str) -> String {
        format!(
            "[hub]\nname = \"test\"\nstore = \"sqlite:unused.db\"\n[[source]]\nname = \"crm\"\nconnector = \"any\"\n\
             [[source.stream]]\nname = \"contacts\"\nto = \"person\"\nkey = \"id\"\nupdated_at = \"at\"\nmap.email = \"email\"\n\
             map.birthday = \"{birthday}\"\n"
        )
    }

    async fn world() -> World {
        World::new(&manifest("p.born"), &[CONTACTS], 1_000).await
    }

    fn line(born: &str, at: &str) -> String {
        format!(
            r#"{{"id":"7","at":"{at}","email":"ada@example.com","p":{{"born":{born},"rest":12345678901234567890.10}}}}"#
        )
    }

    fn decision(reason: &str) -> Decision {
        Decision {
            at: 1_000,
            by: "ola".to_owned(),
            reason: reason.to_owned(),
        }
    }

    fn set(path: &str, value: &str) -> Correction {
        Correction::Edits(vec![Edit {
            path: Edit::path(path),
            value: Some(value.to_owned()),
        }])
    }

    /// Each dead letter that is open or decided, as `id state field`.
    async fn letters(world: &World) -> Vec<String> {
        let mut tx = world.context.store.read().await.unwrap();
        let mut rows = tx.dead_letters(true, 100).await.unwrap();
        rows.sort_by_key(|row| row.id);
        let shown = rows
            .iter()
            .map(|row| format!("{} {} {}", row.id, row.state.as_str(), row.field));
        shown.collect()
    }

    async fn birthday(world: &World) -> Option<String> {
        let mut tx = world.context.store.read().await.unwrap();
        let person = tx.persons_after(0, 100).await.unwrap().pop().unwrap();
        let traits = traits_of(&person).unwrap();
        Some(traits.get("birthday")?.as_str()?.to_owned())
    }

    #[tokio::test]
    async fn a_corrected_record_counts_until_the_vendor_sends_another_version() {
        let mut world = world().await;
        world
            .apply(CONTACTS, &[&line("\"32181\"", "2026-01-01")], &[])
            .await;
        assert_eq!(letters(&world).await, ["1 open birthday"]);
        assert_eq!(birthday(&world).await, None);

        // What does not fit either is refused, and nothing is stored.
        let wrong = correct(
            &world.context,
            1,
            &set("p.born", "12.05"),
            &decision("typo"),
        )
        .await;
        assert_eq!(wrong.unwrap_err().code.id, "OF0514");
        let key = correct(&world.context, 1, &set("id", "8"), &decision("typo")).await;
        let message = key.unwrap_err().message;
        assert!(message.contains("key would change"), "{message}");
        assert_eq!(letters(&world).await, ["1 open birthday"]);

        // Its time does not count against the vendor's later versions.
        let value = |path: &str, value: &str| Edit {
            path: Edit::path(path),
            value: Some(value.to_owned()),
        };
        let right = [value("p.born", "1988-02-08"), value("at", "2062-01-01")];
        let right = Correction::Edits(right.to_vec());
        correct(&world.context, 1, &right, &decision("she told us"))
            .await
            .unwrap();
        assert_eq!(letters(&world).await, ["1 corrected birthday"]);
        assert_eq!(birthday(&world).await.as_deref(), Some("1988-02-08"));
        let shown = letter(&world.context, 1).await.unwrap();
        assert_eq!(shown.row.decided, Some(decision("she told us")));
        let About::Record {
            received,
            now,
            expression,
        } = shown.about
        else {
            panic!("it is about a record");
        };
        assert_eq!(
            received.unwrap(),
            line("\"32181\"", "2026-01-01").into_bytes()
        );
        // What was not edited is as the vendor wrote it.
        let now = String::from_utf8(now.unwrap()).unwrap();
        assert!(
            now.contains(r#""p":{"born":"1988-02-08","rest":12345678901234567890.10}"#),
            "{now}"
        );
        let reads = vec!["p.born".to_owned()];
        assert_eq!(expression, Some(("p.born".to_owned(), reads)));

        // The same line again, another mapping, a rebuild: it stays.
        let again = line("\"32181\"", "2026-01-01");
        world.apply(CONTACTS, &[&again], &[]).await;
        assert_eq!(birthday(&world).await.as_deref(), Some("1988-02-08"));
        world.reread(&manifest("p.born | trim"), &[CONTACTS]).await;
        let source = &world.context.plan.sources[0];
        assert_eq!(remap(&world.context, source).await.unwrap(), 1);
        assert_eq!(birthday(&world).await.as_deref(), Some("1988-02-08"));
        assert_eq!(letters(&world).await, ["1 corrected birthday"]);

        // Another version is what the vendor says now.
        world
            .apply(CONTACTS, &[&line("\"88-02-08\"", "2026-01-02")], &[])
            .await;
        assert_eq!(
            letters(&world).await,
            ["1 corrected birthday", "2 open birthday"]
        );
        let gone = correct(&world.context, 1, &right, &decision("again")).await;
        assert_eq!(gone.unwrap_err().code.id, "OF0515");
    }

    #[tokio::test]
    async fn a_letter_that_was_given_up_stays_so_until_there_is_another_version() {
        let mut world = world().await;
        world
            .apply(CONTACTS, &[&line("38", "2026-01-01")], &[])
            .await;
        give_up(&world.context, 1, &decision("nobody knows"))
            .await
            .unwrap();
        let second = give_up(&world.context, 1, &decision("again")).await;
        assert_eq!(second.unwrap_err().code.id, "OF0515");
        assert_eq!(letters(&world).await, ["1 given_up birthday"]);
        assert_eq!(retry_set_aside(&world.context).await.unwrap(), 0);
        // Another mapping that does not help.
        world.reread(&manifest("p.born or none"), &[CONTACTS]).await;
        let source = &world.context.plan.sources[0];
        remap(&world.context, source).await.unwrap();
        assert_eq!(letters(&world).await, ["1 given_up birthday"]);
        // Another version with the same fault.
        world
            .apply(CONTACTS, &[&line("39", "2026-01-02")], &[])
            .await;
        assert_eq!(
            letters(&world).await,
            ["1 given_up birthday", "3 open birthday"]
        );
        let again = retry_one(&world.context, 3).await.unwrap();
        assert_eq!(again, RetriedOne::DoesNotFit);
        assert_eq!(
            letters(&world).await,
            ["1 given_up birthday", "4 open birthday"]
        );
        let none = retry_one(&world.context, 77).await.unwrap_err();
        assert_eq!(none.code.id, "OF0004");
    }

    #[tokio::test]
    async fn a_record_is_corrected_whole_and_not_without_a_key() {
        let world = world().await;
        let cut = r#"{"id":"7","email":"ada@example.com","p":{"born":1e999}}"#;
        let whole = br#"{"id":"7","at":"2026-01-01",
            "email":"ada@example.com"}"#;
        world.apply(CONTACTS, &[cut, "7"], &[]).await;
        assert_eq!(letters(&world).await, ["1 open birthday", "2 open key"]);
        let broken = Correction::Whole(b"{\"id\":\n7".to_vec());
        let broken = correct(&world.context, 1, &broken, &decision("x")).await;
        let message = broken.unwrap_err().message;
        assert!(message.contains("line 2, column 1"), "{message}");
        let whole = Correction::Whole(whole.to_vec());
        correct(&world.context, 1, &whole, &decision("cut off"))
            .await
            .unwrap();
        assert_eq!(
            letters(&world).await,
            ["1 corrected birthday", "2 open key"]
        );
        // Without a key there is nothing in whose place it could be.
        let keyless = correct(&world.context, 2, &whole, &decision("x")).await;
        assert_eq!(keyless.unwrap_err().code.id, "OF0514");
    }
}
