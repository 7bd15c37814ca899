//! What changes without new records: mappings, keys, rules, definitions, models and statements that are new or edited, timers
//! that are due, sources that were taken out.

pub mod alarm;
pub mod announce;
pub mod consent;
pub mod due;
pub mod fill;
pub mod leftover;
pub mod letters;
pub mod models;
pub mod rebuild;
pub mod remap;
pub mod rules;
pub mod statements;
pub mod suggest;
