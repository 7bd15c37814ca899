//! The fakes are fast enough to be no part of what a benchmark measures.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use onefold_tests::vendors::hubspot::{TOKEN, seed_bulk};
use onefold_tests::vendors::start;

/// One page over a connection that stays open; returns the body.
fn page(stream: &mut BufReader<TcpStream>, after: &str) -> Vec<u8> {
    let target = format!(
        "/crm/v3/objects/contacts?limit=100&after={after}&properties=email,phone,firstname,lastname"
    );
    let request =
        format!("GET {target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
    stream.get_mut().write_all(request.as_bytes()).unwrap();
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        stream.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    body
}

/// A page that costs time in proportion to the number of contacts, or renders them again, takes far longer than this.
#[test]
fn a_page_of_a_hundred_costs_the_same_at_the_end_of_many_contacts() {
    let running = start(seed_bulk(50_000), ([127, 0, 0, 1], 0).into()).unwrap();
    let mut stream = BufReader::new(TcpStream::connect(running.address).unwrap());
    let read_all = |stream: &mut BufReader<TcpStream>| {
        for at in 0..500 {
            let body = page(stream, &(at * 100).to_string());
            assert!(body.len() > 10_000);
        }
    };
    read_all(&mut stream);
    let begun = Instant::now();
    read_all(&mut stream);
    let rate = 500.0 / begun.elapsed().as_secs_f64();
    assert!(rate > 300.0, "{rate:.0} pages a second");
}
