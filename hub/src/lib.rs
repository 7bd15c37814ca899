//! Onefold: a customer-data hub. The modules stand on floors and import only downwards; see `ARCHITECTURE.md`.

// Floor 0
pub mod clock;
pub mod model;
pub mod problem;
// Floor 1
pub mod expression;
// Floor 2
pub mod manifest;
// Floor 3: pure stages
pub mod audience;
pub mod canonical;
pub mod delivery;
pub mod identity;
pub mod landing;
pub mod profile;
// Floor 4
pub mod egress;
pub mod host;
pub mod store;
pub mod vault;
// Floor 5
pub mod flow;
// Floor 6
pub mod cli;
// Floor 7
pub mod app;
