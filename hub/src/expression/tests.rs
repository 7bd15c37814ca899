//! Tables of examples for the filters, and the fast path against MiniJinja.

use super::*;
use serde_json::json;

fn eval(text: &str, record: &Value) -> Result<Option<Value>, Failure> {
    Expression::parse(text)
        .expect(text)
        .eval(record, Some("PL"))
}

fn filtered(filter: &str, value: &Value) -> Result<Option<Value>, Failure> {
    eval(
        &format!("x | {filter}"),
        &json!({"x": value, "currency": "EUR", "yen": "jpy", "dinar": "KWD"}),
    )
}

#[test]
fn filters_give_canonical_values() {
    for (filter, value, expected) in [
        (
            "email",
            json!(" Ada@Example.COM "),
            json!("ada@example.com"),
        ),
        ("email", json!(""), json!(null)),
        ("email", json!(null), json!(null)),
        ("phone", json!("600 123 456"), json!("+48600123456")),
        ("phone", json!("+44 20 7946 0958"), json!("+442079460958")),
        ("phone", json!(600123456), json!("+48600123456")),
        ("country", json!("pl"), json!("PL")),
        ("country", json!("POL"), json!("PL")),
        ("country", json!("Poland"), json!("PL")),
        ("country", json!(" united states "), json!("US")),
        ("country", json!("Türkiye"), json!("TR")),
        ("country", json!("Czech Republic"), json!("CZ")),
        (
            "timestamp",
            json!("2026-03-02T09:14:00Z"),
            json!(1_772_442_840_000_i64),
        ),
        (
            "timestamp",
            json!("2026-03-02T10:14:00+01:00"),
            json!(1_772_442_840_000_i64),
        ),
        (
            "timestamp",
            json!("2026-03-02T10:14:00.250+0100"),
            json!(1_772_442_840_250_i64),
        ),
        (
            "timestamp",
            json!("2026-03-02 09:14:00"),
            json!(1_772_442_840_000_i64),
        ),
        (
            "timestamp",
            json!("2026-03-02"),
            json!(1_772_409_600_000_i64),
        ),
        (
            "timestamp",
            json!(1_772_442_840),
            json!(1_772_442_840_000_i64),
        ),
        (
            "timestamp",
            json!(1_772_442_840_000_i64),
            json!(1_772_442_840_000_i64),
        ),
        (
            "timestamp",
            json!("1772442840"),
            json!(1_772_442_840_000_i64),
        ),
        (
            "timestamp",
            json!("1772442840000"),
            json!(1_772_442_840_000_i64),
        ),
        (
            "timestamp",
            json!(1_772_442_840.5),
            json!(1_772_442_840_500_i64),
        ),
        ("timestamp", json!(-86_400), json!(-86_400_000)),
        ("timestamp", json!(""), json!(null)),
        ("date", json!("1815-12-10"), json!("1815-12-10")),
        (
            "date",
            json!("1815-12-10T23:59:00-05:00"),
            json!("1815-12-10"),
        ),
        ("date", json!(1_772_442_840), json!("2026-03-02")),
        ("number", json!("42"), json!(42)),
        ("number", json!(" -4.5 "), json!(-4.5)),
        ("number", json!(7), json!(7)),
        ("number", json!(" "), json!(null)),
        ("minor_units(currency)", json!(1250), json!(1250)),
        ("minor_units(yen)", json!(-1250), json!(-1250)),
        ("to_minor_units(currency)", json!("12.5"), json!(1250)),
        ("to_minor_units(currency)", json!(12.34), json!(1234)),
        ("to_minor_units(currency)", json!(-12), json!(-1200)),
        ("to_minor_units(currency)", json!("0.10000"), json!(10)),
        ("to_minor_units(yen)", json!("1250.00"), json!(1250)),
        ("to_minor_units(dinar)", json!("1.234"), json!(1234)),
        ("lower", json!("ŁÓDŹ"), json!("łódź")),
        ("upper", json!("straße"), json!("STRASSE")),
        ("trim", json!("  a b "), json!("a b")),
        (
            "sha256",
            json!("abc"),
            json!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ),
    ] {
        assert_eq!(
            filtered(filter, &value),
            Ok(Some(expected)),
            "{value} | {filter}"
        );
    }
}

