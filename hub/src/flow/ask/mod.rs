//! Questions of surfaces. They read what is stored, let the pure stages explain it, and change nothing.

pub mod account;
