//! `[[destination]]`: where profiles and audiences go.

use crate::manifest::schema::{self, Found};
use crate::manifest::tree::{Hinted, Item, Table, suggest};
use crate::manifest::{Destination, Guard, Loader, Names, PersonPush};
use crate::model::{Description, TargetSpec, snake_case};
use crate::problem::{Severity, codes};

/// A share above this may be removed in one run only when an operator agrees.
const MAX_REMOVED: f64 = 0.2;

impl Loader<'_> {
    pub(super) fn destination(
        &mut self,
        item: &Item<'_>,
        names: &mut Names,
    ) -> Option<Destination> {
        let table = item.table("a destination", "destination", &mut self.report)?;
        let name = self.name("a destination", &table, names);
        let connector = self.connector("a destination", &table);
        let description = connector
            .as_ref()
            .map(|(_, description)| description.clone());
        let connection = self.connection(&table, description.as_deref());
        let consent = self.consent(&table);
        let given = table.get("person");
        let person = given.and_then(|item| self.person(&item, description.as_deref()));
        let audiences = self.pushed_audiences(&table, description.as_deref());
        if given.is_none() && table.get("audiences").is_none() {
            let message = "the destination is sent nothing";
            self.report
                .error(&codes::NOTHING_TO_SEND, &table.spot(), message)
                .with_hint(Some(
                    "add `person = { match = \"email\" }`, `audiences = [ … ]`, or both".to_owned(),
                ));
        }
        let guard = table
            .get("guard")
            .map(|item| self.guard(&item))
            .unwrap_or_default();
        let (connector, description) = connector?;
        let member_key = match (&person, description.audience_keys.first()) {
            (Some(person), _) => person.match_field.clone(),
            (None, Some(key)) => key.clone(),
            (None, None) => "email".to_owned(),
        };
        let other_addresses = self.other_addresses(&table, &member_key);
        Some(Destination {
            name: name?,
            connector,
            description,
            config: connection.config,
            credentials: connection.credentials,
            grants: connection.grants,
            limits: connection.limits,
            rates: connection.rates,
            consent,
            other_addresses,
            person,
            audiences,
            member_key,
            guard,
        })
    }

    fn consent(&mut self, table: &Table<'_>) -> Vec<String> {
        let Some(item) = table.get("consent") else {
            self.report
                .error(
                    &codes::NO_CONSENT,
                    &table.spot(),
                    "the destination does not say which consent it needs",
                )
                .with_hint(Some(
                    "add `consent = [\"marketing_email\"]`, or `consent = []` for none".to_owned(),
                ));
            return Vec::new();
        };
        let purposes = item.texts(&mut self.report);
        for (item, purpose) in &purposes {
            self.mention_purpose(purpose, item.spot());
        }
        purposes
            .into_iter()
            .map(|(_, purpose)| purpose.to_owned())
            .collect()
    }

    /// Whether another address may be sent than that of the profile; only where people are found by an address.
    fn other_addresses(&mut self, table: &Table<'_>, member_key: &str) -> bool {
        let Some(item) = table.get("other_addresses") else {
            return false;
        };
        let wanted = item.boolean(&mut self.report).unwrap_or_default();
        if wanted && !matches!(member_key, "email" | "phone") {
            let message = format!(
                "people are found by `{member_key}` there, so no other address can take its place"
            );
            let problem = self
                .report
                .error(&codes::WRONG_VALUE, &item.spot(), message);
            problem.with_hint(Some("match by `email` or by `phone`".to_owned()));
        }
        wanted
    }

    fn pushed_audiences(
        &mut self,
        table: &Table<'_>,
        description: Option<&Description>,
    ) -> Vec<String> {
        let Some(item) = table.get("audiences") else {
            return Vec::new();
        };
        if let Some(description) = description
            && description.audience_keys.is_empty()
        {
            let message = format!("`{}` takes no audiences", description.name);
            self.report.error(&codes::CANNOT, &item.key_spot(), message);
        }
        self.audience_names(&item, description)
    }

    /// The vendor that `takes` them would refuse a name that is too long, and with it everybody in it.
    fn audience_names(&mut self, item: &Item<'_>, takes: Option<&Description>) -> Vec<String> {
        let longest = takes.and_then(|takes| Some((&takes.name, takes.audience_name_max?)));
        let mut names: Vec<String> = Vec::new();
        for (item, name) in item.texts(&mut self.report) {
            let length = name.chars().count();
            if let Some((vendor, most)) = longest.filter(|(_, most)| length > *most as usize) {
                let message = format!(
                    "`{name}` has {length} characters; `{vendor}` takes audiences whose names have at most {most}"
                );
                let problem = self.report.error(&codes::CANNOT, &item.spot(), message);
                problem.with_hint(Some("give the audience a shorter name".to_owned()));
            }
            if names.iter().any(|taken| taken == name) {
                self.report.error(
                    &codes::DUPLICATE,
                    &item.spot(),
                    format!("`{name}` is listed twice"),
                );
            }
            self.mentions
                .audiences
                .push((name.to_owned(), None, item.spot()));
            names.push(name.to_owned());
        }
        names
    }

    fn person(&mut self, item: &Item<'_>, description: Option<&Description>) -> Option<PersonPush> {
        let table = item.table("`person`", "destination.person", &mut self.report)?;
        let target = description.and_then(|description| self.target(item, &table, description));
        let match_item = table.need("match", "`person`", &mut self.report);
        let match_field = match_item.and_then(|item| self.match_field(&item, target));
        let mut map = Vec::new();
        if let Some(entries) = table
            .get("map")
            .and_then(|item| item.free_table(&mut self.report))
        {
            for item in entries.items() {
                self.check_target_field(&item, target);
                let Some(name) = item.text(&mut self.report) else {
                    continue;
                };
                let name = snake_case(name).into_owned();
                self.mentions.traits.push((name.clone(), item.spot()));
                map.push((item.key.to_owned(), name));
            }
        }
        let only = table
            .get("only")
            .map(|item| self.audience_names(&item, None))
            .unwrap_or_default();
        let mode = match table.get("mode") {
            Some(item) => self.mode(&item, target),
            None => Some("upsert".to_owned()),
        };
        Some(PersonPush {
            target: target?.name.clone(),
            match_field: match_field?,
            only,
            map,
            mode: mode?,
        })
    }

    fn target<'d>(
        &mut self,
        item: &Item<'_>,
        table: &Table<'_>,
        description: &'d Description,
    ) -> Option<&'d TargetSpec> {
        if description.targets.is_empty() {
            let message = format!("`{}` takes no rows", description.name);
            let problem = self.report.error(&codes::CANNOT, &item.key_spot(), message);
            let takes = (!description.audience_keys.is_empty())
                .then(|| "it takes audiences: `audiences = [ … ]` in place of `person`".to_owned());
            problem.with_hint(takes);
            return None;
        }
        let Some(item) = table.get("target") else {
            return description.targets.first();
        };
        let name = item.text(&mut self.report)?;
        let found = description
            .targets
            .iter()
            .find(|target| target.name == name);
        if found.is_none() {
            let known = description
                .targets
                .iter()
                .map(|target| target.name.as_str());
            self.report
                .error(
                    &codes::UNKNOWN_TARGET,
                    &item.spot(),
                    format!("`{}` has no target `{name}`", description.name),
                )
                .with_hint(suggest(name, known));
        }
        found
    }

    fn match_field(&mut self, item: &Item<'_>, target: Option<&TargetSpec>) -> Option<String> {
        let text = item.text(&mut self.report)?;
        let name = snake_case(text).into_owned();
        if let Some(target) = target
            && !target.keys.is_empty()
            && !target.keys.contains(&name)
        {
            let message = format!("`{}` cannot find rows by `{text}`", target.name);
            self.report
                .error(&codes::UNKNOWN_TARGET_FIELD, &item.spot(), message)
                .with_hint(suggest(text, target.keys.iter().map(String::as_str)));
            return None;
        }
        self.mentions.traits.push((name.clone(), item.spot()));
        Some(name)
    }

    fn check_target_field(&mut self, item: &Item<'_>, target: Option<&TargetSpec>) {
        let Some(target) = target else { return };
        let Found::No { near, open } = schema::find_path(&target.schema, item.key) else {
            return;
        };
        if open && near.is_none() {
            return;
        }
        let message = format!("`{}` lists no field `{}`", target.name, item.key);
        let hint = match near {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None => suggest(item.key, schema::properties(&target.schema)),
        };
        let problem = self
            .report
            .error(&codes::UNKNOWN_TARGET_FIELD, &item.key_spot(), message);
        problem.with_hint(hint);
        if open {
            problem.severity = Severity::Warning;
        }
    }

    fn mode(&mut self, item: &Item<'_>, target: Option<&TargetSpec>) -> Option<String> {
        let modes = [
            ("upsert", "upsert"),
            ("update-only", "update-only"),
            ("create-only", "create-only"),
        ];
        let mode = item.choice(&modes, &mut self.report)?;
        if let Some(target) = target
            && !target.modes.iter().any(|known| known == mode)
        {
            let message = format!("`{}` cannot be written in the mode `{mode}`", target.name);
            self.report
                .error(&codes::MODE_NOT_SUPPORTED, &item.spot(), message)
                .with_hint(suggest("", target.modes.iter().map(String::as_str)));
            return None;
        }
        Some(mode.to_owned())
    }

    fn guard(&mut self, item: &Item<'_>) -> Guard {
        let mut guard = Guard::default();
        let Some(table) = item.table(
            "a destination's `guard`",
            "destination.guard",
            &mut self.report,
        ) else {
            return guard;
        };
        guard.empty_source_stops = self.empty_source(&table);
        if let Some(share) = self.share(&table, "max_removed") {
            guard.max_removed = share;
        }
        guard
    }
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            empty_source_stops: true,
            max_removed: MAX_REMOVED,
        }
    }
}
