//! Who may ask the hub for what: scopes, and roles made of them.

use std::collections::BTreeSet;

/// What a caller of the API may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// How the hub is: status, runs, schedules, connectors, destinations.
    HubRead,
    /// Pausing and resuming.
    HubOperate,
    /// Names, sizes and histories of audiences; nobody's membership.
    AudiencesRead,
    /// Profiles, search, members.
    PeopleRead,
    /// Which audiences people are in whose identifiers the caller knows.
    MembershipsCheck,
    AccountsRead,
    /// What was sent to destinations, by row.
    DeliveriesRead,
    DeadLettersRead,
    DeadLettersRetry,
    ConsentsState,
    AuditRead,
}

use Scope::{
    AccountsRead, AudiencesRead, AuditRead, ConsentsState, DeadLettersRead, DeadLettersRetry,
    DeliveriesRead, HubOperate, HubRead, MembershipsCheck, PeopleRead,
};

impl Scope {
    pub const ALL: [(&'static str, Self); 11] = [
        ("hub:read", HubRead),
        ("hub:operate", HubOperate),
        ("audiences:read", AudiencesRead),
        ("people:read", PeopleRead),
        ("memberships:check", MembershipsCheck),
        ("accounts:read", AccountsRead),
        ("deliveries:read", DeliveriesRead),
        ("dead-letters:read", DeadLettersRead),
        ("dead-letters:retry", DeadLettersRetry),
        ("consents:state", ConsentsState),
        ("audit:read", AuditRead),
    ];

    pub fn parse(text: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, scope)| *scope)
    }

    /// Whether it lets something be changed.
    pub fn changes(self) -> bool {
        matches!(self, HubOperate | DeadLettersRetry | ConsentsState)
    }

    pub fn as_str(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, scope)| *scope == self);
        found.map_or("", |(name, _)| *name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    pub name: String,
    pub scopes: BTreeSet<Scope>,
    /// Sees of personal data only what kind of value there is.
    pub masked: bool,
}

impl Role {
    pub const BUILT_IN: [&'static str; 5] =
        ["viewer", "analyst", "operator", "privacy_officer", "admin"];

    pub fn built_in(name: &str) -> Option<Self> {
        let all = Scope::ALL.map(|(_, scope)| scope);
        let (scopes, masked): (&[Scope], bool) = match name {
            "viewer" => (&[HubRead, AudiencesRead], true),
            "analyst" => (
                &[
                    HubRead,
                    AudiencesRead,
                    PeopleRead,
                    MembershipsCheck,
                    AccountsRead,
                    DeliveriesRead,
                ],
                true,
            ),
            "operator" => (
                &[
                    HubRead,
                    HubOperate,
                    AudiencesRead,
                    DeliveriesRead,
                    DeadLettersRead,
                    DeadLettersRetry,
                ],
                true,
            ),
            "privacy_officer" => (
                &[
                    HubRead,
                    AudiencesRead,
                    PeopleRead,
                    AccountsRead,
                    DeliveriesRead,
                    DeadLettersRead,
                    ConsentsState,
                    AuditRead,
                ],
                false,
            ),
            "admin" => (&all, false),
            _ => return None,
        };
        Some(Self {
            name: name.to_owned(),
            scopes: scopes.iter().copied().collect(),
            masked,
        })
    }
}
