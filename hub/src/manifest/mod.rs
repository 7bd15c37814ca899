//! TOML text → spanned tree → checked `Plan`. Reports every problem at once.
//!
//! `load` is the only entry point. A plan exists only if no manifest has an error; warnings are returned with it.

mod about;
mod account_condition;
mod address;
mod apply;
mod audience;
mod computed;
mod condition;
mod connection;
mod cross;
mod destination;
mod event_condition;
mod identity;
mod journey;
pub mod keys;
mod model;
mod plan;
mod purpose;
mod renames;
mod role;
mod rules;
mod said;
mod schedule;
mod schema;
mod serve;
mod signers;
mod source;
mod stream;
mod survivorship;
mod syntax;
mod telemetry;
mod timetable;
mod tree;
mod value_test;
pub mod version;
mod zone;

pub use model::PREDICTED;
pub use plan::{
    Aggregate, Audience, ComputedTrait, Destination, Grants, Guard, Hub, IdentityRules, Limits,
    Model, PersonPush, Plan, SecretRef, Signers, Source, Stage, Stream, StreamTarget, Subject,
    Suggest, TraitKind, Trust, TrustedKey,
};
pub use purpose::{ConsentRule, Purpose};
pub use renames::{Namespaces, Rename, Renamed};
pub use said::{SAID_COUNTRY, trait_said};
pub use schedule::read_duration;
pub use serve::{Certified, Serve};
pub use survivorship::{Survivorship, SurvivorshipRule};
pub use telemetry::Telemetry;
pub use timetable::{Blackout, CatchUp, Overlap, Schedule, When, span};
pub use version::{Difference, Version};

use crate::model::{Description, snake_case};
use crate::problem::{Place, Problem, Severity, codes};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tree::{File, Hinted, Item, Report, Spot, suggest};

/// The connectors that manifests may name.
#[derive(Debug, Default, Clone)]
pub struct Connectors {
    /// Every name that could be used, for "did you mean".
    pub available: Vec<String>,
    /// The descriptions of connectors in use, by name.
    pub described: BTreeMap<String, Arc<Description>>,
}

/// The connectors that the manifests name, to be described before `load`. Reports nothing.
pub fn connector_names(files: &[(String, String)]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut report = Report::default();
    for (name, text) in files {
        let file = File::parse(name, text, &mut report);
        for item in file.table().items() {
            if matches!(item.key, "source" | "destination") {
                let entries = item.tables(&mut report);
                let tables = entries.iter().filter_map(|entry| entry.raw().as_table());
                let connectors =
                    tables.filter_map(|table| table.get("connector")?.get_ref().as_str());
                names.extend(connectors.map(str::to_owned));
            }
        }
    }
    names
}

/// The `[identity]` rules of one file, whatever else is in it.
pub fn identity_rules(name: &str, text: &str) -> Result<IdentityRules, Vec<Problem>> {
    let mut report = Report::default();
    let file = File::parse(name, text, &mut report);
    let connectors = Connectors::default();
    let mut loader = Loader::new(&connectors, report);
    let item = file.table().get("identity");
    if item.is_none() && !file.broken {
        let message = "the file has no `[identity]` table";
        loader
            .report
            .error(&codes::MISSING_KEY, &file.start(), message);
    }
    let rules = loader.identity(item.as_slice());
    match loader.report.problems {
        problems if problems.is_empty() => Ok(rules),
        problems => Err(problems),
    }
}

/// The `[connectors]` table of the files, whatever else is in them: whose connectors the hub loads.
pub fn signers(files: &[(String, String)]) -> Result<Signers, Vec<Problem>> {
    let mut report = Report::default();
    let files: Vec<File<'_>> = files
        .iter()
        .map(|(name, text)| File::parse(name, text, &mut report))
        .collect();
    let items: Vec<Item<'_>> = files
        .iter()
        .filter_map(|file| file.table().get("connectors"))
        .collect();
    let connectors = Connectors::default();
    let mut loader = Loader::new(&connectors, report);
    let signers = loader.signers(&items);
    match loader.report.problems {
        problems if problems.is_empty() => Ok(signers),
        problems => Err(problems),
    }
}

