//! TOML text → spanned tree → checked `Plan`. Reports every problem at once.

mod plan;

pub use plan::{
    Audience, ConsentMap, Destination, Grants, Guard, Hub, IdentityRules, Limits, PersonPush, Plan,
    Schedule, SecretRef, Source, Stream, StreamTarget, Survivorship, SurvivorshipRule,
};