#[test]
fn what_a_filter_cannot_use_costs_one_field_and_is_not_quoted() {
    for (filter, value) in [
        ("email", json!("secret-person")),
        ("email", json!({"secret-person": 1})),
        ("phone", json!("12secret-person")),
        ("country", json!("secret-person")),
        ("timestamp", json!("secret-person")),
        ("timestamp", json!("NaN")),
        ("timestamp", json!(true)),
        ("timestamp", json!(1e300)),
        ("timestamp", json!(i64::MAX)),
        ("date", json!("2026-02-30")),
        ("date", json!("2026-02-01 secret-person")),
        ("number", json!("secret-person")),
        ("number", json!("inf")),
        ("lower", json!(["secret-person"])),
    ] {
        let failure = filtered(filter, &value).expect_err(filter);
        assert!(
            matches!(failure, Failure::Unusable { .. }),
            "{value} | {filter}: {failure}"
        );
        assert!(!failure.to_string().contains("secret"), "{failure}");
    }
}

#[test]
fn an_amount_that_would_have_to_be_guessed_fails_the_record() {
    for (filter, value) in [
        ("minor_units(currency)", json!(12.5)),
        ("minor_units(currency)", json!(12.0)),
        ("minor_units(currency)", json!("1250")),
        ("to_minor_units(currency)", json!("12.345")),
        ("to_minor_units(yen)", json!("12.5")),
        ("to_minor_units(currency)", json!("1,250.00")),
        ("to_minor_units(currency)", json!("1e3")),
        ("to_minor_units(currency)", json!("99999999999999999999")),
        ("to_minor_units(missing)", json!("12.50")),
        ("to_minor_units(x)", json!("12.50")),
    ] {
        let failure = filtered(filter, &value).expect_err(filter);
        assert!(
            matches!(failure, Failure::Failed(_)),
            "{value} | {filter}: {failure}"
        );
    }
}

