//! Questions of surfaces. They read what is stored, let the pure stages explain it, and change nothing.

pub mod account;
pub mod audience;
pub mod consent;
pub mod destination;
pub mod explain;
pub mod history;
pub mod past;
pub mod preview;
pub mod profile;
pub mod review;
pub mod shown;
pub mod thing;
