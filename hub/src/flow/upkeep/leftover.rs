//! Records of sources and streams that were taken out of the manifests: nothing updates them, and what they say still counts
//! until an operator removes them.

use crate::flow::commit::apply::apply;
use crate::flow::commit::change::{Change, To};
use crate::flow::commit::stream::StreamRef;
use crate::flow::context::{Context, UNFINISHED};
use crate::flow::facts::Relating;
use crate::flow::lease;
use crate::manifest::{Plan, Stream};
use crate::problem::codes::{NOT_FOUND, SOURCE_GONE};
use crate::problem::{Problem, Severity};
use crate::store::{Result, StreamRow, Tx};
use serde::Serialize;

/// Records that one transaction removes.
const RECORDS: i64 = 5_000;

/// What is left of a stream that the manifests do not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Leftover {
    pub source: String,
    pub stream: String,
    pub records: i64,
    /// What was sent for it and is not a record yet.
    pub messages: i64,
    /// Whether the manifests still have the source, with other streams.
    #[serde(skip)]
    source_stays: bool,
}

impl Leftover {
    fn of(plan: &Plan, source: String, stream: String) -> Self {
        Self {
            source_stays: plan.sources.iter().any(|one| *one.name == source),
            source,
            stream,
            records: 0,
            messages: 0,
        }
    }

    /// `2 records and 1 message`
    pub fn amount(&self) -> String {
        let some = |count: i64, one: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {one}s"),
        };
        let records = some(self.records, "record");
        match (self.records, self.messages) {
            (_, 0) => records,
            (0, messages) => some(messages, "waiting message"),
            (_, messages) => format!("{records} and {}", some(messages, "waiting message")),
        }
    }
}

/// Streams with records, or messages that wait, that the manifests do not have. Counts records only of such streams.
pub async fn leftovers(tx: &mut Tx, plan: &Plan) -> Result<Vec<Leftover>> {
    let mut found: Vec<Leftover> = Vec::new();
    for row in gone(tx, plan).await? {
        let records = tx.record_count(row.id).await?;
        match found.last_mut() {
            Some(last) if last.source == row.source && last.stream == row.name => {
                last.records += records;
            }
            _ => found.push(Leftover {
                records,
                ..Leftover::of(plan, row.source, row.name)
            }),
        }
    }
    let waiting = tx.messages_waiting().await?.into_iter();
    for (source, stream, messages) in waiting.filter(|one| !has(plan, &one.0, &one.1)) {
        let known = |one: &&mut Leftover| one.source == source && one.stream == stream;
        match found.iter_mut().find(known) {
            Some(one) => one.messages = messages,
            None => found.push(Leftover {
                messages,
                ..Leftover::of(plan, source, stream)
            }),
        }
    }
    found.retain(|one| one.records > 0 || one.messages > 0);
    Ok(found)
}

/// One warning for each.
pub fn warnings(leftovers: &[Leftover]) -> Vec<Problem> {
    leftovers.iter().map(warning).collect()
}

fn warning(left: &Leftover) -> Problem {
    let Leftover { source, stream, .. } = left;
    let what = left.amount();
    let (gone, command) = match left.source_stays {
        true => (
            format!("the stream `{stream}` of source `{source}`"),
            format!("onefold source remove {source} --stream {stream}"),
        ),
        false => (
            format!("source `{source}`"),
            format!("onefold source remove {source}"),
        ),
    };
    let message = format!(
        "{gone} is not in the manifests, and the hub still holds {what} of `{stream}`: what they say counts, and nothing updates them"
    );
    let mut problem = Problem::new(&SOURCE_GONE, message).hint(format!(
        "put it back, or remove its records and what follows from them with `{command}`"
    ));
    problem.severity = Severity::Warning;
    problem
}

/// Generations of streams that the manifests do not have and that were not emptied.
async fn gone(tx: &mut Tx, plan: &Plan) -> Result<Vec<StreamRow>> {
    let mut rows = all_gone(tx, plan).await?;
    rows.retain(|row| row.digest != StreamRow::EMPTIED);
    Ok(rows)
}

