//! The same calls to the fake Stripe and to localstripe, a server that nobody here wrote: they answer alike.
//! Known differences that are left out: localstripe lists oldest first, knows no `types`, and words errors its own way.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use onefold_tests::client::{Answer, Client};
use onefold_tests::need::need;
use onefold_tests::vendors::start;
use onefold_tests::vendors::stripe::{KEY, Stripe};
use serde_json::{Value, json};

use super::python::interpreter;

/// Ends the process when the test ends, however it ends.
pub struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn localstripe() -> Result<(Server, SocketAddr), &'static str> {
    let python = interpreter()?;
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|_| "no free port")?;
    let address = free.local_addr().map_err(|_| "no free port")?;
    drop(free);
    let port = address.port().to_string();
    let mut command = Command::new(python);
    command.args(["-m", "localstripe", "--from-scratch", "--port", &port]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let server = Server(child.map_err(|_| "localstripe could not be started")?);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if TcpStream::connect(address).is_ok() {
            return Ok((server, address));
        }
        #[allow(
            clippy::disallowed_methods,
            reason = "another process says nothing when it begins to listen"
        )]
        std::thread::sleep(Duration::from_millis(50));
    }
    Err("localstripe did not listen within 20 s; it needs IPv6")
}

/// What both must agree on: status, and of every object these fields, without ids and times.
fn essence(answer: &Answer) -> Value {
    let body = answer.json();
    if answer.status >= 400 {
        return json!({"status": answer.status, "type": body["error"]["type"]});
    }
    if body["object"] == "list" {
        let rows: BTreeSet<String> = body["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| object(row).to_string())
            .collect();
        return json!({"status": answer.status, "object": "list", "has_more": body["has_more"], "rows": rows});
    }
    json!({"status": answer.status, "body": object(&body)})
}

fn object(body: &Value) -> Value {
    let kept = [
        "object",
        "name",
        "email",
        "phone",
        "description",
        "metadata",
        "deleted",
        "amount",
        "amount_refunded",
        "currency",
        "paid",
        "captured",
        "refunded",
        "status",
        "failure_code",
        "type",
    ];
    let mut out = json!({});
    for name in kept.iter().filter(|name| !body[**name].is_null()) {
        out[*name] = body[*name].clone();
    }
    if body["object"] == "customer" {
        // The currency of a customer without invoices is made up by localstripe.
        out.as_object_mut().unwrap().remove("currency");
    }
    out
}

/// Plays the script; ids are those the server gave.
fn play(address: SocketAddr) -> Vec<(String, Value)> {
    let client = Client::new(address).header("authorization", &format!("Bearer {KEY}"));
    let mut seen = Vec::new();
    let mut note = |what: &str, answer: Answer| {
        seen.push((what.to_string(), essence(&answer)));
        answer.json()["id"].as_str().unwrap_or_default().to_string()
    };
    let card = "card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=2030&card[cvc]=123";
    let token = client.form("/v1/tokens", card).unwrap().json()["id"]
        .as_str()
        .unwrap_or_default()
        .to_string();
    let ada = format!("name=Ada&email=ada%40mail.example&metadata[plan]=gold&source={token}");
    let ada = note(
        "create a customer with a card",
        client.form("/v1/customers", &ada).unwrap(),
    );
    let eve = note(
        "create a customer without",
        client
            .form("/v1/customers", "description=Eve&phone=%2B48600123456")
            .unwrap(),
    );
    note("read", client.get(&format!("/v1/customers/{ada}")).unwrap());
    note(
        "update",
        client
            .form(
                &format!("/v1/customers/{ada}"),
                "name=Ada+L&metadata[tier]=1",
            )
            .unwrap(),
    );
    note(
        "read a stranger",
        client.get("/v1/customers/cus_nobody").unwrap(),
    );
    play_charges(&client, &ada, &mut note);
    note(
        "delete",
        client
            .send("DELETE", &format!("/v1/customers/{eve}"), "", b"")
            .unwrap(),
    );
    note("list customers", client.get("/v1/customers").unwrap());
    note(
        "a limit of nought",
        client.get("/v1/customers?limit=0").unwrap(),
    );
    let stranger = Client::new(address);
    note("without a key", stranger.get("/v1/customers").unwrap());
    seen
}

/// Charges and refunds of a customer who has a card.
fn play_charges(client: &Client, customer: &str, note: &mut impl FnMut(&str, Answer) -> String) {
    let mut charges = Vec::new();
    for amount in [500, 700, 900] {
        let body = format!("amount={amount}&currency=usd&customer={customer}&description=order");
        charges.push(note("charge", client.form("/v1/charges", &body).unwrap()));
    }
    note(
        "charge an amount that is none",
        client
            .form(
                "/v1/charges",
                &format!("amount=x&currency=usd&customer={customer}"),
            )
            .unwrap(),
    );
    note(
        "charge a stranger",
        client
            .form("/v1/charges", "amount=500&currency=usd&customer=cus_nobody")
            .unwrap(),
    );
    note(
        "list charges",
        client
            .get(&format!("/v1/charges?customer={customer}"))
            .unwrap(),
    );
    note(
        "list with a limit",
        client
            .get(&format!("/v1/charges?customer={customer}&limit=3"))
            .unwrap(),
    );
    note(
        "refund a part",
        client
            .form("/v1/refunds", &format!("charge={}&amount=200", charges[0]))
            .unwrap(),
    );
    note(
        "read the refunded",
        client.get(&format!("/v1/charges/{}", charges[0])).unwrap(),
    );
    note(
        "refund the rest",
        client
            .form("/v1/refunds", &format!("charge={}", charges[1]))
            .unwrap(),
    );
    note(
        "read the fully refunded",
        client.get(&format!("/v1/charges/{}", charges[1])).unwrap(),
    );
}

#[test]
fn the_fake_stripe_answers_as_localstripe_does() {
    let other = localstripe();
    if !need(
        "the fake Stripe against localstripe",
        other.as_ref().err().copied(),
    ) {
        return;
    }
    let (_server, address) = other.unwrap();
    let running = start(Stripe::default(), ([127, 0, 0, 1], 0).into()).unwrap();
    let (ours, theirs) = (play(running.address), play(address));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
}
