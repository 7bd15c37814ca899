//! The models of repeat buying against their published answers: the sample of CDNOW that BG/NBD and Gamma-Gamma were published
//! with. The parameters have to come out of the raw purchases, and out of the authors' own summary of them.

use crate::cdnow::dataset;
use chrono::{NaiveDate, NaiveTime};
use onefold::compute::lifetime::{Purchase, Summary, bgnbd, gamma_gamma, predict, summarise};
use onefold_tests::need::need;
use std::collections::BTreeMap;
use std::io::Write;

/// The end of the time that the authors fitted on.
const AS_OF: &str = "19970930";

#[test]
fn the_raw_purchases_lead_to_the_published_parameters() {
    let Some(text) = read("lifetime-purchases", "CDNOW_sample.txt") else {
        return;
    };
    let customers = summaries(&text);
    assert_eq!(customers.len(), 2_357);
    let buyers: Vec<_> = customers.iter().map(Summary::buyer).collect();
    let buying = bgnbd::fit(&buyers).unwrap();
    show("CDNOW purchases, BG/NBD", &buying);
    is_published_buying(&buying);

    let spenders: Vec<_> = customers.iter().map(Summary::spender).collect();
    let value = gamma_gamma::fit(&spenders).unwrap();
    show("CDNOW purchases, Gamma-Gamma", &value);
    is_published_value(&value);

    // The first customer of the sample is the one of the published example.
    let said = predict(&buying.parameters, Some(&value.parameters), &customers[0]);
    show("CDNOW customer 1", &said);
    assert!((0.725..0.728).contains(&said.probability_alive), "{said:?}");
}

#[test]
fn the_published_summary_leads_to_the_published_parameters() {
    let file = "cdnow_customers_summary_with_transactions.csv";
    let Some(text) = read("lifetime-summary", file) else {
        return;
    };
    let mut buyers = Vec::new();
    let mut spenders = Vec::new();
    for line in text.lines().skip(1) {
        let words: Vec<&str> = line.split(',').collect();
        let number = |index: usize| words[index].parse::<f64>().unwrap();
        let repeats = words[1].parse().unwrap();
        buyers.push(bgnbd::Buyer {
            repeats,
            recency: number(2),
            age: number(3),
            count: 1,
        });
        spenders.push(gamma_gamma::Spender {
            repeats,
            mean_value: number(4),
            count: 1,
        });
    }
    let buying = bgnbd::fit(&buyers).unwrap();
    show("CDNOW summary, BG/NBD", &buying);
    is_published_buying(&buying);
    let value = gamma_gamma::fit(&spenders).unwrap();
    show("CDNOW summary, Gamma-Gamma", &value);
    is_published_value(&value);
}

/// Our summary of the purchases is the authors' own, customer by customer; theirs is rounded to two digits.
#[test]
fn the_summary_of_the_purchases_is_the_published_one() {
    let file = "cdnow_customers_summary_with_transactions.csv";
    let purchases = read("lifetime-purchases", "CDNOW_sample.txt");
    let published = read("lifetime-summary", file);
    let (Some(purchases), Some(published)) = (purchases, published) else {
        return;
    };
    let customers = summaries(&purchases);
    let lines: Vec<&str> = published.lines().skip(1).collect();
    assert_eq!(customers.len(), lines.len());
    for (customer, line) in customers.iter().zip(lines) {
        let numbers: Vec<f64> = line.split(',').map(|word| word.parse().unwrap()).collect();
        let ours = [
            f64::from(customer.repeats),
            customer.recency,
            customer.age,
            customer.mean_value,
        ];
        let apart = ours.iter().zip(&numbers[1..]).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f64::max) < 0.0051, "{customer:?} {line}");
    }
}

/// Table 2 of Fader, Hardie and Lee, Marketing Science 24(2), 2005, and the customer of their worked example.
fn is_published_buying(fitted: &bgnbd::Fitted) {
    let bgnbd::Parameters { r, alpha, a, b } = fitted.parameters;
    for (found, published) in [(r, 0.243), (alpha, 4.414), (a, 0.793), (b, 2.426)] {
        assert!((found - published).abs() < 0.005, "{fitted:?}");
    }
    assert!((fitted.log_likelihood + 9582.4).abs() < 0.1, "{fitted:?}");
    assert_eq!((fitted.customers, fitted.repeating), (2_357, 946));
    let orders = bgnbd::expected_future(&fitted.parameters, 2, 30.43, 38.86, 39.0);
    show("E[Y(39) | x = 2, t_x = 30.43, T = 38.86]", &orders);
    assert!((orders - 1.226).abs() < 0.001, "{orders}");
}

/// Fader and Hardie, "The Gamma-Gamma model of monetary value", 2013.
fn is_published_value(fitted: &gamma_gamma::Fitted) {
    let gamma_gamma::Parameters { p, q, v } = fitted.parameters;
    for (found, published) in [(p, 6.25), (q, 3.74), (v, 15.44)] {
        assert!((found / published - 1.0).abs() < 0.01, "{fitted:?}");
    }
    assert_eq!(fitted.customers, 946);
}

/// `00004 0001 19970101 2 29.33`: customer, customer of the sample, day, number of discs, dollars.
fn summaries(text: &str) -> Vec<Summary> {
    let mut customers: BTreeMap<&str, Vec<Purchase>> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, customer, day, _, dollars] = words[..] else {
            panic!("{line}");
        };
        customers.entry(customer).or_default().push(Purchase {
            time_ms: day_ms(day),
            value: dollars.parse().unwrap(),
        });
    }
    let summaries = customers.values().map(|one| summarise(one, day_ms(AS_OF)));
    summaries.map(Option::unwrap).collect()
}

fn day_ms(day: &str) -> i64 {
    let day = NaiveDate::parse_from_str(day, "%Y%m%d").unwrap();
    day.and_time(NaiveTime::MIN).and_utc().timestamp_millis()
}

fn read(check: &str, file: &str) -> Option<String> {
    let path = dataset(file);
    need(check, path.as_ref().err().map(String::as_str))
        .then(|| std::fs::read_to_string(path.unwrap()).unwrap())
}

/// Past the capture of the test runner, so that the fitted numbers can be read.
fn show(what: &str, number: &impl std::fmt::Debug) {
    let line = format!("{what}: {number:?}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