/// Checks all files as one hub. `files` are names, as they will be shown, and texts.
/// The error holds every problem, warnings included, in the order of the files.
pub fn load(files: &[(String, String)], connectors: &Connectors) -> Result<Plan, Vec<Problem>> {
    load_with(files, connectors, false)
}

/// The same when the last file is a draft: its audiences replace those with the same names.
pub fn load_draft(
    files: &[(String, String)],
    connectors: &Connectors,
) -> Result<Plan, Vec<Problem>> {
    load_with(files, connectors, true)
}

fn load_with(
    files: &[(String, String)],
    connectors: &Connectors,
    last_is_draft: bool,
) -> Result<Plan, Vec<Problem>> {
    let mut report = Report::default();
    let digest = digest(files, connectors);
    let version = Version::new(files, &BTreeMap::new());
    let files: Vec<File<'_>> = files
        .iter()
        .map(|(name, text)| File::parse(name, text, &mut report))
        .collect();
    let mut loader = Loader::new(connectors, report);
    let plan = loader.plan(&files, last_is_draft);
    let mut problems = loader.report.problems;
    if files.iter().any(|file| file.broken) {
        problems = syntax::without_consequences(problems, &files);
    }
    let order = |problem: &Problem| match &problem.place {
        Place::File { file, span } => (
            files.iter().position(|other| other.name == *file),
            span.start,
        ),
        _ => (None, 0),
    };
    problems.sort_by_key(order);
    match plan {
        Some(mut plan)
            if problems
                .iter()
                .all(|problem| problem.severity == Severity::Warning) =>
        {
            plan.warnings = problems;
            plan.digest = digest;
            plan.version = version;
            Ok(plan)
        }
        _ => Err(problems),
    }
}

fn digest(files: &[(String, String)], connectors: &Connectors) -> String {
    let text = format!("{files:?} {:?}", connectors.described);
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}

/// What the files say, collected while it is read.
struct Loader<'c> {
    connectors: &'c Connectors,
    report: Report,
    mentions: Mentions,
    /// The hub's default region.
    region: Option<String>,
    /// Traits and other fields that some stream fills, and computed traits.
    filled: BTreeSet<String>,
    /// Traits that models fill.
    predicted: BTreeSet<String>,
    /// Traits that a `[[trait]]` computes.
    computed: BTreeSet<String>,
    /// Every name under which an audience can be mentioned.
    kinds: BTreeMap<String, Subject>,
    /// What the condition that is being read is about.
    subject: Subject,
    /// Audiences made of what accounts ask of their people.
    steps: Vec<Audience>,
    /// Declared ones, by name.
    purposes: BTreeMap<String, Purpose>,
    /// Purposes of which some stream says something, whether its expression is good or not.
    stated: BTreeSet<String>,
}

/// Names that point at something defined elsewhere; checked when everything has been read.
#[derive(Default)]
struct Mentions {
    traits: Vec<(String, Spot)>,
    /// What an account's condition asks of the account itself.
    account_traits: Vec<(String, Spot)>,
    /// With the audience whose condition contains it, if any.
    audiences: Vec<(String, Option<Arc<str>>, Spot)>,
    sources: Vec<(String, Spot)>,
    /// A source that is read after another, and that one.
    after: Vec<(String, String, Spot)>,
    events: Vec<(String, Spot)>,
    purposes: Vec<(String, Spot)>,
    links: Vec<Link>,
}

/// An audience that refers to another because of what is written elsewhere than in its condition.
struct Link {
    from: Arc<str>,
    to: String,
    spot: Spot,
    /// What to do when it closes a cycle.
    hint: Option<String>,
}

