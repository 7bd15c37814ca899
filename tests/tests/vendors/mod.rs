//! The fake vendors judged by strangers: the vendors' own clients, a vendor's description, another server.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod clients;
pub mod localstripe;
mod localstripe_charge;
mod mailchimp_description;
pub mod python;
mod speed;
