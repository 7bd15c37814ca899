//! The rules of identity in the form that `resolve` uses. Priority is the order of `IdentifierKind`.

use crate::manifest::IdentityRules;
use crate::model::{Identifier, IdentifierKind, PersonId};
use std::collections::HashSet;
use uuid::Uuid;

/// The namespace under which every hub has its own, so that two hubs never give out the same person's id.
const HUBS: Uuid = Uuid::from_u128(0x6f6e_6566_6f6c_5d68_9562_1d5f_6875_6273);

#[derive(Debug, Clone)]
pub struct Rules {
    pub(super) namespace: Uuid,
    pub(super) shared_above: u32,
    limits: Vec<(Limited, u32)>,
    blocked: HashSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Limited {
    Kind(IdentifierKind),
    /// `external`: each source's ids by themselves.
    EveryExternal,
}

impl Rules {
    /// `hub` is the hub's name. A limit on a kind that does not exist limits nothing; a limit below one counts as one.
    pub fn new(rules: &IdentityRules, hub: &str) -> Self {
        let limits = rules.limits.iter().filter_map(|(kind, limit)| {
            let limited = match kind.as_str() {
                "external" => Limited::EveryExternal,
                kind => Limited::Kind(IdentifierKind::parse(kind)?),
            };
            Some((limited, (*limit).max(1)))
        });
        Self {
            namespace: Uuid::new_v5(&HUBS, hub.as_bytes()),
            shared_above: rules.shared_above,
            limits: limits.collect(),
            blocked: rules.blocked.iter().cloned().collect(),
        }
    }

    /// The id of the person whose earliest evidence is this message.
    pub fn person_id(&self, message: &str) -> PersonId {
        PersonId(Uuid::new_v5(&self.namespace, message.as_bytes()))
    }

    /// Whether the hub's own list blocks it. The stand-ins that every hub blocks never become an `Identifier`.
    pub fn blocks(&self, identifier: &Identifier) -> bool {
        !self.blocked.is_empty()
            && self
                .blocked
                .contains(&format!("{}:{}", identifier.kind, identifier.value))
    }

    /// How many values of `kind` one person may have; a limit on the kind itself goes before one on `external`.
    pub fn limit(&self, kind: &IdentifierKind) -> Option<u32> {
        let of = |wanted: &Limited| {
            self.limits
                .iter()
                .find(|(limited, _)| limited == wanted)
                .map(|(_, limit)| *limit)
        };
        if self.limits.is_empty() {
            return None;
        }
        match kind {
            IdentifierKind::External(_) => {
                of(&Limited::Kind(kind.clone())).or_else(|| of(&Limited::EveryExternal))
            }
            _ => self
                .limits
                .iter()
                .find(|(limited, _)| matches!(limited, Limited::Kind(k) if k == kind))
                .map(|(_, limit)| *limit),
        }
    }
}