/// The tables of all files by their name.
#[derive(Default)]
struct Sections<'t> {
    hub: Vec<Item<'t>>,
    connectors: Vec<Item<'t>>,
    limits: Vec<Item<'t>>,
    serve: Vec<Item<'t>>,
    telemetry: Vec<Item<'t>>,
    apply: Vec<Item<'t>>,
    sources: Vec<Item<'t>>,
    traits: Vec<Item<'t>>,
    models: Vec<Item<'t>>,
    audiences: Vec<Item<'t>>,
    destinations: Vec<Item<'t>>,
    identity: Vec<Item<'t>>,
    suggest: Vec<Item<'t>>,
    profile: Vec<Item<'t>>,
    priorities: Vec<Item<'t>>,
    exclude: Vec<Item<'t>>,
    journeys: Vec<Item<'t>>,
    purposes: Vec<Item<'t>>,
    roles: Vec<Item<'t>>,
}

impl Sections<'_> {
    /// Leaves out audiences and journeys that the file `draft` has too.
    fn replace_audiences(&mut self, draft: &str) {
        for items in [&mut self.audiences, &mut self.journeys] {
            let is_draft = |item: &Item<'_>| *item.file.name == *draft;
            let drafted = items.iter().filter(|item| is_draft(item));
            let drafted: BTreeSet<String> = drafted
                .filter_map(|item| Some(item.name()?.to_owned()))
                .collect();
            items.retain(|item| {
                is_draft(item) || item.name().is_none_or(|name| !drafted.contains(name))
            });
        }
    }
}

impl<'c> Loader<'c> {
    fn new(connectors: &'c Connectors, report: Report) -> Self {
        Self {
            connectors,
            report,
            mentions: Mentions::default(),
            region: None,
            filled: BTreeSet::new(),
            predicted: BTreeSet::new(),
            computed: BTreeSet::new(),
            kinds: BTreeMap::new(),
            subject: Subject::Person,
            steps: Vec::new(),
            purposes: BTreeMap::new(),
            stated: BTreeSet::new(),
        }
    }

    fn plan<'t>(&mut self, files: &'t [File<'t>], last_is_draft: bool) -> Option<Plan> {
        let mut sections = self.sections(files);
        if let Some(draft) = files.last().filter(|_| last_is_draft) {
            sections.replace_audiences(&draft.name);
        }
        self.kinds = cross::audience_kinds(&sections);
        let hub = self.hub(&sections.hub, files);
        let signers = self.signers(&sections.connectors);
        let memory = self.memory(&sections.limits);
        let serve = self.serve(&sections.serve);
        let telemetry = self.telemetry(&sections.telemetry);
        let roles = self.roles(&sections.roles);
        self.check_apply(&sections.apply);
        let identity = self.identity(&sections.identity);
        let suggest = self.suggest(&sections.suggest);
        let survivorship = self.survivorship(&sections.profile);
        self.purposes(&sections.purposes);
        let mut names = Names::default();
        let sources: Vec<Source> = sections
            .sources
            .iter()
            .filter_map(|item| self.source(item, &mut names))
            .collect();
        self.check_reachable(&sources, &sections);
        let models = self.models(&sections.models);
        let computed = sections.traits.iter().filter_map(Item::name);
        self.computed = computed.map(|name| snake_case(name).into_owned()).collect();
        let traits = self.traits(&sections, &sources);
        let sources_are_good = self.report.is_good();
        let audiences = self.audiences(&sections);
        if sources_are_good {
            self.check_events(&sources);
        }
        let mut names = Names::default();
        let destinations: Vec<Destination> = sections
            .destinations
            .iter()
            .filter_map(|item| self.destination(item, &mut names))
            .collect();
        let renames = self.renames(&sections);
        self.check_mentions(&sections);
        let hub = hub?;
        let declared = std::mem::take(&mut self.purposes);
        let purposes = purpose::all(declared, &sources, &destinations);
        Some(Plan {
            hub,
            signers,
            memory,
            serve,
            telemetry,
            roles,
            sources,
            traits,
            models,
            suggest,
            audiences,
            destinations,
            purposes,
            identity,
            survivorship,
            digest: String::new(),
            version: Version::default(),
            renames,
            namespaces: Namespaces::default(),
            is_named: false,
            warnings: Vec::new(),
        })
    }

