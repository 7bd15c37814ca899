//! Egress, vendors and secrets: OF04.

use super::Code;
use crate::problem::Class;

pub static HOST_DENIED: Code = Code {
    id: "OF0401",
    title: "a connector may not call this host",
    class: Class::AskUser,
    page: include_str!("../pages/OF0401.md"),
};

pub static ADDRESS_DENIED: Code = Code {
    id: "OF0402",
    title: "a host leads to an address that is not granted",
    class: Class::AskUser,
    page: include_str!("../pages/OF0402.md"),
};

pub static SCHEME_DENIED: Code = Code {
    id: "OF0403",
    title: "only HTTPS leaves the hub",
    class: Class::AskUser,
    page: include_str!("../pages/OF0403.md"),
};

pub static REDIRECT_DENIED: Code = Code {
    id: "OF0404",
    title: "a vendor redirected to another host",
    class: Class::AskUser,
    page: include_str!("../pages/OF0404.md"),
};

pub static REQUEST_DENIED: Code = Code {
    id: "OF0405",
    title: "a request is not well formed",
    class: Class::Stop,
    page: include_str!("../pages/OF0405.md"),
};

pub static CREDENTIAL_DENIED: Code = Code {
    id: "OF0406",
    title: "a credential is not granted",
    class: Class::AskUser,
    page: include_str!("../pages/OF0406.md"),
};

pub static CLIENT_UNAVAILABLE: Code = Code {
    id: "OF0420",
    title: "the HTTP client cannot start",
    class: Class::AskUser,
    page: include_str!("../pages/OF0420.md"),
};

pub static VENDOR_CONFIG: Code = Code {
    id: "OF0440",
    title: "the configuration is wrong for the vendor",
    class: Class::AskUser,
    page: include_str!("../pages/OF0440.md"),
};

pub static VENDOR_AUTH: Code = Code {
    id: "OF0441",
    title: "the vendor refused the credential",
    class: Class::AskUser,
    page: include_str!("../pages/OF0441.md"),
};

pub static VENDOR_PERMISSION: Code = Code {
    id: "OF0442",
    title: "the credential lacks a right",
    class: Class::AskUser,
    page: include_str!("../pages/OF0442.md"),
};

pub static VENDOR_RATE_LIMITED: Code = Code {
    id: "OF0443",
    title: "the vendor asks to wait",
    class: Class::Retry,
    page: include_str!("../pages/OF0443.md"),
};

pub static VENDOR_TRANSIENT: Code = Code {
    id: "OF0444",
    title: "the vendor could not answer just now",
    class: Class::Retry,
    page: include_str!("../pages/OF0444.md"),
};

pub static VENDOR_PERMANENT: Code = Code {
    id: "OF0445",
    title: "the vendor refused the request for good",
    class: Class::Stop,
    page: include_str!("../pages/OF0445.md"),
};

pub static VENDOR_CURSOR_EXPIRED: Code = Code {
    id: "OF0446",
    title: "the vendor no longer knows where reading stopped",
    class: Class::Stop,
    page: include_str!("../pages/OF0446.md"),
};

pub static CANCELLED: Code = Code {
    id: "OF0447",
    title: "the run was stopped",
    class: Class::Stop,
    page: include_str!("../pages/OF0447.md"),
};

pub static VENDOR_OTHER: Code = Code {
    id: "OF0448",
    title: "the connector failed",
    class: Class::Stop,
    page: include_str!("../pages/OF0448.md"),
};

pub static SECRET_MISSING: Code = Code {
    id: "OF0490",
    title: "a secret is missing",
    class: Class::AskUser,
    page: include_str!("../pages/OF0490.md"),
};