async fn all_gone(tx: &mut Tx, plan: &Plan) -> Result<Vec<StreamRow>> {
    let mut rows = tx.stream_generations().await?;
    rows.retain(|row| !has(plan, &row.source, &row.name));
    Ok(rows)
}

fn has(plan: &Plan, source: &str, stream: &str) -> bool {
    let mut sources = plan.sources.iter().filter(|one| *one.name == *source);
    sources.any(|source| source.streams.iter().any(|one| *one.name == *stream))
}

/// What `remove` would remove. Refuses what the manifests still have.
pub async fn removable(
    context: &Context,
    source: &str,
    stream: Option<&str>,
) -> Result<Vec<Leftover>> {
    let is_meant =
        |one: &Leftover| one.source == source && stream.is_none_or(|stream| one.stream == stream);
    let mut tx = context.store.read().await?;
    let mut left = leftovers(&mut tx, &context.plan).await?;
    left.retain(is_meant);
    if !left.is_empty() {
        return Ok(left);
    }
    let what = match stream {
        Some(stream) => format!("stream `{stream}` of source `{source}`"),
        None => format!("source `{source}`"),
    };
    let mut sources = context.plan.sources.iter();
    let in_use = sources.any(|one| {
        *one.name == *source && stream.is_none_or(|stream| has(&context.plan, source, stream))
    });
    Err(match in_use {
        true => Problem::new(&NOT_FOUND, format!("{what} is in the manifests"))
            .hint("take it out of the manifests first; what is there would be read again"),
        false => Problem::new(&NOT_FOUND, format!("the hub holds no records of {what}"))
            .hint("`onefold status` lists what is left of sources that are not in the manifests"),
    })
}

/// Removes the records of one that `removable` returned, as if the vendor had deleted them. Before each transaction `go_on` is
/// called with how many were removed so far, and false stops it; the next call removes the rest. Returns how many were removed.
pub async fn remove(
    context: &Context,
    left: &Leftover,
    go_on: &(dyn Fn(i64) -> bool + Sync),
) -> Result<i64> {
    let Some(lease) = lease::wait_to_read(context, &left.source).await? else {
        return Ok(0);
    };
    let removed = remove_held(lease.fencing(context), left, go_on).await;
    lease.over(removed).await
}

async fn remove_held(
    mut context: Context,
    left: &Leftover,
    go_on: &(dyn Fn(i64) -> bool + Sync),
) -> Result<i64> {
    // People who have an account through these records lose it, even if no stream names accounts any more.
    context.relating = Relating {
        people: true,
        events: true,
    };
    let rows = gone(&mut context.store.read().await?, &context.plan).await?;
    let mut removed = 0;
    for row in rows {
        if row.source != left.source || row.name != left.stream {
            continue;
        }
        let stream = StreamRef::from(&row);
        let mut after = -1;
        loop {
            if !go_on(removed) {
                return Ok(removed);
            }
            let mut tx = context.begin().await?;
            let heads = tx.record_heads(row.id, after, RECORDS).await?;
            let Some(last) = heads.last() else {
                tx.clear_cursors(row.id).await?;
                tx.set_stream_digest(row.id, StreamRow::EMPTIED).await?;
                tx.commit().await?;
                break;
            };
            if after < 0 {
                // Stopped anywhere from here on and put back, it is read from its start.
                let unfinished = format!("{}-{UNFINISHED}", Stream::key_digest(&row.digest));
                tx.clear_cursors(row.id).await?;
                tx.set_stream_digest(row.id, &unfinished).await?;
            }
            after = last.slot;
            removed += heads.len() as i64;
            let deleted = heads.into_iter().map(|head| Change {
                slot: head.slot,
                key: head.key.clone(),
                prior: Some(head),
                passed: Vec::new(),
                to: To::Deleted,
            });
            apply(&mut tx, &context, &stream, deleted.collect()).await?;
            tx.commit().await?;
        }
    }
    loop {
        let mut tx = context.begin().await?;
        let gone = tx.remove_messages(&left.source, &left.stream, RECORDS);
        let is_last = gone.await? < RECORDS.unsigned_abs();
        tx.commit().await?;
        if is_last {
            return Ok(removed);
        }
    }
}

