//! Delivery and guards: OF07.

use super::Code;
use crate::problem::Class;

pub static EMPTY_SOURCE: Code = Code {
    id: "OF0701",
    title: "a source came up empty",
    class: Class::AskUser,
    page: include_str!("../pages/OF0701.md"),
};

pub static GUARD_REMOVED: Code = Code {
    id: "OF0702",
    title: "a run would remove too many members",
    class: Class::AskUser,
    page: include_str!("../pages/OF0702.md"),
};

pub static ROW_REJECTED: Code = Code {
    id: "OF0703",
    title: "the vendor rejected a row",
    class: Class::SkipRecord,
    page: include_str!("../pages/OF0703.md"),
};

pub static JOB_UNFINISHED: Code = Code {
    id: "OF0704",
    title: "the vendor never said what became of the rows",
    class: Class::Retry,
    page: include_str!("../pages/OF0704.md"),
};

pub static WHOLE_REFUSED: Code = Code {
    id: "OF0705",
    title: "a vendor refuses a whole audience or target",
    class: Class::Stop,
    page: include_str!("../pages/OF0705.md"),
};
