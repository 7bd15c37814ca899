//! Checks of what a connector says about itself, and whether it finds its account.

use super::{Stop, Trial, Tried, failed, not_applicable, shown, validator};
use crate::host::{Chunk, FailureKind, TargetInfo, WriteMode, WriteRequest};
use crate::kit::judge::undeclared;
use crate::kit::raw_json::compact;
use crate::model::Value;
use std::collections::BTreeSet;

pub fn manifest(trial: &Trial) -> Tried {
    let one = trial.description();
    let schema = |what: String, schema: &Value| match validator(schema) {
        Ok(_) => Ok(()),
        Err(why) => failed(format!(
            "the schema of {what} is not a valid JSON Schema: {}",
            shown(&why)
        )),
    };
    if one.version.split('.').count() != 3 {
        return failed(format!(
            "the version `{}` is not of the form 1.2.3",
            one.version
        ));
    }
    schema("the configuration".to_owned(), &one.config_schema)?;
    let config = trial.subject.settings.config(&trial.subject.vendor);
    if let Ok(validator) = validator(&one.config_schema)
        && let Err(error) = validator.validate(&config)
    {
        return failed(format!(
            "the configuration in conformance.toml does not fit its schema: {error}"
        ));
    }
    for stream in &one.streams {
        schema(format!("stream `{}`", stream.name), &stream.schema)?;
        if stream.primary_key.is_empty() {
            return failed(format!("stream `{}` has no primary key", stream.name));
        }
        for field in stream.primary_key.iter().chain(&stream.cursor_fields) {
            if undeclared(&stream.schema, field).is_some() {
                return failed(format!(
                    "the schema of stream `{}` does not have its field `{field}`",
                    stream.name
                ));
            }
        }
    }
    for target in &one.targets {
        schema(format!("target `{}`", target.name), &target.schema)?;
        let unknown = target
            .modes
            .iter()
            .find(|mode| WriteMode::parse(mode).is_none());
        if let Some(mode) = unknown {
            return failed(format!(
                "target `{}` has the unknown mode `{mode}`",
                target.name
            ));
        }
        if target.modes.is_empty() || target.keys.is_empty() || target.max_batch == 0 {
            return failed(format!(
                "target `{}` lacks modes, keys or a `max_batch`",
                target.name
            ));
        }
    }
    let has = |what: &str, is_empty: bool| {
        if trial.exports(what) && is_empty {
            return failed(format!(
                "the connector exports `{what}`, and the manifest says nothing of it"
            ));
        }
        Ok(())
    };
    has("source", one.streams.is_empty())?;
    let is_nothing = one.targets.is_empty() && !trial.takes_audiences_only();
    has("destination", is_nothing)?;
    has("audience", one.audience_keys.is_empty())
}

pub fn documents(trial: &Trial) -> Tried {
    let inspection = &trial.subject.inspection;
    let (Some(manifest), Some(schema)) = (&inspection.manifest, &inspection.config_schema) else {
        return not_applicable(
            "the file carries no documents; `onefold connector build` puts them in",
        );
    };
    let (returned, returned_schema) = trial.subject.component.documents()?;
    for (what, carried, returned) in [
        ("manifest", manifest, &returned),
        ("configuration schema", schema, &returned_schema),
    ] {
        if compact(carried) != compact(returned) {
            return failed(format!(
                "the {what} in the file is not the one that the connector returns"
            ));
        }
    }
    if let Some((file, schema_file)) = &trial.subject.files {
        if compact(file) != compact(manifest) {
            return failed("`manifest.json` is not the one in the component: build it again");
        }
        if compact(schema_file) != compact(schema) {
            return failed("`config.schema.json` is not the one in the component: build it again");
        }
    }
    Ok(())
}

impl From<crate::problem::Problem> for Stop {
    fn from(problem: crate::problem::Problem) -> Self {
        Self::Failed(problem.message)
    }
}

pub fn check(trial: &Trial) -> Tried {
    let report = trial.fresh().check()?;
    report
        .warnings
        .iter()
        .for_each(|text| trial.hear_text(text));
    Ok(())
}