#[test]
fn absent_is_no_statement_and_null_clears() {
    let record = || json!({"a": null, "b": {"c": "x"}, "list": [1, 2], "empty": [], "blank": " ", "text": "t"});
    for (text, expected) in [
        ("missing", None),
        ("missing.deeper.still | email", None),
        ("a", Some(json!(null))),
        ("a | email | lower", Some(json!(null))),
        ("a.deeper", None),
        ("text.deeper", None),
        ("list.deeper", None),
        ("b.c", Some(json!("x"))),
        ("b", Some(json!({"c": "x"}))),
        ("b.missing or text", Some(json!("t"))),
        ("list[1]", Some(json!(2))),
        ("list[7]", None),
        ("'granted' if text == 't' else none", Some(json!("granted"))),
        ("'granted' if text == 'u' else none", Some(json!(null))),
        ("'granted' if text == 'u'", None),
        ("missing | default('d')", Some(json!("d"))),
        ("text in ['t', 'u']", Some(json!(true))),
        ("b.c ~ '-' ~ text", Some(json!("x-t"))),
        ("text[:1] | upper", Some(json!("T"))),
        ("list[1:]", Some(json!([2]))),
        // What is joined with nothing is nothing.
        ("'shop-' ~ a", Some(json!(null))),
        ("'shop-' ~ missing", None),
        ("'shop-' ~ blank", Some(json!(null))),
        ("text ~ ' ' ~ a", Some(json!(null))),
        ("(text ~ ' ' ~ b.missing) | upper", None),
        ("a[:1] ~ '. ' ~ text", Some(json!(null))),
        ("text[:1] ~ '. ' ~ b.c[:1]", Some(json!("t. x"))),
        ("text ~ ' ' ~ (a or '')", Some(json!("t "))),
        ("text ~ ' ' ~ a if a else text", Some(json!("t"))),
        ("text ~ '/' ~ (missing | default('x'))", Some(json!("t/x"))),
        ("text ~ (missing | default(''))", Some(json!("t"))),
        ("text ~ (a | d(''))", Some(json!(null))),
        (
            "text ~ '/' ~ (missing | default('none'))",
            Some(json!("t/none")),
        ),
        (
            "text ~ ' ' ~ a if a is not none else text",
            Some(json!("t")),
        ),
        (
            "text ~ (' ' ~ a if a is not none else '')",
            Some(json!("t")),
        ),
        ("'crm-' ~ (a | email)", Some(json!(null))),
        ("'crm-' ~ (blank | email)", Some(json!(null))),
        ("'shop-' ~ b['none-such']", None),
        ("'sku-' ~ list[7]", None),
        ("'tag-' ~ empty", Some(json!(null))),
        ("(a ~ '|' ~ text) | sha256", Some(json!(null))),
        ("(a ~ '-' ~ text)[:6]", Some(json!(null))),
        (
            "[text ~ '-' ~ a, text ~ 1 * -2]",
            Some(json!([null, "t-2"])),
        ),
        (
            "text ~ a ~ ('-vip' if 'vip' in missing else '')",
            Some(json!(null)),
        ),
        ("(missing[:1] | upper) ~ '. ' ~ text", None),
        (
            "'u' if text ~ 1 == 'u1' else text ~ -1 ~ b['c'] ~ 1.5 ~ true",
            Some(json!("t-1x1.5True")),
        ),
        ("'none' ~ text", Some(json!("nonet"))),
        // What is cut of nothing is nothing.
        ("a[:1]", Some(json!(null))),
        ("a[1:3] | upper", None),
        ("missing[1:3] | upper", None),
        ("missing[:1]", None),
        ("b.missing[-1:] | lower", None),
        ("b.missing[-1:]", Some(json!(null))),
        ("empty | email", Some(json!(null))),
        ("{'k': [text, a]}", Some(json!({"k": ["t", null]}))),
        ("9007199254740993", Some(json!(9_007_199_254_740_993_i64))),
    ] {
        assert_eq!(eval(text, &record()), Ok(expected), "{text}");
    }
}

#[test]
fn an_expression_lists_the_fields_that_it_reads() {
    for (text, reads) in [
        ("properties.email | email", &["properties.email"][..]),
        (
            "amount | minor_units(price.currency)",
            &["amount", "price.currency"],
        ),
        ("a.b or a.c[0].d or 'e'", &["a.b", "a.c"]),
        ("properties.firstname[:1]", &["properties.firstname"]),
        ("b[5:7] ~ '/' ~ b[c:]", &["b", "c"]),
        ("a['b'][1:] ~ a['c'] ~ a.d", &["a", "a.d"]),
        (
            "x | d(y) if z is not startingwith w else 1.5",
            &["w", "x", "y", "z"],
        ),
        ("'constant'", &[]),
    ] {
        assert_eq!(
            Expression::parse(text).expect(text).reads(),
            reads,
            "{text}"
        );
    }
}

