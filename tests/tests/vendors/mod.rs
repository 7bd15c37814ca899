//! The fake vendors judged by strangers: the vendors' own clients, a vendor's description, another server.

mod clients;
mod localstripe;
mod mailchimp_description;
mod python;
