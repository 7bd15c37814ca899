//! New names of what manifests name, in every table that shows one. What the hub is worked out by keeps the first names: the
//! messages of evidence, kinds of identifiers, claims and statements (see `namespace`).

use super::query::get;
use super::value::Arg;
use super::{Result, Tx};

impl Tx {
    pub async fn rename_source(&mut self, from: &str, to: &str) -> Result<()> {
        self.each_renamed(
            &[
                "update stream set source = $2 where source = $1",
                "update run set source = $2 where source = $1",
                "update missed set source = $2 where source = $1",
                "update inbox set source = $2 where source = $1",
                "update sent set source = $2 where source = $1",
                "update pause set name = $2 where kind = 'source' and name = $1",
                "update dead_letter set source = $2 where source = $1 and kind <> 'delivery'",
            ],
            from,
            to,
        )
        .await?;
        self.rename_job(&format!("backfill {from}"), &format!("backfill {to}"))
            .await?;
        self.rename_job(&format!("read {from}"), &format!("read {to}"))
            .await
    }

    pub async fn rename_stream(&mut self, source: &str, from: &str, to: &str) -> Result<()> {
        for text in [
            "update stream set name = $2 where name = $1 and source = $3",
            "update run set stream = $2 where stream = $1 and source = $3",
            "update inbox set stream = $2 where stream = $1 and source = $3",
            "update dead_letter set stream = $2 where stream = $1 and source = $3 and kind <> 'delivery'",
        ] {
            let arguments = [Arg::Text(from), Arg::Text(to), Arg::Text(source)];
            self.run(text, &arguments).await?;
        }
        Ok(())
    }

    /// The people's own values follow when computed traits are worked out again.
    pub async fn rename_trait(&mut self, from: &str, to: &str) -> Result<()> {
        let texts = ["update trait_fault set trait = $2 where trait = $1"];
        self.each_renamed(&texts, from, to).await
    }

    pub async fn rename_destination(&mut self, from: &str, to: &str) -> Result<()> {
        self.each_renamed(
            &[
                "update wanted set destination = $2 where destination = $1",
                "update acknowledged set destination = $2 where destination = $1",
                "update change set destination = $2 where destination = $1",
                "update remote_audience set destination = $2 where destination = $1",
                "update destination set name = $2 where name = $1",
                "update pause set name = $2 where kind = 'destination' and name = $1",
                "update dead_letter set source = $2 where source = $1 and kind = 'delivery'",
                "update hub set name = 'checked ' || $2 where name = 'checked ' || $1",
            ],
            from,
            to,
        )
        .await?;
        self.rename_job(&format!("deliver {from}"), &format!("deliver {to}"))
            .await
    }

