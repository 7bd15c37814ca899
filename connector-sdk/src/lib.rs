//! Write Onefold connectors in Rust. A connector implements the traits of `connector` over a `Hub`, and `export!`
//! turns it into a WebAssembly component; the same code runs natively over any other `Hub`, such as the one of `testing`.
//! The SDK owns configuration, error classes, paging and the cutting of records out of pages. It knows no vendor.

pub mod config;
pub mod connector;
#[cfg(target_family = "wasm")]
pub mod guest;
pub mod http;
pub mod hub;
pub mod manifest;
pub mod paging;
pub mod records;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod time;
pub mod types;

pub use connector::{Audience, Connector, Destination, Privacy, Source, Webhook};
pub use http::Vendor;
pub use hub::{HttpError, Hub, Level, MacAlgorithm, Request, Response};
pub use manifest::Manifest;
pub use paging::{Step, read_pages};
pub use records::{Page, Row, Rows, cut};
pub use types::*;

/// Makes a type the exports of a component: `meta`, and those of `source`, `webhook`, `destination`, `audience`,
/// `privacy` that are named. Does nothing in a native build.
///
/// ```text
/// onefold_sdk::export!(HubSpot: source, destination, audience, privacy);
/// ```
#[macro_export]
macro_rules! export {
    ($connector:ty: $($interface:ident),+ $(,)?) => {
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, unused_qualifications)]
        const _: () = {
            type Component = $crate::guest::Component<$connector>;
            $crate::guest::meta::export!(Component with_types_in $crate::guest::meta);
            $($crate::guest::$interface::export!(Component with_types_in $crate::guest::$interface);)+
        };
    };
}
