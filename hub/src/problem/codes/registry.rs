//! Getting connectors into a hub, from registries, web servers and files: OF0341 to OF0359.

use super::Code;
use crate::problem::Class;

pub static BAD_REFERENCE: Code = Code {
    id: "OF0341",
    title: "a connector's place cannot be read",
    class: Class::AskUser,
    page: include_str!("../pages/OF0341.md"),
};

pub static SOURCE_DOWN: Code = Code {
    id: "OF0342",
    title: "a registry or web server does not answer",
    class: Class::Retry,
    page: include_str!("../pages/OF0342.md"),
};

pub static SOURCE_REFUSED: Code = Code {
    id: "OF0343",
    title: "a registry or web server refuses",
    class: Class::AskUser,
    page: include_str!("../pages/OF0343.md"),
};

pub static NOT_AT_SOURCE: Code = Code {
    id: "OF0344",
    title: "nothing is there",
    class: Class::AskUser,
    page: include_str!("../pages/OF0344.md"),
};

pub static BAD_SOURCE: Code = Code {
    id: "OF0345",
    title: "a registry's answer is not what the protocol says",
    class: Class::AskUser,
    page: include_str!("../pages/OF0345.md"),
};

pub static DIGEST_MISMATCH: Code = Code {
    id: "OF0346",
    title: "the bytes are not the ones that were asked for",
    class: Class::AskUser,
    page: include_str!("../pages/OF0346.md"),
};

pub static LOCK_BROKEN: Code = Code {
    id: "OF0347",
    title: "a locked connector is not the one that was locked",
    class: Class::AskUser,
    page: include_str!("../pages/OF0347.md"),
};

pub static LOCK_UNREADABLE: Code = Code {
    id: "OF0348",
    title: "`connectors.lock` cannot be read",
    class: Class::AskUser,
    page: include_str!("../pages/OF0348.md"),
};

pub static UNSIGNED: Code = Code {
    id: "OF0349",
    title: "the connector is not signed",
    class: Class::AskUser,
    page: include_str!("../pages/OF0349.md"),
};

pub static WRONG_SIGNER: Code = Code {
    id: "OF0350",
    title: "signed by somebody who is not trusted",
    class: Class::AskUser,
    page: include_str!("../pages/OF0350.md"),
};

pub static BAD_SIGNATURE: Code = Code {
    id: "OF0351",
    title: "the signature is not one of these bytes",
    class: Class::AskUser,
    page: include_str!("../pages/OF0351.md"),
};

pub static BAD_KEY: Code = Code {
    id: "OF0352",
    title: "a signing key cannot be used",
    class: Class::AskUser,
    page: include_str!("../pages/OF0352.md"),
};

pub static BAD_TRUSTED_KEY: Code = Code {
    id: "OF0353",
    title: "a trusted key cannot be read",
    class: Class::AskUser,
    page: include_str!("../pages/OF0353.md"),
};

pub static ASKS_FOR_MORE: Code = Code {
    id: "OF0354",
    title: "a connector asks for more than it was granted",
    class: Class::AskUser,
    page: include_str!("../pages/OF0354.md"),
};

pub static BAD_BUNDLE: Code = Code {
    id: "OF0355",
    title: "a bundle cannot be read",
    class: Class::AskUser,
    page: include_str!("../pages/OF0355.md"),
};

pub static LOCK_CHANGED: Code = Code {
    id: "OF0356",
    title: "the lock changed while a connector was added",
    class: Class::AskUser,
    page: include_str!("../pages/OF0356.md"),
};
