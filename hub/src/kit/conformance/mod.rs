//! The conformance suite: tests a connector against a vendor and says rule by rule whether it keeps them. Finds what there
//! is to test from the connector's own description. Owns the list of checks and the report; opens no connection.

mod audiences;
mod created_again;
mod documents;
mod faults;
mod lossless;
mod reading;
mod settings;
mod writing;

pub use settings::{
    ConnectionSettings, PracticeSettings, Settings, VENDOR_VARIABLE, VendorSettings,
};

use crate::host::{Cancel, Component, Connection, Connector, Failure, Http, LogLine};
use crate::kit::inspect::Inspection;
use crate::kit::tap::Tap;
use crate::model::{Description, Value};
use reading::Baseline;
use serde::Serialize;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Every check by its name, and the rule that it tests.
pub const CHECKS: &[(&str, &str)] = &[
    ("manifest", "manifest and schemas are valid"),
    (
        "documents",
        "the documents in the file are the ones that the connector returns",
    ),
    ("check", "`check` finds the account"),
    (
        "wrong-credentials",
        "wrong credentials are answered with `auth` or `permission`",
    ),
    ("discover", "`discover` agrees with the manifest"),
    ("record-schema", "every record fits its stream's schema"),
    (
        "primary-key",
        "every record has its primary key, and no two different records have the same",
    ),
    ("same-page", "the same cursor gives the same page"),
    (
        "order",
        "a second read gives the same records in the same order",
    ),
    (
        "resume",
        "a new instance after every batch gives the same records as one read",
    ),
    (
        "boundaries",
        "another page size neither loses nor doubles records, equal times included",
    ),
    (
        "deletions",
        "deletions arrive, with nothing but the primary key",
    ),
    (
        "created-again",
        "a record that is deleted and created again is there in the end",
    ),
    (
        "read-rate-limited",
        "429 with `Retry-After` while reading becomes `rate-limited`, or is waited for",
    ),
    (
        "read-server-error",
        "500 while reading becomes `transient`, or is retried",
    ),
    (
        "read-reset",
        "a broken connection while reading becomes `transient`, or is retried",
    ),
    (
        "read-half-body",
        "half a body while reading becomes `transient`, and never data",
    ),
    (
        "unknown-fields",
        "unknown fields, unicode and huge numbers come through as the vendor wrote them",
    ),
    (
        "unreadable-values",
        "a value that cannot be read costs no record, not even its own",
    ),
    (
        "nothing-new",
        "reading on from the end gives nothing, and ends",
    ),
    (
        "batch-size",
        "no batch has more records than were asked for",
    ),
    ("targets", "`targets` agrees with the manifest"),
    ("upsert-twice", "the same rows written twice are there once"),
    (
        "partial-failure",
        "a row that is refused is named, and the others are written",
    ),
    (
        "unknown-outcome",
        "an attempt without an answer is looked at and writes nothing twice",
    ),
    (
        "write-faults",
        "faults while writing become `rate-limited`, `transient` or rows to try again, and lose nothing",
    ),
    (
        "modes",
        "every declared mode does what it says, and others are refused",
    ),
    (
        "max-batch",
        "as many rows as are declared go into one write",
    ),
    (
        "audience-create",
        "an audience that is created twice is there once",
    ),
    (
        "audience-members",
        "members added or removed twice are added or removed once",
    ),
    (
        "audience-faults",
        "faults while adding or removing members become `rate-limited`, `transient` or members to try again, and change no outcome",
    ),
    (
        "audience-batch",
        "as many members as the hub sends at once are all added and all removed",
    ),
    (
        "erase-twice",
        "a person who is erased twice is erased, then not found",
    ),
    (
        "secrets",
        "no secret is in a log, an error, a record or a cursor",
    ),
];

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Passed,
    Failed(String),
    /// With the reason.
    NotApplicable(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub name: &'static str,
    pub rule: &'static str,
    pub verdict: Verdict,
}

/// Why a check did not pass.
pub(super) enum Stop {
    Failed(String),
    NotApplicable(String),
}

pub(super) type Tried = Result<(), Stop>;

pub(super) fn failed<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Failed(why.into()))
}

pub(super) fn not_applicable<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::NotApplicable(why.into()))
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure.problem.message)
    }
}

