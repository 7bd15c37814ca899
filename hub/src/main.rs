//! The binary: nothing but `app`.

fn main() {}
