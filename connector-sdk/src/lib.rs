//! Write Onefold connectors in Rust. A connector implements the traits of `connector` over a `Hub`, and `export!`
//! turns it into a WebAssembly component; the same code runs natively over any other `Hub`, such as the one of `testing`.
//! The SDK owns configuration, error classes, paging and the cutting of records out of pages. It knows no vendor.
//! A whole source is in the documentation of `export!`.

pub mod config;
pub mod connector;
pub mod found;
#[cfg(target_family = "wasm")]
pub mod guest;
pub mod http;
pub mod hub;
mod lenient;
pub mod manifest;
pub mod paging;
pub mod records;
pub mod rows;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod time;
pub mod types;

pub use connector::{Audience, Connector, Destination, Privacy, Source, Webhook};
pub use found::Found;
pub use http::Vendor;
pub use hub::{HttpError, Hub, Level, MacAlgorithm, Request, Response};
pub use manifest::Manifest;
pub use paging::{Step, read_pages};
pub use records::{Page, Row, Rows, cut};
pub use types::*;

/// Makes a type the exports of a component: `meta`, and those of `source`, `webhook`, `destination`, `audience`,
/// `privacy` that are named. Does nothing in a native build.
///
/// ```
/// use onefold_sdk::connector::call;
/// use onefold_sdk::paging::next_page;
/// use onefold_sdk::testing::{TestHub, json, whole};
/// use onefold_sdk::{
///     Batch, CheckReport, Connector, Hub, ReadRequest, Request, Result, Source, Step, Vendor, cut, read_pages,
/// };
/// use serde_json::json;
///
/// struct Acme;
/// onefold_sdk::export!(Acme: source);
///
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Config {
///     base_url: String,
/// }
///
/// const ACME: Vendor = Vendor { name: "acme", code: &["/code"], message: &["/message"] };
///
/// impl Connector for Acme {
///     type Config = Config;
///     const MANIFEST: &'static str = r#"{
///         "name": "acme", "title": "Acme", "version": "1.0.0", "hosts": ["api.acme.example"],
///         "credentials": {"key": {"title": "API key", "required": true, "inject": "bearer"}},
///         "streams": [{"name": "people", "title": "People", "primary_key": ["id"],
///             "schema": {"type": "object", "properties": {"id": {"type": "string"}, "mail": {"type": "string"}}},
///             "mapping": {"to": "person", "key": "id", "map": {"email": "mail | email"}}}]
///     }"#;
///     const CONFIG_SCHEMA: &'static str = r#"{"type": "object", "required": ["base_url"]}"#;
///
///     fn check(hub: &dyn Hub, config: &Config) -> Result<CheckReport> {
///         ACME.send(hub, Request::get(format!("{}/me", config.base_url)).auth("key"))?;
///         Ok(CheckReport::default())
///     }
/// }
///
/// impl Source for Acme {
///     fn read(hub: &dyn Hub, config: &Config, request: &ReadRequest) -> Result<Batch> {
///         read_pages(hub, request, || Ok(1), |page, _, found| {
///             let url = format!("{}/people", config.base_url);
///             let request = Request::get(url).query("page", &page.to_string()).auth("key");
///             let answer = ACME.send(hub, request)?;
///             let rows = cut(&answer.body, &["people"])?;
///             rows.append_to(&mut found.upserts);
///             Ok(next_page(page, rows.rows.len(), 2).map_or(Step::Done(1), Step::More))
///         })
///     }
/// }
///
/// let hub = TestHub::script([
///     ("GET https://x/people?page=1", json(200, json!({"people": [{"id": "1"}, {"id": "2"}]}))),
///     ("GET https://x/people?page=2", json(200, json!({"people": [{"id": "3"}]}))),
/// ]);
/// let batch = call::read::<Acme>(&hub, r#"{"base_url": "https://x"}"#, &whole("people")).unwrap();
/// assert_eq!((batch.upserts.count, batch.done), (3, true));
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
