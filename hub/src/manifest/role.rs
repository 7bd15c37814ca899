//! `[[role]]`: roles of the API's tokens in addition to the built-in ones.

use crate::expression::closest;
use crate::manifest::tree::{Hinted, Item};
use crate::manifest::{Loader, Names, Plan};
use crate::model::{Role, Scope};
use crate::problem::codes;
use std::collections::BTreeSet;

impl Plan {
    /// A role of the manifests, or a built-in one.
    pub fn role(&self, name: &str) -> Option<Role> {
        let own = self.roles.iter().find(|role| role.name == name).cloned();
        own.or_else(|| Role::built_in(name))
    }

    pub fn role_names(&self) -> impl Iterator<Item = &str> {
        let own = self.roles.iter().map(|role| role.name.as_str());
        Role::BUILT_IN.into_iter().chain(own)
    }
}

impl Loader<'_> {
    pub(super) fn roles(&mut self, items: &[Item<'_>]) -> Vec<Role> {
        let mut names = Names::default();
        let roles = items.iter().filter_map(|item| self.role(item, &mut names));
        roles.collect()
    }

    fn role(&mut self, item: &Item<'_>, names: &mut Names) -> Option<Role> {
        let table = item.table("a role", "role", &mut self.report)?;
        let name = self.name("a role", &table, names)?;
        if Role::built_in(&name).is_some() {
            let message = format!("`{name}` is a built-in role");
            let spot = table
                .get("name")
                .map_or_else(|| item.spot(), |one| one.spot());
            self.report
                .error(&codes::DUPLICATE, &spot, message)
                .with_hint(Some("give yours another name".to_owned()));
            return None;
        }
        let listed = table.need("scopes", "a role", &mut self.report)?;
        let mut scopes = BTreeSet::new();
        for (item, text) in listed.texts(&mut self.report) {
            let Some(scope) = Scope::parse(text) else {
                let known = || Scope::ALL.iter().map(|(name, _)| *name);
                let hint = match closest(text, known()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are: {}", known().collect::<Vec<_>>().join(", ")),
                };
                let message = format!("there is no scope `{text}`");
                self.report
                    .error(&codes::UNKNOWN_CHOICE, &item.spot(), message)
                    .with_hint(Some(hint));
                continue;
            };
            scopes.insert(scope);
        }
        let masked = table.get("masked");
        let masked = masked.is_none_or(|item| item.boolean(&mut self.report) != Some(false));
        Some(Role {
            name: name.to_string(),
            scopes,
            masked,
        })
    }
}