pub fn wrong_credentials(trial: &Trial) -> Tried {
    let Some(wrong) = &trial.subject.wrong else {
        return not_applicable("the connector has no credential");
    };
    trial.needs_live()?;
    let mut connector = trial.subject.component.connect(wrong.clone());
    match connector.check() {
        Ok(_) => failed("`check` succeeds with wrong credentials"),
        Err(failure) => {
            trial.heard(&failure);
            match failure.kind {
                FailureKind::Auth | FailureKind::Permission => Ok(()),
                kind => failed(format!(
                    "`check` answers {kind:?}: {}",
                    failure.problem.message
                )),
            }
        }
    }
}

pub fn discover(trial: &Trial) -> Tried {
    trial.needs("source")?;
    let found = trial.fresh().discover()?;
    let mut names = BTreeSet::new();
    for stream in &found {
        if !names.insert(stream.name.as_str()) {
            return failed(format!("stream `{}` is discovered twice", stream.name));
        }
        if let Err(why) = validator(&stream.schema) {
            return failed(format!(
                "stream `{}`: its schema is not valid: {}",
                stream.name,
                shown(&why)
            ));
        }
    }
    for declared in &trial.description().streams {
        let Some(stream) = found.iter().find(|one| one.name == declared.name) else {
            return failed(format!(
                "stream `{}` of the manifest is not discovered",
                declared.name
            ));
        };
        let differs = [
            ("primary key", stream.primary_key == declared.primary_key),
            (
                "cursor fields",
                stream.cursor_fields == declared.cursor_fields,
            ),
            (
                "deletions",
                stream.supports_deletes == declared.supports_deletes,
            ),
        ];
        if let Some((what, _)) = differs.iter().find(|(_, same)| !same) {
            return failed(format!(
                "stream `{}`: {what} differ from the manifest",
                declared.name
            ));
        }
    }
    Ok(())
}

pub fn targets(trial: &Trial) -> Tried {
    trial.needs("destination")?;
    let found = trial.fresh().targets()?;
    if trial.takes_audiences_only() {
        return refuses_rows(trial, &found);
    }
    for declared in &trial.description().targets {
        let Some(target) = found.iter().find(|one| one.name == declared.name) else {
            return failed(format!(
                "target `{}` of the manifest is not returned",
                declared.name
            ));
        };
        let modes: BTreeSet<&str> = target.modes.iter().map(|mode| mode.as_str()).collect();
        let declared_modes: BTreeSet<&str> = declared.modes.iter().map(String::as_str).collect();
        let differs = [
            ("modes", modes == declared_modes),
            ("keys", target.keys == declared.keys),
            ("max_batch", target.max_batch == declared.max_batch),
        ];
        if let Some((what, _)) = differs.iter().find(|(_, same)| !same) {
            return failed(format!(
                "target `{}`: {what} differ from the manifest",
                declared.name
            ));
        }
    }
    Ok(())
}

/// Without targets rows are refused, for good and in words.
fn refuses_rows(trial: &Trial, found: &[TargetInfo]) -> Tried {
    if let Some(target) = found.first() {
        return failed(format!(
            "target `{}` is returned, and the manifest does not have it",
            target.name
        ));
    }
    let request = WriteRequest {
        target: "rows".to_owned(),
        mode: WriteMode::Upsert,
        rows: Chunk {
            count: 1,
            data: b"{}\n".to_vec(),
        },
        idempotency_key: format!("conformance-{}", trial.number()),
        verify: false,
    };
    match trial.fresh().write(&request) {
        Ok(_) => failed("the manifest has no targets, and a row is taken"),
        Err(failure) => {
            trial.heard(&failure);
            match failure.kind {
                FailureKind::Permanent | FailureKind::Config => Ok(()),
                kind => failed(format!(
                    "the manifest has no targets, and a row is answered with {kind:?}: {}",
                    failure.problem.message
                )),
            }
        }
    }
}