    async fn each_renamed(&mut self, texts: &[&'static str], from: &str, to: &str) -> Result<()> {
        for text in texts {
            self.run(*text, &[Arg::Text(from), Arg::Text(to)]).await?;
        }
        Ok(())
    }

    /// A process that holds it is one of the manifests before: what it does is over when its lease is.
    async fn rename_job(&mut self, from: &str, to: &str) -> Result<()> {
        self.run("delete from job where name = $1", &[Arg::Text(to)])
            .await?;
        let text = "update job set name = $2 where name = $1";
        self.run(text, &[Arg::Text(from), Arg::Text(to)]).await
    }

    /// Renamed sources, each with the name by which its ids and records are known.
    pub async fn namespaces(&mut self) -> Result<Vec<(String, String)>> {
        let text = "select source, name from namespace order by source";
        self.all(text, &[], |row| Ok((get(row, 0)?, get(row, 1)?)))
            .await
    }

    pub async fn set_namespaces(
        &mut self,
        namespaces: impl Iterator<Item = (&str, &str)> + Send,
    ) -> Result<()> {
        self.run("delete from namespace", &[]).await?;
        for (source, name) in namespaces {
            let text = "insert into namespace (source, name) values ($1, $2)";
            self.run(text, &[Arg::Text(source), Arg::Text(name)])
                .await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// Every column of text, with what it has to do with names of the manifests.
    const COLUMNS: &[(&str, &str)] = &[
        // Renamed here.
        ("stream.source", "source"),
        ("run.source", "source"),
        ("missed.source", "source"),
        ("inbox.source", "source"),
        ("sent.source", "source"),
        ("dead_letter.source", "source and destination"),
        ("pause.name", "source and destination"),
        ("job.name", "source and destination"),
        ("namespace.source", "source"),
        ("stream.name", "stream"),
        ("run.stream", "stream"),
        ("inbox.stream", "stream"),
        ("dead_letter.stream", "stream"),
        ("trait_fault.trait", "trait"),
        ("wanted.destination", "destination"),
        ("acknowledged.destination", "destination"),
        ("change.destination", "destination"),
        ("remote_audience.destination", "destination"),
        ("destination.name", "destination"),
        ("hub.name", "destination"),
        // By the first names, always.
        ("namespace.name", "kept"),
        ("stream.origin", "kept"),
        ("evidence.message", "kept"),
        ("identifier.kind", "kept"),
        ("identifier.consents", "kept"),
        ("claim.source", "kept"),
        ("claim.record", "kept"),
        ("account_claim.source", "kept"),
        ("account_claim.record", "kept"),
        ("person.consents", "kept"),
        // Worked out again where definitions name something else.
        ("person.traits", "follows"),
        ("account.traits", "follows"),
        ("wanted.payload", "follows"),
        // What was logged or said in words stays as it was.
        ("manifest_version.changes", "history"),
        ("answered.body", "history"),
        ("audit.subject", "history"),
        ("membership_log.cause", "history"),
        ("account_membership_log.cause", "history"),
        ("run.problem", "history"),
        ("missed.reason", "history"),
        ("job.problem", "history"),
        ("dead_letter.message", "history"),
        ("dead_letter.hint", "history"),
        ("dead_letter.field", "history"),
        ("change.message", "history"),
        ("model.body", "history"),
        ("suggestion.reasons", "history"),
    ];

    /// Columns that hold no name of a source, a stream, a computed trait or a destination.
    const OTHERS: &[&str] = &[
        "account.id",
        "account_claim.account",
        "account_claim.traits",
        "account_membership.account",
        "account_membership.audience",
        "account_membership_log.account",
        "account_membership_log.audience",
        "account_person.account",
        "account_timer.account",
        "account_timer.audience",
        "acknowledged.former",
        "acknowledged.object",
        "acknowledged.own",
        "acknowledged.payload",
        "acknowledged.remote_key",
        "answered.key",
        "audience.digest",
        "audience.name",
        "audit.action",
        "audit.address",
        "audit.name",
        "audit.role",
        "change.code",
        "change.object",
        "change.remote_key",
        "change.state",
        "change.tried",
        "claim.body",
        "counter.name",
        "dead_letter.code",
        "dead_letter.decided_by",
        "dead_letter.key",
        "dead_letter.kind",
        "dead_letter.reason",
        "dead_letter.state",
        "destination.digest",
        "event.name",
        "event.properties",
        "evidence.name",
        "hub.value",
        "identifier.value",
        "inbox.message",
        "job.holder",
        "manifest_version.hash",
        "membership.audience",
        "membership_log.audience",
        "model.kind",
        "model.name",
        "pause.author",
        "pause.ended_by",
        "pause.ended_for",
        "pause.kind",
        "pause.reason",
        "record.key",
        "remote_audience.audience",
        "remote_audience.remote_id",
        "run.kind",
        "run.state",
        "statement.author",
        "statement.kind",
        "statement.reason",
        "statement.revoked_by",
        "statement.revoked_for",
        "stream.digest",
        "stream_cursor.part",
        "suggestion.state",
        "suppression.reason",
        "timer.audience",
        "token.name",
        "token.role",
        "trait_fault.kind",
        "wanted.object",
        "wanted.remote_key",
    ];

    #[test]
    fn every_column_that_may_hold_a_name_is_renamed_or_known_to_keep_it() {
        let schema = include_str!("migrations/0001_start.sql");
        let lines = schema.lines().filter(|line| !line.starts_with("--"));
        let text = lines.collect::<Vec<_>>().join(" ");
        let mut found = BTreeSet::new();
        for statement in text.split("create table ").skip(1) {
            let (table, columns) = statement.split_once('(').expect("a table has columns");
            for column in columns.split(',') {
                let mut words = column.split_whitespace();
                let (name, kind) = (words.next(), words.next());
                let kind = kind.map(|kind| kind.trim_end_matches([')', ';']));
                if let (Some(name), Some("text")) = (name, kind) {
                    found.insert(format!("{}.{name}", table.trim()));
                }
            }
        }
        let known = COLUMNS.iter().map(|(column, _)| *column);
        let known: BTreeSet<String> = known
            .chain(OTHERS.iter().copied())
            .map(str::to_owned)
            .collect();
        let unknown: Vec<&String> = found.difference(&known).collect();
        assert!(
            unknown.is_empty(),
            "rename these in this file, or say why not: {unknown:?}"
        );
        let gone: Vec<&String> = known.difference(&found).collect();
        assert!(gone.is_empty(), "no such columns: {gone:?}");
        // What is listed as renamed is named by a statement of this file.
        let code = include_str!("renames.rs");
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        for (column, _) in COLUMNS.iter().take_while(|(_, what)| *what != "kept") {
            let (table, name) = column.split_once('.').expect("a table and a column");
            let sets = format!("update {table} set {name} =");
            let inserts = format!("insert into {table} ({name}");
            assert!(code.contains(&sets) || code.contains(&inserts), "{column}");
        }
    }
}
