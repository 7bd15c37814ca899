//! Manifests: OF01.

use super::Code;
use crate::problem::Class;

pub static SYNTAX: Code = Code {
    id: "OF0101",
    title: "this is not TOML",
    class: Class::AskUser,
    page: include_str!("../pages/OF0101.md"),
};

pub static UNKNOWN_KEY: Code = Code {
    id: "OF0102",
    title: "unknown key",
    class: Class::AskUser,
    page: include_str!("../pages/OF0102.md"),
};

pub static WRONG_VALUE: Code = Code {
    id: "OF0103",
    title: "a value of the wrong kind",
    class: Class::AskUser,
    page: include_str!("../pages/OF0103.md"),
};

pub static MISSING_KEY: Code = Code {
    id: "OF0104",
    title: "a key is missing",
    class: Class::AskUser,
    page: include_str!("../pages/OF0104.md"),
};

pub static INLINE_SECRET: Code = Code {
    id: "OF0105",
    title: "a secret is written in the manifest",
    class: Class::AskUser,
    page: include_str!("../pages/OF0105.md"),
};

pub static DUPLICATE: Code = Code {
    id: "OF0106",
    title: "a name is taken twice",
    class: Class::AskUser,
    page: include_str!("../pages/OF0106.md"),
};

pub static UNKNOWN_TRAIT: Code = Code {
    id: "OF0107",
    title: "unknown trait",
    class: Class::AskUser,
    page: include_str!("../pages/OF0107.md"),
};

pub static UNKNOWN_AUDIENCE: Code = Code {
    id: "OF0108",
    title: "unknown audience",
    class: Class::AskUser,
    page: include_str!("../pages/OF0108.md"),
};

pub static AUDIENCE_CYCLE: Code = Code {
    id: "OF0109",
    title: "audiences refer to each other in a circle",
    class: Class::AskUser,
    page: include_str!("../pages/OF0109.md"),
};

pub static BAD_CONDITION: Code = Code {
    id: "OF0110",
    title: "a condition that cannot be read",
    class: Class::AskUser,
    page: include_str!("../pages/OF0110.md"),
};

pub static BAD_DURATION: Code = Code {
    id: "OF0111",
    title: "a time or duration that cannot be read",
    class: Class::AskUser,
    page: include_str!("../pages/OF0111.md"),
};

pub static BAD_SCHEDULE: Code = Code {
    id: "OF0112",
    title: "a schedule that cannot be read",
    class: Class::AskUser,
    page: include_str!("../pages/OF0112.md"),
};

pub static BAD_EXPRESSION: Code = Code {
    id: "OF0113",
    title: "an expression that cannot be compiled",
    class: Class::AskUser,
    page: include_str!("../pages/OF0113.md"),
};

pub static BAD_REGION: Code = Code {
    id: "OF0114",
    title: "unknown region",
    class: Class::AskUser,
    page: include_str!("../pages/OF0114.md"),
};

pub static UNKNOWN_CHOICE: Code = Code {
    id: "OF0115",
    title: "a word that is not one of the choices",
    class: Class::AskUser,
    page: include_str!("../pages/OF0115.md"),
};

pub static UNKNOWN_SOURCE: Code = Code {
    id: "OF0116",
    title: "unknown source",
    class: Class::AskUser,
    page: include_str!("../pages/OF0116.md"),
};

pub static BAD_NAME: Code = Code {
    id: "OF0117",
    title: "a name or address that cannot be used",
    class: Class::AskUser,
    page: include_str!("../pages/OF0117.md"),
};

pub static NO_CONSENT: Code = Code {
    id: "OF0118",
    title: "a destination does not say which consent it needs",
    class: Class::AskUser,
    page: include_str!("../pages/OF0118.md"),
};

pub static BAD_NUMBER: Code = Code {
    id: "OF0119",
    title: "a number out of range",
    class: Class::AskUser,
    page: include_str!("../pages/OF0119.md"),
};

pub static UNKNOWN_KIND: Code = Code {
    id: "OF0120",
    title: "unknown kind of identifier",
    class: Class::AskUser,
    page: include_str!("../pages/OF0120.md"),
};

pub static CONTRADICTION: Code = Code {
    id: "OF0150",
    title: "identity rules that contradict each other",
    class: Class::AskUser,
    page: include_str!("../pages/OF0150.md"),
};

pub static BAD_GRANT: Code = Code {
    id: "OF0121",
    title: "a grant that cannot be read",
    class: Class::AskUser,
    page: include_str!("../pages/OF0121.md"),
};

pub static NOTHING_TO_SEND: Code = Code {
    id: "OF0122",
    title: "a destination that is sent nothing",
    class: Class::AskUser,
    page: include_str!("../pages/OF0122.md"),
};

pub static NO_HUB: Code = Code {
    id: "OF0123",
    title: "the hub has no name or no store",
    class: Class::AskUser,
    page: include_str!("../pages/OF0123.md"),
};

pub static TRAIT_CYCLE: Code = Code {
    id: "OF0130",
    title: "computed traits refer to each other in a circle",
    class: Class::AskUser,
    page: include_str!("../pages/OF0130.md"),
};

pub static UNKNOWN_PROPERTY: Code = Code {
    id: "OF0131",
    title: "unknown event or property",
    class: Class::AskUser,
    page: include_str!("../pages/OF0131.md"),
};

pub static BAD_TRAIT: Code = Code {
    id: "OF0132",
    title: "a computed trait that cannot be worked out",
    class: Class::AskUser,
    page: include_str!("../pages/OF0132.md"),
};

pub static UNKNOWN_PURPOSE: Code = Code {
    id: "OF0124",
    title: "unknown purpose",
    class: Class::AskUser,
    page: include_str!("../pages/OF0124.md"),
};