/// What is tested, and everything that this needs.
pub struct Subject {
    pub component: Component,
    pub inspection: Inspection,
    pub description: Arc<Description>,
    /// The documents next to the source, when a folder is tested.
    pub files: Option<(String, String)>,
    pub settings: Settings,
    pub vendor: String,
    /// The right credentials; its log goes into `log`.
    pub right: Connection,
    /// None when the connector has no credentials.
    pub wrong: Option<Connection>,
    pub log: Arc<Mutex<Vec<LogLine>>>,
    /// What must not be seen anywhere: the values, and what the hub puts in their place.
    pub secrets: Vec<String>,
    /// False for a cassette, which answers only what was asked before.
    pub is_live: bool,
    /// What the vendor holds, as JSON; none when it does not show it.
    pub state: Option<Box<dyn Fn() -> Option<String> + Send>>,
}

/// A subject under trial, with what the checks share.
pub(super) struct Trial {
    pub subject: Subject,
    baselines: OnceCell<Result<BTreeMap<String, Baseline>, String>>,
    numbers: Cell<u32>,
    /// Everything that came out of the connector and is not a record: errors.
    said: RefCell<Vec<String>>,
}

/// Runs every check, and calls `begin` with the name of each before. Blocks for as long as the connector takes.
pub fn run(subject: Subject, begin: &dyn Fn(&'static str)) -> Vec<Check> {
    let trial = Trial {
        subject,
        baselines: OnceCell::new(),
        numbers: Cell::new(0),
        said: RefCell::default(),
    };
    let reports = CHECKS.iter().map(|&(name, rule)| {
        begin(name);
        let excused = trial.subject.settings.not_applicable.get(name);
        let verdict = match excused {
            Some(reason) => Verdict::NotApplicable(format!("{reason} (says conformance.toml)")),
            None => match try_one(&trial, name) {
                Ok(()) => Verdict::Passed,
                Err(Stop::Failed(why)) => Verdict::Failed(why),
                Err(Stop::NotApplicable(why)) => Verdict::NotApplicable(why),
            },
        };
        Check {
            name,
            rule,
            verdict,
        }
    });
    reports.collect()
}

fn try_one(trial: &Trial, name: &str) -> Tried {
    match name {
        "manifest" => documents::manifest(trial),
        "documents" => documents::documents(trial),
        "check" => documents::check(trial),
        "wrong-credentials" => documents::wrong_credentials(trial),
        "discover" => documents::discover(trial),
        "record-schema" => reading::record_schema(trial),
        "primary-key" => reading::primary_key(trial),
        "same-page" => reading::same_page(trial),
        "order" => reading::order(trial),
        "resume" => reading::resume(trial),
        "boundaries" => reading::boundaries(trial),
        "deletions" => reading::deletions(trial),
        "created-again" => created_again::created_again(trial),
        "read-rate-limited" => faults::rate_limited(trial),
        "read-server-error" => faults::server_error(trial),
        "read-reset" => faults::reset(trial),
        "read-half-body" => faults::half_body(trial),
        "unknown-fields" => lossless::unknown_fields(trial),
        "unreadable-values" => lossless::unreadable_values(trial),
        "nothing-new" => reading::nothing_new(trial),
        "batch-size" => reading::batch_size(trial),
        "targets" => documents::targets(trial),
        "upsert-twice" => writing::upsert_twice(trial),
        "partial-failure" => writing::partial_failure(trial),
        "unknown-outcome" => writing::unknown_outcome(trial),
        "write-faults" => writing::write_faults(trial),
        "modes" => writing::modes(trial),
        "max-batch" => writing::max_batch(trial),
        "audience-create" => audiences::create_twice(trial),
        "audience-members" => audiences::members_twice(trial),
        "audience-faults" => audiences::faults(trial),
        "audience-batch" => audiences::batch(trial),
        "erase-twice" => audiences::erase_twice(trial),
        _ => secrets(trial),
    }
}

impl Trial {
    pub fn description(&self) -> &Description {
        &self.subject.description
    }

    pub fn exports(&self, interface: &str) -> bool {
        self.description()
            .exports
            .iter()
            .any(|one| one == interface)
    }

    pub fn needs(&self, interface: &str) -> Tried {
        match self.exports(interface) {
            true => Ok(()),
            false => not_applicable(format!("the connector does not export `{interface}`")),
        }
    }

    /// A connector that takes audiences only exports `destination` as well, and refuses rows.
    pub fn needs_rows(&self) -> Tried {
        self.needs("destination")?;
        match self.takes_audiences_only() {
            false => Ok(()),
            true => {
                not_applicable("the connector takes audiences only: its manifest has no targets")
            }
        }
    }

    pub fn takes_audiences_only(&self) -> bool {
        self.description().targets.is_empty() && !self.description().audience_keys.is_empty()
    }

    /// A vendor that goes on answering whatever is asked.
    pub fn needs_live(&self) -> Tried {
        match self.subject.is_live {
            true => Ok(()),
            false => not_applicable("a cassette answers only what was asked when it was recorded"),
        }
    }

    /// A connector that is new: nothing that it remembers can help it.
    pub fn fresh(&self) -> Box<dyn Connector> {
        let right = self.subject.right.clone();
        self.subject.component.connect(right)
    }

    pub fn fresh_through(&self, tap: Arc<Tap>) -> Box<dyn Connector> {
        let mut connection = self.subject.right.clone();
        connection.http = tap;
        self.subject.component.connect(connection)
    }

    pub fn way_out(&self) -> Arc<dyn Http> {
        self.subject.right.http.clone()
    }

    /// Remembers an error for the search for secrets.
    pub fn heard(&self, failure: &Failure) {
        self.said.borrow_mut().push(failure.to_string());
    }

    pub fn hear_text(&self, text: &str) {
        self.said.borrow_mut().push(text.to_owned());
    }

    /// One full read of each part of each stream, made once.
    pub fn baselines(&self) -> Result<&BTreeMap<String, Baseline>, Stop> {
        self.needs("source")?;
        let made = self.baselines.get_or_init(|| reading::baselines(self));
        match made {
            Ok(baselines) => Ok(baselines),
            Err(why) => failed(why.clone()),
        }
    }

    pub fn number(&self) -> u32 {
        self.numbers.set(self.numbers.get() + 1);
        self.numbers.get()
    }

    pub fn state(&self) -> Result<String, Stop> {
        self.needs_live()?;
        let Some(state) = &self.subject.state else {
            return not_applicable(
                "the vendor does not show what it holds; `[vendor] state = \"/PATH\"` says where it does",
            );
        };
        match state() {
            Some(text) => Ok(text),
            None => failed("the vendor's state cannot be read"),
        }
    }
}

/// Looks through everything that the checks brought to light.
fn secrets(trial: &Trial) -> Tried {
    if trial.subject.secrets.is_empty() {
        return not_applicable("the connector has no credential");
    }
    let shows = |text: &[u8]| {
        let secrets = trial.subject.secrets.iter();
        secrets
            .filter(|secret| !secret.is_empty())
            .any(|secret| memchr::memmem::find(text, secret.as_bytes()).is_some())
    };
    let log = trial
        .subject
        .log
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    for line in log.iter() {
        let fields = line.fields.as_deref().unwrap_or_default();
        if shows(line.message.as_bytes()) || shows(fields.as_bytes()) {
            return failed(format!(
                "a log line of stream `{}` holds a credential",
                line.stream.as_deref().unwrap_or("none")
            ));
        }
    }
    if trial
        .said
        .borrow()
        .iter()
        .any(|text| shows(text.as_bytes()))
    {
        return failed("an error holds a credential");
    }
    if let Some(Ok(baselines)) = trial.baselines.get() {
        for (stream, baseline) in baselines {
            for batch in baseline.batches() {
                if shows(&batch.upserts.data) {
                    return failed(format!("a record of stream `{stream}` holds a credential"));
                }
                if shows(&batch.cursor) {
                    return failed(format!("a cursor of stream `{stream}` holds a credential"));
                }
            }
        }
    }
    Ok(())
}

/// A JSON text for people, cut.
pub(super) fn shown(text: &str) -> String {
    let short: String = text.chars().take(160).collect();
    match short.len() < text.len() {
        true => format!("{short}…"),
        false => short,
    }
}

/// Asks the vendor what it holds, through the connection's own way out.
pub fn ask_state(http: &dyn Http, url: String) -> Option<String> {
    let request = crate::host::HttpRequest {
        method: "GET".to_owned(),
        url,
        headers: Vec::new(),
        body: None,
        auth: None,
        bucket: None,
        idempotent: true,
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    let answer = http.send(request, deadline, &Cancel::default()).ok()?;
    (answer.status == 200).then(|| String::from_utf8(answer.body).ok())?
}

/// The schema as a validator, or why it is not valid.
pub(in crate::kit) fn validator(schema: &Value) -> Result<jsonschema::Validator, String> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .build(schema)
        .map_err(|error| error.to_string())
}
