//! Onefold: a customer-data hub. The modules are on floors and import only downwards; see `ARCHITECTURE.md`.

/// Records are made on one thread and freed on another, many at a time, which the C library's allocator is slow at and
/// keeps too much memory for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// Floor 0
pub mod clock;
pub mod model;
pub mod problem;
// Floor 1
pub mod expression;
pub mod files;
// Floor 2
pub mod manifest;
// Floor 3: pure stages
pub mod audience;
pub mod canonical;
pub mod compute;
pub mod delivery;
pub mod identity;
pub mod landing;
pub mod likeness;
pub mod profile;
// Floor 4
pub mod egress;
pub mod host;
pub mod ingress;
pub mod store;
pub mod vault;
// Floor 5
pub mod flow;
pub mod kit;
// Floor 6
pub mod opening;
// Floor 7
pub mod api;
pub mod cli;
pub mod collector;
// Floor 8
pub mod app;
