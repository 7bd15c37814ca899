//! Records: OF05.

use super::Code;
use crate::problem::Class;

pub static NO_KEY: Code = Code {
    id: "OF0501",
    title: "a record without a key",
    class: Class::SkipRecord,
    page: include_str!("../pages/OF0501.md"),
};

pub static EXPRESSION_FAILED: Code = Code {
    id: "OF0502",
    title: "an expression failed",
    class: Class::SkipRecord,
    page: include_str!("../pages/OF0502.md"),
};

pub static NO_EVENT_NAME: Code = Code {
    id: "OF0503",
    title: "an event without a name",
    class: Class::SkipRecord,
    page: include_str!("../pages/OF0503.md"),
};

pub static NO_EVENT_TIME: Code = Code {
    id: "OF0504",
    title: "an event without a time",
    class: Class::SkipRecord,
    page: include_str!("../pages/OF0504.md"),
};

pub static UNUSABLE: Code = Code {
    id: "OF0505",
    title: "a field without a usable value",
    class: Class::SkipRecord,
    page: include_str!("../pages/OF0505.md"),
};

pub static WRONG_SHAPE: Code = Code {
    id: "OF0506",
    title: "a reserved field of the wrong kind",
    class: Class::SkipRecord,
    page: include_str!("../pages/OF0506.md"),
};

pub static NOT_MONEY: Code = Code {
    id: "OF0507",
    title: "an amount that is not a whole number of minor units",
    class: Class::SkipRecord,
    page: include_str!("../pages/OF0507.md"),
};

pub static UNKNOWN_CONSENT: Code = Code {
    id: "OF0508",
    title: "a consent that cannot be read",
    class: Class::SkipRecord,
    page: include_str!("../pages/OF0508.md"),
};

pub static NOT_AN_OBJECT: Code = Code {
    id: "OF0509",
    title: "a record that is not an object",
    class: Class::SkipRecord,
    page: include_str!("../pages/OF0509.md"),
};

pub static DAMAGED_TEXT: Code = Code {
    id: "OF0510",
    title: "a value that cannot be read",
    class: Class::SkipRecord,
    page: include_str!("../pages/OF0510.md"),
};

pub static KEY_TAKEN: Code = Code {
    id: "OF0511",
    title: "two records with one key",
    class: Class::SkipRecord,
    page: include_str!("../pages/OF0511.md"),
};

pub static SOURCE_GONE: Code = Code {
    id: "OF0512",
    title: "records of a source that the manifests no longer have",
    class: Class::AskUser,
    page: include_str!("../pages/OF0512.md"),
};

pub static CONSENT_WITHOUT_ADDRESS: Code = Code {
    id: "OF0513",
    title: "a consent without an address",
    class: Class::SkipRecord,
    page: include_str!("../pages/OF0513.md"),
};

pub static RECORD_NOT_JSON: Code = Code {
    id: "OF0590",
    title: "a record is not JSON",
    class: Class::SkipRecord,
    page: include_str!("../pages/OF0590.md"),
};

pub static NOT_CORRECTED: Code = Code {
    id: "OF0514",
    title: "a dead letter that cannot be corrected like this",
    class: Class::AskUser,
    page: include_str!("../pages/OF0514.md"),
};

pub static LETTER_ENDED: Code = Code {
    id: "OF0515",
    title: "a dead letter that is not open any more",
    class: Class::AskUser,
    page: include_str!("../pages/OF0515.md"),
};

pub static TOO_MANY_UNFIT: Code = Code {
    id: "OF0516",
    title: "too many records that do not fit",
    class: Class::AskUser,
    page: include_str!("../pages/OF0516.md"),
};

pub static MESSAGE_REFUSED: Code = Code {
    id: "OF0517",
    title: "a message that was sent to the hub cannot be used",
    class: Class::AskUser,
    page: include_str!("../pages/OF0517.md"),
};
