//! A connector as a component: the contract's bindings, one part for each interface, and the hub behind the imports.
//! A component's world is the union of its parts, which is how one crate serves every world. Compiled for WebAssembly
//! only. Decides nothing; the conversions are in `convert`, the calls in `connector::call`.

mod convert;

use crate::hub::{HttpError, Hub, Level, MacAlgorithm, Request, Response};
use meta::onefold::connector::{crypto, http, log, run};
use std::marker::PhantomData;
use std::sync::Once;

/// Stands for a connector where the bindings want a type.
pub struct Component<T>(PhantomData<T>);

/// The imports that every connector has, and the export that it must have.
#[allow(unsafe_code, unused_qualifications, clippy::all)]
pub mod meta {
    wit_bindgen::generate!({
        path: "wit/v0.1",
        inline: r"
            package onefold:sdk;
            world meta-part {
                import onefold:connector/log@0.1.0;
                import onefold:connector/run@0.1.0;
                import onefold:connector/http@0.1.0;
                import onefold:connector/crypto@0.1.0;
                export onefold:connector/meta@0.1.0;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export",
        generate_all,
        runtime_path: "crate::guest::rt",
    });
}

/// Reading.
#[allow(unsafe_code, unused_qualifications, clippy::all)]
pub mod source {
    wit_bindgen::generate!({
        path: "wit/v0.1",
        inline: r"
            package onefold:sdk;
            world source-part {
                export onefold:connector/source@0.1.0;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export",
        generate_all,
        runtime_path: "crate::guest::rt",
        with: {
            "onefold:connector/types@0.1.0": crate::guest::meta::onefold::connector::types,
        },
    });
}

/// Being called by the vendor.
#[allow(unsafe_code, unused_qualifications, clippy::all)]
pub mod webhook {
    wit_bindgen::generate!({
        path: "wit/v0.1",
        inline: r"
            package onefold:sdk;
            world webhook-part {
                export onefold:connector/webhook@0.1.0;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export",
        generate_all,
        runtime_path: "crate::guest::rt",
        with: {
            "onefold:connector/types@0.1.0": crate::guest::meta::onefold::connector::types,
        },
    });
}

/// Writing rows.
#[allow(unsafe_code, unused_qualifications, clippy::all)]
pub mod destination {
    wit_bindgen::generate!({
        path: "wit/v0.1",
        inline: r"
            package onefold:sdk;
            world destination-part {
                export onefold:connector/destination@0.1.0;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export",
        generate_all,
        runtime_path: "crate::guest::rt",
        with: {
            "onefold:connector/types@0.1.0": crate::guest::meta::onefold::connector::types,
        },
    });
}

/// Writing members.
#[allow(unsafe_code, unused_qualifications, clippy::all)]
pub mod audience {
    wit_bindgen::generate!({
        path: "wit/v0.1",
        inline: r"
            package onefold:sdk;
            world audience-part {
                export onefold:connector/audience@0.1.0;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export",
        generate_all,
        runtime_path: "crate::guest::rt",
        with: {
            "onefold:connector/types@0.1.0": crate::guest::meta::onefold::connector::types,
        },
    });
}

/// Erasing.
#[allow(unsafe_code, unused_qualifications, clippy::all)]
pub mod privacy {
    wit_bindgen::generate!({
        path: "wit/v0.1",
        inline: r"
            package onefold:sdk;
            world privacy-part {
                export onefold:connector/privacy@0.1.0;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export",
        generate_all,
        runtime_path: "crate::guest::rt",
        with: {
            "onefold:connector/types@0.1.0": crate::guest::meta::onefold::connector::types,
        },
    });
}

#[doc(hidden)]
pub use wit_bindgen::rt;

/// The hub behind the contract's imports.
pub struct Imports;

/// The hub, for one call. A panic ends the instance without a word, so the first call sees to it that the log has the message and
/// the place.
fn hub() -> Imports {
    static FIRST: Once = Once::new();
    FIRST.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            log::write(log::Level::Error, &panic.to_string(), None);
        }));
    });
    Imports
}

impl Hub for Imports {
    fn send(&self, request: Request) -> Result<Response, HttpError> {
        let headers = request.headers.into_iter();
        let request = http::Request {
            method: request.method,
            url: request.url,
            headers: headers
                .map(|(name, value)| http::Header { name, value })
                .collect(),
            body: request.body,
            auth: request.auth,
            bucket: request.bucket,
            timeout_ms: request.timeout_ms,
            idempotent: request.idempotent,
        };
        match http::send(&request) {
            Ok(response) => Ok(Response {
                status: response.status,
                headers: response
                    .headers
                    .into_iter()
                    .map(|header| (header.name, header.value))
                    .collect(),
                body: response.body,
            }),
            Err(error) => Err(match error {
                http::HttpError::Denied(text) => HttpError::Denied(text),
                http::HttpError::Dns(text) => HttpError::Dns(text),
                http::HttpError::Connect(text) => HttpError::Connect(text),
                http::HttpError::Tls(text) => HttpError::Tls(text),
                http::HttpError::Timeout => HttpError::Timeout,
                http::HttpError::ResponseTooLarge(limit) => HttpError::TooLarge(limit),
                http::HttpError::Cancelled => HttpError::Cancelled,
                http::HttpError::Other(text) => HttpError::Other(text),
            }),
        }
    }

    fn log(&self, level: Level, message: &str, fields: Option<&str>) {
        let level = match level {
            Level::Trace => log::Level::Trace,
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Warn => log::Level::Warn,
            Level::Error => log::Level::Error,
        };
        log::write(level, message, fields);
    }

    fn cancelled(&self) -> bool {
        run::cancelled()
    }

    fn remaining_ms(&self) -> u64 {
        run::remaining_ms()
    }

    fn now_ms(&self) -> u64 {
        run::now_ms()
    }

    fn progress(&self, done: u64, total: Option<u64>, note: Option<&str>) {
        run::progress(done, total, note);
    }

    fn count(&self, metric: &str, by: u64) {
        run::count(metric, by);
    }

    fn mac(
        &self,
        credential: &str,
        algorithm: MacAlgorithm,
        data: &[u8],
    ) -> Result<Vec<u8>, String> {
        let algorithm = match algorithm {
            MacAlgorithm::HmacSha1 => crypto::MacAlg::HmacSha1,
            MacAlgorithm::HmacSha256 => crypto::MacAlg::HmacSha256,
            MacAlgorithm::HmacSha512 => crypto::MacAlg::HmacSha512,
        };
        crypto::mac(credential, algorithm, data)
    }

    fn sha256(&self, data: &[u8]) -> Vec<u8> {
        crypto::sha256(data)
    }
}
