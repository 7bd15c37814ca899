//! `[[source.stream]]`: what the records of one stream mean. A known stream starts from its connector's default mapping.

use crate::expression::{Expression, shown};
use crate::manifest::about::{About, Target};
use crate::manifest::said;
use crate::manifest::schema::{self, Found};
use crate::manifest::source::StreamScope;
use crate::manifest::tree::{Hinted, Item, Spot, Table, suggest};
use crate::manifest::{ConsentRule, Loader, Stream, StreamTarget, trait_said};
use crate::model::{EntityKind, StreamMapping, StreamSpec, snake_case};
use crate::problem::codes;

/// Counts up when mapping the same record by the same text has another result.
const MAPPING_VERSION: u32 = 4;
/// The same for keys.
const KEY_VERSION: u32 = 1;

/// A stream on its way to being complete.
#[derive(Default)]
struct Draft {
    about: Option<About>,
    key: Option<Expression>,
    updated_at: Option<Expression>,
    created_at: Option<Expression>,
    event: Option<String>,
    map: Vec<(String, Expression)>,
    consent: Vec<ConsentRule>,
}

impl Loader<'_> {
    pub(super) fn stream(&mut self, item: &Item<'_>, scope: StreamScope<'_>) -> Option<Stream> {
        let table = item.table("a stream", "source.stream", &mut self.report)?;
        let name_item = table.need("name", "a stream", &mut self.report)?;
        let name = name_item.text(&mut self.report)?;
        let spec = self.stream_spec(name, &name_item.spot(), scope);
        let keeps_default = table
            .get("default_map")
            .and_then(|item| item.boolean(&mut self.report))
            .unwrap_or(true);
        let about = table.get("to").and_then(|item| self.about(&item));
        let default = spec
            .and_then(|spec| spec.mapping.as_ref())
            .filter(|default| {
                // A connector's events can be about their people, too.
                let theirs = About::of(&default.to).map(|theirs| theirs.target);
                keeps_default && about.is_none_or(|about| theirs == Some(about.target))
            });
        let mut draft = match default {
            Some(default) => self.draft_of(default, &name_item.spot(), scope),
            None => Draft::default(),
        };
        draft.about = about.or(draft.about);
        self.read_draft(&table, &mut draft, spec, scope);
        let region = match table.get("region") {
            Some(item) => self.region(&item),
            None => scope.region.map(str::to_owned),
        };
        let failed = (draft.key.is_none() && table.get("key").is_some())
            || (draft.about.is_none() && table.get("to").is_some());
        let unknown = scope.description.is_none() || spec.is_none() || failed;
        self.finish_stream(name, draft, region, &name_item.spot(), unknown)
    }

    /// A stream exactly as its connector maps it.
    pub(super) fn default_stream(
        &mut self,
        name: &str,
        item: Option<&Item<'_>>,
        scope: StreamScope<'_>,
        table: &Table<'_>,
    ) -> Option<Stream> {
        let spot = item
            .map(Item::spot)
            .or_else(|| table.get("connector").map(|item| item.spot()))
            .unwrap_or_else(|| table.spot());
        let spec = self.stream_spec(name, &spot, scope)?;
        let draft = match &spec.mapping {
            Some(default) => self.draft_of(default, &spot, scope),
            None => Draft::default(),
        };
        self.finish_stream(name, draft, scope.region.map(str::to_owned), &spot, false)
    }

    fn stream_spec<'a>(
        &mut self,
        name: &str,
        spot: &Spot,
        scope: StreamScope<'a>,
    ) -> Option<&'a StreamSpec> {
        let description = scope.description?;
        let spec = description.streams.iter().find(|spec| spec.name == name);
        if spec.is_none() {
            let message = format!("`{}` has no stream `{name}`", description.name);
            let known = description.streams.iter().map(|spec| spec.name.as_str());
            self.report
                .error(&codes::UNKNOWN_STREAM, spot, message)
                .with_hint(suggest(name, known));
        }
        spec
    }

    fn draft_of(&mut self, default: &StreamMapping, spot: &Spot, scope: StreamScope<'_>) -> Draft {
        let connector = scope
            .description
            .map_or("?", |description| description.name.as_str());
        let mut compile = |what: &str, text: &str| match Expression::parse(text) {
            Ok(expression) => Some(expression),
            Err(error) => {
                let message = format!(
                    "connector `{connector}` maps `{}` by `{}`: {error}",
                    shown(what),
                    shown(text)
                );
                self.report
                    .error(&codes::BAD_DEFAULT_MAPPING, spot, message);
                None
            }
        };
        let mut optional = |what: &str, text: &Option<String>| {
            text.as_deref().and_then(|text| compile(what, text))
        };
        let updated_at = optional("updated_at", &default.updated_at);
        let created_at = optional("created_at", &default.created_at);
        let map = default.map.iter();
        let map = map
            .filter_map(|(name, text)| Some((snake_case(name).into_owned(), compile(name, text)?)));
        let map = map.collect();
        let key = compile("key", &default.key);
        let mut consent = Vec::new();
        self.stated.extend(default.consent.keys().cloned());
        for (purpose, said) in &default.consent {
            let at = said.at.as_deref();
            let at = at.and_then(|text| compile(&format!("consent.{purpose}.at"), text));
            if let Some(status) = compile(&format!("consent.{purpose}"), &said.status) {
                consent.push((purpose, status, at));
            }
        }
        let consent = consent.into_iter().map(|(purpose, status, at)| {
            ConsentRule::new(purpose, self.channel_of(purpose), status, at)
        });
        let draft = Draft {
            about: About::of(&default.to),
            key,
            updated_at,
            created_at,
            event: default.event.clone(),
            map,
            consent: consent.collect(),
        };
        if draft.about.is_none() {
            let message = format!(
                "connector `{connector}` maps onto `{}`, which this hub does not know",
                default.to.join("`, `")
            );
            self.report
                .error(&codes::BAD_DEFAULT_MAPPING, spot, message);
        }
        draft
    }

    fn read_draft(
        &mut self,
        table: &Table<'_>,
        draft: &mut Draft,
        spec: Option<&StreamSpec>,
        scope: StreamScope<'_>,
    ) {
        if let Some(item) = table.get("key") {
            draft.key = self.expression(&item, spec, scope);
        }
        if let Some(item) = table.get("updated_at") {
            draft.updated_at = self.expression(&item, spec, scope);
        }
        if let Some(item) = table.get("created_at") {
            draft.created_at = self.expression(&item, spec, scope);
        }
        if let Some(item) = table.get("event") {
            draft.event = item.text(&mut self.report).map(str::to_owned);
            draft.map.retain(|(name, _)| name != "event");
            if draft
                .about
                .is_some_and(|about| about.target != Target::Event)
            {
                let message = "only a stream with `to = \"event\"` has an `event`";
                self.report
                    .error(&codes::WRONG_VALUE, &item.key_spot(), message);
            }
        }
        if let Some(map) = table
            .get("map")
            .and_then(|item| item.free_table(&mut self.report))
        {
            let entries = self.entries(&map, spec, scope);
            for (name, expression) in entries {
                match draft.map.iter_mut().find(|(known, _)| *known == name) {
                    Some(entry) => entry.1 = expression,
                    None => draft.map.push((name, expression)),
                }
            }
        }
        if let Some(consent) = table
            .get("consent")
            .and_then(|item| item.free_table(&mut self.report))
        {
            for item in consent.items() {
                let Some(rule) = self.consent_rule(&item, spec, scope) else {
                    continue;
                };
                draft.consent.retain(|known| known.purpose != rule.purpose);
                draft.consent.push(rule);
            }
        }
    }

    fn entries(
        &mut self,
        table: &Table<'_>,
        spec: Option<&StreamSpec>,
        scope: StreamScope<'_>,
    ) -> Vec<(String, Expression)> {
        let mut entries: Vec<(String, Expression)> = Vec::new();
        for (name, item) in self.named(table) {
            if entries.iter().any(|(taken, _)| *taken == name) {
                let message = format!("`{name}` is mapped twice");
                self.report
                    .error(&codes::DUPLICATE, &item.key_spot(), message);
            }
            if let Some(expression) = self.expression(&item, spec, scope) {
                entries.push((name, expression));
            }
        }
        entries
    }

    /// The fields of a mapping, those of `map.person` among them.
    fn named<'i>(&mut self, table: &Table<'i>) -> Vec<(String, Item<'i>)> {
        let mut named = Vec::new();
        for item in table.items() {
            if item.key != said::TABLE || item.raw().as_table().is_none() {
                named.push((snake_case(item.key).into_owned(), item));
            } else if let Some(below) = item.free_table(&mut self.report) {
                let below = below.items().into_iter();
                named.extend(below.map(|item| (said::name_in_table(&snake_case(item.key)), item)));
            }
        }
        // Known to conditions even where the expression has a mistake.
        let names = named.iter().map(|(name, _)| name.clone());
        self.filled.extend(names);
        named
    }

    /// An expression for the status, or a table with one for its time, too. Purposes stay as they are written.
    fn consent_rule(
        &mut self,
        item: &Item<'_>,
        spec: Option<&StreamSpec>,
        scope: StreamScope<'_>,
    ) -> Option<ConsentRule> {
        self.stated.insert(item.key.to_owned());
        let (status, at) = match item.raw().as_table() {
            None => (self.expression(item, spec, scope)?, None),
            Some(_) => {
                let table = item.table("a consent", "source.stream.consent", &mut self.report)?;
                let at = table.get("at");
                let at = at.and_then(|item| self.expression(&item, spec, scope));
                let status = table.need("status", "a consent", &mut self.report)?;
                (self.expression(&status, spec, scope)?, at)
            }
        };
        let channel = self.channel_of(item.key);
        Some(ConsentRule::new(item.key, channel, status, at))
    }

    fn expression(
        &mut self,
        item: &Item<'_>,
        spec: Option<&StreamSpec>,
        scope: StreamScope<'_>,
    ) -> Option<Expression> {
        let text = item.text(&mut self.report)?;
        let expression = match Expression::parse(text) {
            Ok(expression) => expression,
            Err(error) => {
                self.report
                    .error(
                        &codes::BAD_EXPRESSION,
                        &item.part(error.span),
                        error.message,
                    )
                    .with_hint(error.hint);
                return None;
            }
        };
        if let Some(spec) = spec {
            for path in expression.reads() {
                self.check_path(path, text, item, spec, scope);
            }
        }
        Some(expression)
    }

    fn check_path(
        &mut self,
        path: &str,
        text: &str,
        item: &Item<'_>,
        spec: &StreamSpec,
        scope: StreamScope<'_>,
    ) {
        let Found::No { near, open } = schema::find_path(&spec.schema, path) else {
            return;
        };
        if open && near.is_none() {
            return;
        }
        let title = scope
            .description
            .map_or("the connector", |description| description.title.as_str());
        let at = text
            .find(path)
            .map_or(0..text.len(), |start| start..start + path.len());
        let hint = near.map(|near| format!("did you mean `{near}`?"));
        let (source, stream) = (scope.source, &spec.name);
        let message = if open {
            format!("source `{source}` reads `{path}`, which {title}'s `{stream}` does not list")
        } else {
            format!("source `{source}` reads `{path}`, which {title}'s `{stream}` does not have")
        };
        let problem = self
            .report
            .error(&codes::UNKNOWN_FIELD, &item.part(at), message);
        problem.with_hint(hint);
        if open {
            problem.severity = crate::problem::Severity::Warning;
        }
    }

    fn finish_stream(
        &mut self,
        name: &str,
        draft: Draft,
        region: Option<String>,
        spot: &Spot,
        unknown: bool,
    ) -> Option<Stream> {
        self.filled
            .extend(draft.map.iter().map(|(name, _)| name.clone()));
        if draft
            .about
            .is_some_and(|about| about.target == Target::Entity(EntityKind::Account))
        {
            // As conditions on people read them.
            let names = draft.map.iter().map(|(name, _)| format!("account.{name}"));
            self.filled.extend(names);
        }
        let missing: Vec<&str> = [("to", draft.about.is_none()), ("key", draft.key.is_none())]
            .into_iter()
            .filter_map(|(name, missing)| missing.then_some(name))
            .collect();
        let (Some(about), Some(key)) = (draft.about, draft.key) else {
            if !unknown {
                let names = format!("`{}`", missing.join("` and `"));
                let message =
                    format!("without a default mapping, the stream `{name}` must say {names}");
                self.report.error(&codes::NO_MAPPING, spot, message);
            }
            return None;
        };
        let to = match about.target {
            Target::Person => StreamTarget::Person,
            Target::Entity(kind) => StreamTarget::Entity(kind),
            Target::Consent => StreamTarget::Consent,
            Target::Event => StreamTarget::Event(draft.event),
        };
        if to == StreamTarget::Event(None) && !draft.map.iter().any(|(name, _)| name == "event") {
            self.report
                .error(
                    &codes::NO_MAPPING,
                    spot,
                    format!("the events of stream `{name}` have no name"),
                )
                .with_hint(Some(
                    "add `event = \"Order Completed\"`, or `map.event` to work it out".to_owned(),
                ));
            return None;
        }
        self.check_said(&to, &draft.map, spot);
        let mut stream = Stream {
            name: name.into(),
            to,
            is_of_person: about.is_of_person,
            is_sent_to: false,
            key,
            updated_at: draft.updated_at,
            created_at: draft.created_at,
            map: draft.map,
            consent: draft.consent,
            region,
            namespace: None,
            digest: String::new(),
        };
        stream.digest = digest(&stream);
        Some(stream)
    }

    /// What the records of a stream say of their people.
    fn check_said(&mut self, to: &StreamTarget, map: &[(String, Expression)], spot: &Spot) {
        for (name, _) in map {
            if let Some(message) = said::refused(to, name) {
                self.report.error(&codes::WRONG_VALUE, spot, message);
            }
            let said = trait_said(to, name);
            self.filled.extend(said.map(str::to_owned));
        }
    }
}

