//! The statements and types that differ between databases. Everything else in `store` is one text for all.
//! Knows no table.

/// Turns a migration's text into the database's own.
pub fn migration(text: &str) -> String {
    text.lines()
        .map(|line| match line.strip_suffix(" --clustered") {
            Some(table) => format!("{} without rowid;\n", table.trim_end_matches(';')),
            None => format!("{line}\n"),
        })
        .collect::<String>()
        .replace(" bigint primary key", " integer primary key")
        .replace(" bytea", " blob")
}

/// A set of integers given as one JSON array in parameter `$1`.
pub const IN_INTEGERS: &str = "in (select value from json_each($1))";

/// The place of parameter `number` in a statement with thousands of them, where they stand in order. SQLite keeps the
/// names of numbered parameters in a list, and each is looked up from its start whenever the statement is bound: that
/// costs the square of their number. Nameless ones cost nothing.
pub fn push_placeholder(text: &mut String, _number: usize) {
    text.push('?');
}

/// What a connection says first.
pub const OPENING: &str = "pragma journal_mode = wal; pragma synchronous = normal; pragma cache_size = -49152; \
    pragma temp_store = memory; pragma wal_autocheckpoint = 8000; pragma busy_timeout = 30000; pragma mmap_size = 0;";
