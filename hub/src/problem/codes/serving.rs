//! OF094x: encrypted connections of a hub that runs.

use crate::problem::{Class, Code};

pub static CERTIFICATE_UNREADABLE: Code = Code {
    id: "OF0940",
    title: "a file of a certificate or its key cannot be used",
    class: Class::AskUser,
    page: include_str!("../pages/OF0940.md"),
};

pub static KEY_DOES_NOT_FIT: Code = Code {
    id: "OF0941",
    title: "a key does not fit its certificate",
    class: Class::AskUser,
    page: include_str!("../pages/OF0941.md"),
};

pub static CERTIFICATE_EXPIRED: Code = Code {
    id: "OF0942",
    title: "a certificate is not valid now",
    class: Class::AskUser,
    page: include_str!("../pages/OF0942.md"),
};
