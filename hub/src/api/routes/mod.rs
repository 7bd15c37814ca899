//! Every operation of the API, one file for each kind of thing.

#![allow(
    unused_qualifications,
    reason = "the macro that describes an operation names its parameters in full"
)]

mod accounts;
mod audiences;
mod audits;
mod deliveries;
mod hub;
mod letters;
mod people;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn operations() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(hub::status))
        .routes(routes!(hub::runs))
        .routes(routes!(hub::run))
        .routes(routes!(hub::schedules))
        .routes(routes!(hub::connectors))
        .routes(routes!(hub::pause))
        .routes(routes!(hub::resume))
        .routes(routes!(deliveries::destinations))
        .routes(routes!(deliveries::log))
        .routes(routes!(people::search))
        .routes(routes!(people::profile))
        .routes(routes!(people::history))
        .routes(routes!(people::events))
        .routes(routes!(people::consents))
        .routes(routes!(people::in_audience))
        .routes(routes!(people::at_destination))
        .routes(routes!(people::memberships))
        .routes(routes!(audiences::audiences))
        .routes(routes!(audiences::days))
        .routes(routes!(audiences::members))
        .routes(routes!(audiences::changes))
        .routes(routes!(accounts::accounts))
        .routes(routes!(accounts::account))
        .routes(routes!(letters::letters))
        .routes(routes!(letters::letter))
        .routes(routes!(letters::retry))
        .routes(routes!(people::state_consent))
        .routes(routes!(audits::audit))
}
