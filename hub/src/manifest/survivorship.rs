//! `[profile]`: which claim wins a trait, by default and per trait, and which traits go together.
//!
//! `[profile.trait.city] with = "street"` makes `city` come from the record that wins `street`. The trait that others go
//! with leads the group and has the rule; the traits that follow it have none.

use crate::manifest::Loader;
use crate::manifest::tree::{Hinted, Item, Spot, Table};
use crate::model::snake_case;
use crate::problem::codes;
use std::collections::BTreeMap;

/// How a trait's winner is chosen among claims.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Survivorship {
    pub by_trait: BTreeMap<String, SurvivorshipRule>,
    /// Traits that have no rule of their own, each with the trait that leads its group: the claim that wins the leading trait
    /// wins them, too. A leading trait follows none.
    pub with: BTreeMap<String, String>,
    pub default: SurvivorshipRule,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub enum SurvivorshipRule {
    #[default]
    MostRecent,
    /// Source names, best first; sources not named come after, and ties go to the most recent.
    SourcePriority(Vec<String>),
    First,
    Min,
    Max,
    Longest,
    MostFrequent,
    Union,
    AnyTrue,
}

/// A word and its rule, still without sources.
type Rule = (&'static str, fn() -> SurvivorshipRule);

const RULES: [Rule; 9] = [
    ("most_recent", || SurvivorshipRule::MostRecent),
    ("source_priority", || {
        SurvivorshipRule::SourcePriority(Vec::new())
    }),
    ("first", || SurvivorshipRule::First),
    ("min", || SurvivorshipRule::Min),
    ("max", || SurvivorshipRule::Max),
    ("longest", || SurvivorshipRule::Longest),
    ("most_frequent", || SurvivorshipRule::MostFrequent),
    ("union", || SurvivorshipRule::Union),
    ("any_true", || SurvivorshipRule::AnyTrue),
];

/// What the tables have said so far, with the places that later checks point at.
#[derive(Default)]
struct Draft {
    rules: Survivorship,
    /// Where each trait has its table.
    seen: BTreeMap<String, Spot>,
    /// Where each following trait names the one that leads it.
    leaders: BTreeMap<String, Spot>,
}

impl Survivorship {
    /// The rules for accounts: the rules of traits whose names begin with `account.`, and the default.
    pub fn of_accounts(&self) -> Self {
        let own = |name: &String| name.strip_prefix("account.").map(str::to_owned);
        let rules = self.by_trait.iter();
        let with = self.with.iter();
        Self {
            by_trait: rules
                .filter_map(|(name, rule)| Some((own(name)?, rule.clone())))
                .collect(),
            with: with
                .filter_map(|(name, leader)| Some((own(name)?, own(leader)?)))
                .collect(),
            default: self.default.clone(),
        }
    }
}

impl Loader<'_> {
    pub(super) fn survivorship(&mut self, items: &[Item<'_>]) -> Survivorship {
        let mut draft = Draft::default();
        for item in items {
            let Some(table) = item.table("`[profile]`", "profile", &mut self.report) else {
                continue;
            };
            if table.get("rule").is_some() {
                draft.rules.default = self.rule(&table).unwrap_or_default();
            }
            let Some(traits) = table
                .get("trait")
                .and_then(|item| item.free_table(&mut self.report))
            else {
                continue;
            };
            for item in traits.items() {
                self.trait_rule(&item, &mut draft);
            }
        }
        self.check_groups(&draft);
        draft.rules
    }

    fn trait_rule(&mut self, item: &Item<'_>, draft: &mut Draft) {
        let Some(table) = item.table("a trait's rule", "profile.trait", &mut self.report) else {
            return;
        };
        let name = snake_case(item.key).into_owned();
        self.mentions.traits.push((name.clone(), item.key_spot()));
        if draft.seen.insert(name.clone(), item.key_spot()).is_some() {
            let message = format!("`{name}` has a rule or a group already");
            self.report
                .error(&codes::DUPLICATE, &item.key_spot(), message);
            return;
        }
        let Some(with) = table.get("with") else {
            if table
                .need("rule", "a trait's rule", &mut self.report)
                .is_some()
                && let Some(rule) = self.rule(&table)
            {
                draft.rules.by_trait.insert(name, rule);
            }
            return;
        };
        for key in ["rule", "sources"] {
            if let Some(item) = table.get(key) {
                let message =
                    format!("`{name}` goes with another trait and has no `{key}` of its own");
                self.report
                    .error(&codes::WRONG_VALUE, &item.key_spot(), message)
                    .with_hint(Some(
                        "the rule of the trait that it goes with counts for both".to_owned(),
                    ));
            }
        }
        let Some(leader) = with.text(&mut self.report).map(snake_case) else {
            return;
        };
        self.mentions
            .traits
            .push((leader.clone().into_owned(), with.spot()));
        draft.leaders.insert(name.clone(), with.spot());
        draft.rules.with.insert(name, leader.into_owned());
    }

    /// Each leading trait must follow none, and be won by one record.
    fn check_groups(&mut self, draft: &Draft) {
        let rules = &draft.rules;
        for (name, leader) in &rules.with {
            let spot = &draft.leaders[name];
            let is_account = |name: &str| name.starts_with("account.");
            let (message, hint) = if is_account(name) != is_account(leader) {
                let message = "a person's trait and an account's cannot go together";
                (message.to_owned(), None)
            } else if name == leader {
                (format!("`{name}` cannot go with itself"), None)
            } else if let Some(first) = rules.with.get(leader) {
                let hint = (first != name).then(|| format!("write `with = \"{first}\"`"));
                (format!("`{leader}` goes with `{first}` itself"), hint)
            } else if rules.by_trait.get(leader).unwrap_or(&rules.default)
                == &SurvivorshipRule::Union
            {
                let message = format!(
                    "nothing can go with `{leader}`: by the rule `union` its value comes from several records"
                );
                (
                    message,
                    Some(format!("give `{leader}` a rule that chooses one record")),
                )
            } else {
                continue;
            };
            self.report
                .error(&codes::WRONG_VALUE, spot, message)
                .with_hint(hint);
        }
    }

    fn rule(&mut self, table: &Table<'_>) -> Option<SurvivorshipRule> {
        let rule = table.get("rule")?.choice(&RULES, &mut self.report)?();
        let sources = table.get("sources");
        if !matches!(rule, SurvivorshipRule::SourcePriority(_)) {
            if let Some(item) = sources {
                let message = "only the rule `source_priority` takes `sources`";
                self.report
                    .error(&codes::WRONG_VALUE, &item.key_spot(), message);
            }
            return Some(rule);
        }
        let item = table.need("sources", "the rule `source_priority`", &mut self.report)?;
        let mut names = Vec::new();
        for (item, name) in item.texts(&mut self.report) {
            self.mentions.sources.push((name.to_owned(), item.spot()));
            names.push(name.to_owned());
        }
        Some(SurvivorshipRule::SourcePriority(names))
    }
}
