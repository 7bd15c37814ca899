//! Faults as a client meets them on the wire.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::hubspot::{HubSpot, TOKEN, seed_bulk};
use super::{Fault, RateLimit, Running, start};
use crate::client::Client;

const LIST: &str = "/crm/v3/objects/contacts?limit=10";

fn serve() -> (Running<HubSpot>, Client) {
    let running = start(seed_bulk(10), ([127, 0, 0, 1], 0).into()).unwrap();
    let client = Client::new(running.address).header("authorization", &format!("Bearer {TOKEN}"));
    (running, client)
}

#[test]
fn ordered_faults_hit_the_next_matching_requests_and_then_it_works_again() {
    let (running, client) = serve();
    running.fail_next(1, "contacts", Fault::ServerError);
    running.fail_next(1, "contacts", Fault::TooManyRequests { retry_after_s: 7 });
    assert_eq!(client.get(LIST).unwrap().status, 500);
    let waiting = client.get(LIST).unwrap();
    assert_eq!(
        (waiting.status, waiting.header("retry-after")),
        (429, Some("7"))
    );
    assert_eq!(client.get(LIST).unwrap().status, 200);
    let statuses: Vec<u16> = running
        .requests()
        .iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [500, 429, 200]);
}

#[test]
fn a_reset_reaches_the_client_as_a_reset() {
    let (running, client) = serve();
    running.fail_next(1, "", Fault::Reset);
    assert_eq!(
        client.get(LIST).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
}

#[test]
fn a_lost_answer_was_carried_out() {
    let (running, client) = serve();
    running.fail_next(1, "POST", Fault::AnswerLost);
    let body = serde_json::json!({"properties": {"email": "lost@bulk.example"}});
    assert!(
        client
            .json("POST", "/crm/v3/objects/contacts", &body)
            .is_err()
    );
    assert_eq!(running.with(|hub| hub.contacts.len()), 11);
    assert_eq!(
        client
            .json("POST", "/crm/v3/objects/contacts", &body)
            .unwrap()
            .status,
        409
    );
}

#[test]
fn half_a_body_breaks_off_and_garbage_is_not_json() {
    let (running, client) = serve();
    running.fail_next(1, "", Fault::HalfBody);
    assert!(client.get(LIST).is_err());
    running.fail_next(1, "", Fault::Garbage);
    let garbage = client.get(LIST).unwrap();
    assert_eq!((garbage.status, garbage.json().is_null()), (200, true));
}

#[test]
fn a_dribbled_body_is_slow_and_whole() {
    let (running, client) = serve();
    running.fail_next(
        1,
        "",
        Fault::Dribble {
            pause: Duration::from_millis(5),
        },
    );
    let start = Instant::now();
    let answer = client.get(LIST).unwrap();
    assert_eq!(answer.json()["results"].as_array().unwrap().len(), 10);
    assert!(start.elapsed() >= Duration::from_millis(5 * 16));
}

#[test]
fn a_rate_limit_answers_429_in_the_vendors_words() {
    let (running, client) = serve();
    running.rate_limit(Some(RateLimit {
        requests: 2,
        per: Duration::from_secs(60),
    }));
    let statuses: Vec<u16> = (0..3).map(|_| client.get(LIST).unwrap().status).collect();
    assert_eq!(statuses, [200, 200, 429]);
    running.rate_limit(None);
    assert_eq!(client.get(LIST).unwrap().status, 200);
}