#[test]
fn a_text_that_is_no_expression_is_refused_with_its_place_and_a_hint() {
    for (text, span, message, hint) in [
        (
            "a | emial",
            4..9,
            "unknown filter `emial`",
            Some("did you mean `email`?"),
        ),
        (
            "a is defind",
            5..11,
            "unknown test `defind`",
            Some("did you mean `defined`?"),
        ),
        (
            "lower(a)",
            0..5,
            "`lower` is called like a function, and there are none",
            Some("`lower` is a filter: write `field | lower`"),
        ),
        (
            "a.split(',')",
            2..7,
            "`split` is called like a function, and there are none",
            Some("`split` is a filter: write `field | split`"),
        ),
        (
            "a | minor_units",
            4..15,
            "the filter `minor_units` needs the currency",
            Some("write `minor_units(currency)` with the field that holds it"),
        ),
        (
            "a | email('x')",
            4..9,
            "the filter `email` takes no arguments",
            None,
        ),
        (
            "a | number( 'x' )",
            4..10,
            "`number` takes the sign before the decimals, '.' or ','",
            None,
        ),
        (
            "a | date('%Q')",
            4..8,
            "the format of `date` has to be a text such as '%d.%m.%Y'",
            None,
        ),
        (
            "a | to_minor_units('euro')",
            4..18,
            "`to_minor_units` takes a currency of three letters",
            None,
        ),
        (
            "range(10)",
            0..5,
            "`range` is called like a function, and there are none",
            None,
        ),
        // MiniJinja panics where such a cut meets an empty text.
        (
            "a.b[c[1:2]:{'d': 1}.d:-1]",
            21..22,
            "a cut has a first and a last position, and no step",
            Some("write `[first:last]`, as in `name[:1]`"),
        ),
        (
            "a[::-1]",
            3..4,
            "a cut has a first and a last position, and no step",
            Some("write `[first:last]`, as in `name[:1]`"),
        ),
        (
            "'é' ~ a | emial",
            11..16,
            "unknown filter `emial`",
            Some("did you mean `email`?"),
        ),
    ] {
        let error = Expression::parse(text).expect_err(text);
        assert_eq!(
            (error.span, error.message.as_str(), error.hint.as_deref()),
            (span, message, hint),
            "{text}"
        );
    }
    for text in [
        "",
        "a |",
        "a b",
        "(a",
        "'open",
        "a..b",
        "{{ a }}",
        "a | email(",
        "🦀",
    ] {
        let error = Expression::parse(text).expect_err(text);
        assert!(text.get(error.span.clone()).is_some(), "{text}: {error:?}");
    }
    assert!(
        Expression::parse("'a | emial(' ~ a").is_ok(),
        "names inside a text mean nothing"
    );
}

#[test]
fn a_failure_in_the_machine_never_quotes_the_record() {
    for text in [
        "x + 1",
        "x | round",
        "x | int",
        "x | join(1, 2, 3)",
        "x | abs",
        "x | email | lower ~ ''",
        "-x",
    ] {
        let Ok(expression) = Expression::parse(text) else {
            continue;
        };
        if let Err(failure) = expression.eval(&json!({"x": "secret-person"}), None) {
            assert!(!failure.to_string().contains("secret"), "{text}: {failure}");
        }
    }
}

#[test]
fn a_division_by_a_zero_that_is_written_is_found_and_no_other() {
    let found = |text: &str| {
        let expression = Expression::parse(text).expect(text);
        expression
            .divides_by_zero()
            .map(|span| text[span].to_owned())
    };
    assert_eq!(found("a / 0").as_deref(), Some("/ 0"));
    assert_eq!(found("1 + a //0.00 + b").as_deref(), Some("/0.00"));
    assert_eq!(found("(a % 0) or 1").as_deref(), Some("% 0"));
    for good in [
        "a / 0.5",
        "a / b",
        "'a / 0'",
        "a / 10",
        "a / 0 | default(1)",
        "a / 0 ** 0",
        "a * 0",
    ] {
        assert_eq!(found(good), None, "{good}");
    }
}

#[test]
fn fields_beside_a_sign_of_multiplication_are_found() {
    let found = |text: &str| Expression::parse(text).expect(text).multiplied();
    assert_eq!(found("a * 2"), ["a"]);
    assert_eq!(found("2 * a.b + c * d - e"), ["a", "c", "d"]);
    assert_eq!(found("a.b * 2"), ["a"]);
    let none: [&str; 0] = [];
    for other in ["a + 2", "'a * b'", "a | length * 2", "2 * a | length"] {
        assert_eq!(found(other), none, "{other}");
    }
}