/// Begins with that of the key: records under another key move, and are not only mapped again.
fn digest(stream: &Stream) -> String {
    let optional = |expression: &Option<Expression>| {
        expression
            .as_ref()
            .map(|expression| expression.text().to_owned())
    };
    let entries = |entries: &[(String, Expression)]| {
        let texts = entries
            .iter()
            .map(|(name, expression)| (name.clone(), expression.text().to_owned()));
        texts.collect::<Vec<_>>()
    };
    let said = |rule: &ConsentRule| {
        let status = rule.status.text().to_owned();
        (
            rule.purpose.to_string(),
            rule.channel,
            status,
            optional(&rule.at),
        )
    };
    let about = match stream.is_of_person && stream.to != StreamTarget::Person {
        true => format!("{:?} and its person", stream.to),
        false => format!("{:?}", stream.to),
    };
    let everything = (
        MAPPING_VERSION,
        about,
        stream.key.text(),
        optional(&stream.updated_at),
        optional(&stream.created_at),
        entries(&stream.map),
        stream.consent.iter().map(said).collect::<Vec<_>>(),
        &stream.region,
    );
    let hash = |text: String| blake3::hash(text.as_bytes()).to_hex();
    // A filter may read the region.
    let region = stream.region.as_deref();
    let key = stream.key.text();
    let key = (KEY_VERSION, key, region.filter(|_| key.contains('|')));
    let (key, everything) = (hash(format!("{key:?}")), hash(format!("{everything:?}")));
    format!("{}-{}", &key[..16], &everything[..32])
}