    fn audiences(&mut self, sections: &Sections<'_>) -> Vec<Audience> {
        let relations = self.relations(&sections.exclude, &sections.priorities);
        let mut names = Names::default();
        let declared = sections
            .audiences
            .iter()
            .filter_map(|item| self.audience(item, &mut names))
            .collect();
        let mut audiences = self.compose(declared, &relations);
        let mut names = Names::default();
        for item in &sections.journeys {
            audiences.extend(self.journey(item, &mut names, &relations));
        }
        audiences.append(&mut self.steps);
        audiences
    }

    fn sections<'t>(&mut self, files: &'t [File<'t>]) -> Sections<'t> {
        let mut sections = Sections::default();
        for file in files {
            if !file.broken {
                file.table()
                    .check_keys("a manifest", "manifest", &mut self.report);
            }
            for item in file.table().items() {
                match item.key {
                    "hub" => sections.hub.push(item),
                    "connectors" => sections.connectors.push(item),
                    "limits" => sections.limits.push(item),
                    "serve" => sections.serve.push(item),
                    "telemetry" => sections.telemetry.push(item),
                    "apply" => sections.apply.push(item),
                    "source" => sections.sources.extend(item.tables(&mut self.report)),
                    "trait" => sections.traits.extend(item.tables(&mut self.report)),
                    "model" => sections.models.extend(item.tables(&mut self.report)),
                    "audience" => sections.audiences.extend(item.tables(&mut self.report)),
                    "destination" => sections.destinations.extend(item.tables(&mut self.report)),
                    "identity" => sections.identity.push(item),
                    "suggest" => sections.suggest.push(item),
                    "profile" => sections.profile.push(item),
                    "priority" => sections.priorities.extend(item.tables(&mut self.report)),
                    "exclude" => sections.exclude.push(item),
                    "journey" => sections.journeys.extend(item.tables(&mut self.report)),
                    "purpose" => sections.purposes.extend(item.tables(&mut self.report)),
                    "role" => sections.roles.extend(item.tables(&mut self.report)),
                    _ => {}
                }
            }
        }
        sections
    }

    /// Reads the `name` of a table and sees that it is good and not taken.
    fn name(&mut self, what: &str, table: &tree::Table<'_>, names: &mut Names) -> Option<Arc<str>> {
        let item = table.need("name", what, &mut self.report)?;
        let name = item.text(&mut self.report)?;
        if !is_name(name) {
            let message = format!("`{name}` is not a valid name for {what}");
            self.report
                .error(&codes::BAD_NAME, &item.spot(), message)
                .with_hint(Some(
                    "use lower-case letters, digits, `_` and `-`, with a letter first".to_owned(),
                ));
            return None;
        }
        if let Some(first) = names.0.get(name) {
            let hint = format!("the first one is at {first}");
            self.report
                .error(
                    &codes::DUPLICATE,
                    &item.spot(),
                    format!("there is already {what} of the name `{name}`"),
                )
                .with_hint(Some(hint));
            return None;
        }
        names
            .0
            .insert(name.to_owned(), position(item.file, item.spot().span.start));
        Some(name.into())
    }

    /// The connector that an entry names.
    fn connector(
        &mut self,
        what: &str,
        table: &tree::Table<'_>,
    ) -> Option<(String, Arc<Description>)> {
        let item = table.need("connector", what, &mut self.report)?;
        let name = item.text(&mut self.report)?;
        let Some(description) = self.connectors.described.get(name) else {
            // It exists but could not be described; the caller that asked for its description has reported why.
            if self.connectors.available.iter().any(|known| known == name) {
                return None;
            }
            let known = self.connectors.available.iter().map(String::as_str);
            self.report
                .error(
                    &codes::UNKNOWN_CONNECTOR,
                    &item.spot(),
                    format!("there is no connector `{name}`"),
                )
                .with_hint(suggest(name, known));
            return None;
        };
        Some((name.to_owned(), description.clone()))
    }
}

/// Names taken so far, and where.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-'
        })
}

/// `crm.toml:19:20`
fn position(file: &File<'_>, at: usize) -> String {
    let (line, column) = crate::problem::line_and_column(file.text, at);
    format!("{}:{line}:{column}", file.name)
}

#[cfg(test)]
mod tests;