#[test]
fn an_evaluation_ends_where_it_would_grow_without_end() {
    let record = json!({"a": "ab", "n": 7, "list": [1, "b", [2]], "long": "x".repeat(600_000)});
    let bomb = format!(
        "a{}",
        "|replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')".repeat(9)
    );
    for text in [
        &bomb,
        "a * 99999999",
        "99999999 * (a * 2)",
        "long + long",
        "long ~ long",
        "list * 99999999",
        "[[list * 9999] * 9999] * 9999",
        "([a] * 9999)|join(a * 9999)",
        "([a] * 9999)|join(d=a * 9999)",
        "(a * 500000)|replace('', a)",
        "(a * 400000)|split('')",
        "(a * 400000)|list",
        "('ß' * 300000)|upper|title|title|title",
        "[long, long, long, long, long, long, long, long, long, long, long, long, long, long]",
        "[long[0:][0:][0:][0:][0:][0:][0:][0:][0:][0:][0:][0:][0:][0:]]",
        "long|unique|unique|unique|unique",
        "{[list * 99999]: 1}|list|join",
    ] {
        let made = eval(text, &record).map(|_| "a value");
        let failure = made.expect_err(text).to_string();
        assert!(failure.contains("more than"), "{text}: {failure}");
    }
    for (text, expected) in [
        ("a * 3 + a", json!("abababab")),
        ("2 * a", json!("abab")),
        ("n * 2 + 1", json!(15)),
        ("n * 2.5 - 1", json!(16.5)),
        ("true + n", json!(8)),
        ("list + [n] * 2", json!([1, "b", [2], 7, 7])),
        ("a|replace('a', long)|length", json!(600_001)),
        ("list|join(', ')", json!("1, b, [2]")),
        ("list|join(d='-')", json!("1-b-[2]")),
        (
            "[{'k': 'x'}, {'k': 'y'}]|join(', ', attribute='k')",
            json!("x, y"),
        ),
        ("['a', 'A']|unique(case_sensitive=true)", json!(["a", "A"])),
        ("'a-b-c'|split('-', 1)", json!(["a", "b-c"])),
        ("long|list|length", json!(null)),
    ] {
        let made = eval(text, &record);
        match expected {
            Value::Null => assert!(made.is_err(), "{text}"),
            expected => assert_eq!(made, Ok(Some(expected)), "{text}"),
        }
    }
}

