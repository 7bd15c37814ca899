//! What differs between databases: types, calls, and the statements that are not the same text for all. Each database has a
//! file here that provides the same names; the rest of `store` names none of them. Knows no table.

mod sqlite;

pub use sqlite::{
    BEGIN_WRITING, BYTES, Connection, Database, Found, FoundResult, IN_INTEGERS, OPENING_READER,
    OPENING_WRITER, Pool, PoolOptions, Row, by_key, checkpoint, copy, each, insert, integers,
    integers_in, is_busy, is_there, known, migration, options, owned, pages_in_wal, path, shrink,
    teach,
};
