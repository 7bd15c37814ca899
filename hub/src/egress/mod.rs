//! The only way out: one `Egress` for each source and destination, with its own policy, credentials, rate
//! budgets and connections. Denies everything that is not granted. Knows no connector and no manifest file.

mod dial;
mod otlp;
mod policy;
mod rate;
mod request;
mod send;

pub use otlp::{EXPORT, OtlpClient};
pub use policy::Policy;
pub use request::{Credential, Request};
pub use send::{Egress, EgressSettings, Response, Room, SendError};

/// Returns an unpredictable number.
pub type Random = std::sync::Arc<dyn Fn() -> u64 + Send + Sync>;