#[test]
fn a_value_that_nests_too_deeply_to_be_stored_fails() {
    let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    for (text, deepest) in [
        ("a", 100),
        ("a or b", 100),
        ("a if a else b", 100),
        ("[a]", 99),
    ] {
        let made = |depth: usize| eval(text, &json!({"a": nested(depth)}));
        assert!(made(deepest).is_ok(), "{text}");
        let failure = made(deepest + 1).unwrap_err().to_string();
        assert_eq!(failure, "the value is nested more than 100 levels deep");
    }
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            prop::sample::select(vec![json!(0), json!(-0.0), json!(""), json!([]), json!({})]),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-2_000_000_000_i64..2_000_000_000).prop_map(Value::from),
            (-1e6..1e6).prop_map(Value::from),
            "[ -~]{0,12}".prop_map(Value::from),
            "[a-z]{1,5}@[a-z]{1,5}\\.(com|pl)".prop_map(Value::from),
            "(\\+48)?[0-9]{9}".prop_map(Value::from),
            "20[0-9]{2}-0[1-9]-[0-3][0-9](T1[0-9]:00:00Z)?".prop_map(Value::from),
            "[0-9]{1,4}\\.[0-9]{0,3}".prop_map(Value::from),
            Just(Value::from("eur")),
        ];
        leaf.prop_recursive(2, 8, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[abc]", inner, 0..3).prop_map(|map| json!(map)),
            ]
        })
    }

    fn chain() -> impl Strategy<Value = String> {
        let path = || "[abc](\\.[abc]){0,2}";
        let step = (0..Filter::ALL.len(), path()).prop_map(|(at, argument)| {
            let filter = Filter::ALL[at];
            if filter.takes_argument() {
                format!(" | {}({argument})", filter.name())
            } else {
                format!("|{} ", filter.name())
            }
        });
        let bare = prop::collection::vec(path(), 1..4).prop_map(|paths| paths.join(" or "));
        let inside = prop::collection::vec(path(), 1..4)
            .prop_map(|paths| format!("( {})", paths.join("  or ")));
        prop_oneof![
            (path(), prop::collection::vec(step.clone(), 0..3)),
            (inside, prop::collection::vec(step, 0..3)),
            (bare, Just(Vec::new())),
        ]
        .prop_map(|(head, steps)| format!("{head}{}", steps.concat()))
    }

    #[test]
    fn a_filter_binds_closer_than_or() {
        let expression = Expression::parse("a or b | upper").expect("an expression");
        assert!(matches!(expression.program, Program::Machine(_)));
        let record = json!({"a": "x", "b": "y"});
        assert_eq!(expression.eval(&record, None), Ok(Some(json!("x"))));
    }

    /// Expressions with everything that MiniJinja's grammar has.
    /// Joins of what is there, at any place and depth.
    fn joined() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "a",
            "b.c",
            "b['c']",
            "n",
            "'~('",
            "1.5",
            "-n",
            "n * -2",
            "[a, 'k'][0]",
            "a[:1]",
            "true",
        ]);
        leaf.prop_map(str::to_owned)
            .prop_recursive(4, 24, 4, |inner| {
                let one = || inner.clone();
                prop_oneof![
                    (one(), one()).prop_map(|(a, b)| format!("{a} ~ {b}")),
                    (one(), one(), one()).prop_map(|(a, b, c)| format!("({a}~{b} ~{c})")),
                    (one(), one(), one())
                        .prop_map(|(a, b, c)| format!("({a} ~ {b} if {b} == {c} else {c})")),
                    (one(), one()).prop_map(|(a, b)| format!("({a} ~ '' in [{b} ~ a, ({a})])")),
                    (one(), one()).prop_map(|(a, b)| format!("({a} and not {b} ~ 'x')")),
                    (one(), one()).prop_map(|(a, b)| format!("{{'k': {a} ~ {b}}}.k")),
                ]
            })
    }

    /// Sums and products of what can be added and multiplied, and of what cannot.
    fn computed() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "a",
            "b.c",
            "n",
            "-n",
            "2",
            "2.5",
            "'+*'",
            "true",
            "none",
            "missing",
            "[n]",
            "[a, [2]]",
            "9223372036854775807",
            "1e+2",
            "(n is none)",
            "a|length",
        ]);
        let sign = || {
            let signs = vec!["+", "+", "*", "*", "-", "/", "//", "%", "**", "==", " and "];
            prop::sample::select(signs)
        };
        leaf.prop_map(str::to_owned)
            .prop_recursive(3, 12, 3, move |inner| {
                let one = || inner.clone();
                prop_oneof![
                    (one(), sign(), one()).prop_map(|(a, sign, b)| format!("{a} {sign} {b}")),
                    (one(), sign(), one()).prop_map(|(a, sign, b)| format!("({a}{sign}{b})")),
                    (one(), one(), one()).prop_map(|(a, b, c)| format!("[{a}, {b} + {c}]")),
                    (one(), one()).prop_map(|(a, b)| format!("({a} if {b} * 2 else {b})")),
                    one().prop_map(|a| format!("(not {a} * 2)")),
                ]
            })
    }

    fn any_expression() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            4 => "[abc](\\.[abc]){0,2}",
            1 => prop::sample::select(vec!["'b'", "\"a.b\"", "1", "2", "0.5", "true", "none", "''"])
                .prop_map(str::to_owned),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            let one = || inner.clone();
            let sign = prop::sample::select(vec![
                "+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "and",
                "or", "in", "not in",
            ]);
            let test = prop::sample::select(vec![
                "defined",
                "none",
                "string",
                "not number",
                "mapping",
                "sequence",
                "not undefined",
            ]);
            let filter = prop::sample::select(scan::BUILTIN_FILTERS.to_vec());
            prop_oneof![
                (one(), sign, one()).prop_map(|(a, sign, b)| format!("({a}) {sign} ({b})")),
                (one(), one(), one()).prop_map(|(a, b, c)| format!("({a}) if ({b}) else ({c})")),
                one().prop_map(|a| format!("not ({a})")),
                one().prop_map(|a| format!("-({a})")),
                (one(), "[abc]").prop_map(|(a, name)| format!("({a}).{name}")),
                (one(), "[abc]").prop_map(|(a, name)| format!("({a})['{name}']")),
                "[abc]\\['[abc]'\\]",
                (one(), one()).prop_map(|(a, b)| format!("({a})[{b}]")),
                "[abc](\\.[abc])?\\[[0-2]?:[0-2]?\\]",
                (one(), one()).prop_map(|(a, b)| format!("({a})[{b}:]")),
                (one(), one()).prop_map(|(a, b)| format!("({a})[:{b}]")),
                (one(), one()).prop_map(|(a, b)| format!("({a})[-{b}:{b}]")),
                (one(), test).prop_map(|(a, test)| format!("({a}) is {test}")),
                (one(), one()).prop_map(|(a, b)| format!("({a}) is not startingwith ({b})")),
                (one(), filter).prop_map(|(a, filter)| format!("({a}) | {filter}")),
                (one(), one()).prop_map(|(a, b)| format!("({a}) | default(value=({b}))")),
                (one(), one()).prop_map(|(a, b)| format!("({a}) | join(({b}))")),
                (one(), one()).prop_map(|(a, b)| format!("[{a}, ({b})]")),
                (one(), one()).prop_map(|(a, b)| format!("{{'a': {a}, 'b': ({b})}}")),
            ]
        })
    }

    proptest! {
        // F13
        #[test]
        fn everything_that_an_expression_looks_at_is_among_what_it_reads(
            text in any_expression(),
            record in prop::collection::btree_map("[abc]", value(), 0..4),
        ) {
            let record = json!(record);
            if let Ok(expression) = Expression::parse(&text) {
                let of_all = machine::Program::compile(&text).expect("compiled before").eval_over(&record);
                prop_assert_eq!(expression.eval(&record, None), of_all, "{}", text);
            }
        }

        #[test]
        fn joining_gives_what_minijinja_gives_where_nothing_is_missing(parts in joined()) {
            let record = json!({"a": "x", "b": {"c": "y z"}, "n": 7});
            let expression = Expression::parse(&parts).expect("it compiles");
            let expected = machine::Program::eval_unchanged(&parts, &record);
            prop_assert_eq!(expression.eval(&record, None), expected, "{}", parts);
        }

        #[test]
        fn sums_and_products_are_what_minijinja_computes(text in computed()) {
            let record = json!({"a": "x", "b": {"c": "y z"}, "n": 7});
            let made = Expression::parse(&text).expect("it compiles").eval(&record, None);
            match machine::Program::eval_unchanged(&text, &record) {
                Ok(expected) => prop_assert_eq!(made, Ok(expected), "{}", text),
                Err(_) => prop_assert!(made.is_err(), "{}: {:?}", text, made),
            }
        }

        #[test]
        fn the_short_way_gives_what_the_machine_gives(
            text in chain(),
            record in prop::collection::btree_map("[abc]", value(), 0..4),
            region in prop::option::of(Just("PL")),
        ) {
            let record = json!(record);
            let expression = Expression::parse(&text).expect("a chain");
            prop_assert!(matches!(expression.program, Program::Chain(_)));
            prop_assert_eq!(expression.eval(&record, region), expression.eval_by_machine(&record, region));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[abx .|()'\"\\[\\]{}+~0-9é🦀-]{0,24}") {
            if let Err(error) = Expression::parse(&text) {
                prop_assert!(text.get(error.span.clone()).is_some(), "{:?}", error);
            }
        }
    }
}
