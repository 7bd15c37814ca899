//! Load, pure step, save: one file per hop.

pub mod connect;
