//! Traits that are worked out: over events, over other traits, and by fitted models. Knows no database and no clock.

pub mod lifetime;