/// Deletes what is kept of the records of one that `remove` emptied: every version of them, their keys, and letters about them.
pub async fn erase(context: &Context, left: &Leftover) -> Result<()> {
    let Some(lease) = lease::wait_to_read(context, &left.source).await? else {
        return Err(lease::cancelled());
    };
    let fenced = lease.fencing(context);
    let erased = async {
        let mut tx = fenced.begin().await?;
        for row in all_gone(&mut tx, &context.plan).await? {
            if row.source == left.source && row.name == left.stream {
                tx.erase_records(row.id).await?;
            }
        }
        tx.erase_letters(&left.source, &left.stream).await?;
        tx.commit().await
    };
    let erased = erased.await;
    lease.over(erased).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

    use super::*;
    use crate::flow::harness::World;
    use crate::manifest::Subject;
    use serde_json::{Value, json};

    const CONTACTS: (&str, &str) = ("crm", "contacts");
    const COMPANIES: (&str, &str) = ("crm", "companies");
    const USERS: (&str, &str) = ("app", "users");
    const STREAMS: [(&str, &str); 3] = [CONTACTS, COMPANIES, USERS];

    /// With these streams of the CRM, and the app.
    fn manifest(streams: &[&str]) -> String {
        let person = "to = \"person\"\nkey = \"id\"\nmap.email = \"email\"\nmap.name = \"name\"\nmap.account_id = \"company\"\n";
        let mut text = "[hub]\nname = \"test\"\nstore = \"sqlite:unused.db\"\n".to_owned();
        if !streams.is_empty() {
            text += "[[source]]\nname = \"crm\"\nconnector = \"any\"\n";
        }
        for name in streams {
            text += &format!("[[source.stream]]\nname = \"{name}\"\n");
            text += match *name {
                "contacts" => person,
                _ => "to = \"account\"\nkey = \"id\"\nmap.plan = \"name\"\n",
            };
        }
        text += "[[source]]\nname = \"app\"\nconnector = \"any\"\n[[source.stream]]\nname = \"users\"\n";
        text += &person.replace("map.account_id = \"company\"\n", "");
        text += "[[audience]]\nname = \"known\"\nwho = { trait = \"name\", exists = true }\n";
        text + "[[destination]]\nname = \"mail\"\nconnector = \"any\"\nconsent = []\naudiences = [\"known\"]\n"
    }

    fn row(id: &str, email: &str) -> Value {
        json!({ "id": id, "email": format!("{email}@example.com"), "name": email, "company": "7" })
    }

    async fn world() -> World {
        let world = World::new(&manifest(&["contacts", "companies"]), &STREAMS, 1_000).await;
        world
            .apply(CONTACTS, &[row("1", "ada"), row("2", "ida")], &[])
            .await;
        world.apply(COMPANIES, &[row("7", "acme")], &[]).await;
        world.apply(USERS, &[row("9", "ada")], &[]).await;
        world
    }

    async fn left(world: &World) -> Vec<Leftover> {
        let mut tx = world.context.store.read().await.unwrap();
        leftovers(&mut tx, &world.context.plan).await.unwrap()
    }

    /// Everything that is stored of people and accounts, but for what was.
    async fn shown(world: &World) -> Vec<String> {
        let mut tx = world.context.store.read().await.unwrap();
        let mut all = Vec::new();
        for person in tx.persons_after(0, 100).await.unwrap() {
            let accounts = tx.relations_of([person.id]).await.unwrap().len();
            let wanted = tx.wanted_of([person.id]).await.unwrap().len();
            all.push(format!("{} {accounts} {wanted}", person.traits));
        }
        for (account, people) in tx.accounts_after("", 100).await.unwrap() {
            all.push(format!("{} {} {people}", account.id, account.traits));
        }
        let size = tx.member_count(Subject::Person, "known").await.unwrap();
        let counts = tx.status_counts().await.unwrap();
        all.push(format!(
            "{size} members, {} people, {} records",
            counts.people, counts.records
        ));
        all
    }

    #[tokio::test]
    async fn a_source_that_was_taken_out_is_reported_and_removed_with_what_follows_from_it() {
        let mut world = world().await;
        assert_eq!(left(&world).await, []);
        let kept = removable(&world.context, "crm", None).await.unwrap_err();
        assert_eq!(kept.message, "source `crm` is in the manifests");

        world.reread(&manifest(&[]), &STREAMS).await;
        let found = left(&world).await;
        let counts: Vec<(&str, i64)> = found
            .iter()
            .map(|one| (&*one.stream, one.records))
            .collect();
        assert_eq!(counts, [("companies", 1), ("contacts", 2)]);
        let warning = warnings(&found).pop().unwrap();
        assert_eq!(
            (warning.code.id, warning.severity),
            ("OF0512", Severity::Warning)
        );
        assert!(
            warning.message.contains("still holds 2 records"),
            "{warning:?}"
        );
        assert!(
            warning
                .hint
                .unwrap()
                .contains("`onefold source remove crm`")
        );

        for one in removable(&world.context, "crm", None).await.unwrap() {
            assert_eq!(
                remove(&world.context, &one, &|_| true).await.unwrap(),
                one.records
            );
        }
        let fresh = World::new(&manifest(&[]), &STREAMS, 1_000).await;
        fresh.apply(USERS, &[row("9", "ada")], &[]).await;
        assert_eq!(shown(&world).await, shown(&fresh).await);
        assert_eq!(left(&world).await, []);
        let nothing = removable(&world.context, "crm", None).await.unwrap_err();
        assert_eq!(nothing.message, "the hub holds no records of source `crm`");

        // Put back, it is read as if it were new.
        world
            .reread(&manifest(&["contacts", "companies"]), &STREAMS)
            .await;
        let source = &world.context.plan.sources[0];
        crate::flow::upkeep::remap::remap(&world.context, source)
            .await
            .unwrap();
        world
            .apply(CONTACTS, &[row("1", "ada"), row("2", "ida")], &[])
            .await;
        let all = shown(&world).await;
        assert!(
            all.last()
                .unwrap()
                .starts_with("2 members, 2 people, 3 records"),
            "{all:?}"
        );
    }

    #[tokio::test]
    async fn what_waits_for_a_source_that_was_taken_out_is_reported_and_removed() {
        let mut world = world().await;
        let messages = (0..3).map(|id| crate::flow::Incoming {
            stream: "contacts".into(),
            id: id.to_string(),
            hash: 0,
            removes: false,
            body: row("3", "eve").to_string().into_bytes(),
        });
        let receiver = crate::flow::Receiver::start(&world.context);
        let taken = receiver.take(&"crm".into(), messages.collect()).await;
        assert_eq!(taken.unwrap().stored, 3);
        assert_eq!(left(&world).await, []);
        world.reread(&manifest(&["companies"]), &STREAMS).await;
        let found = left(&world).await;
        assert_eq!(found[0].amount(), "2 records and 3 waiting messages");
        remove(&world.context, &found[0], &|_| true).await.unwrap();
        assert_eq!(left(&world).await, []);
        let mut tx = world.context.store.read().await.unwrap();
        assert_eq!(tx.inbox_counts("crm").await.unwrap(), (0, None));
    }

    #[tokio::test]
    async fn one_stream_goes_alone_and_a_stopped_removal_goes_on() {
        let mut world = world().await;
        world.reread(&manifest(&["companies"]), &STREAMS).await;
        let found = left(&world).await;
        assert_eq!(found.len(), 1);
        let hint = warnings(&found)[0].hint.clone().unwrap();
        assert!(
            hint.contains("`onefold source remove crm --stream contacts`"),
            "{hint}"
        );
        let kept = removable(&world.context, "crm", Some("companies"))
            .await
            .unwrap_err();
        assert!(kept.message.ends_with("is in the manifests"), "{kept:?}");
        assert_eq!(
            remove(&world.context, &found[0], &|_| false).await.unwrap(),
            0
        );
        assert_eq!(left(&world).await, found);
        // Stopped after the records, before that was noted.
        let removed = remove(&world.context, &found[0], &|removed| removed == 0)
            .await
            .unwrap();
        assert_eq!((removed, left(&world).await), (2, Vec::new()));
        let all = shown(&world).await;
        assert!(
            all.last()
                .unwrap()
                .starts_with("1 members, 1 people, 2 records"),
            "{all:?}"
        );
    }
}
