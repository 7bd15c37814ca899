//! Normal forms of identifiers: the same address, number or id has the same text, however it was spelled.
//! Owns the tables of placeholders that identify nobody. Normalising is idempotent.
//!
//! It does not know a hub's own blocked values (`manifest::IdentityRules::blocked`); those are handled by `identity`.

use crate::model::{Identifier, IdentifierKind, Rejected, StandIn};
use phonenumber::country;
use phonenumber::metadata::DATABASE;
use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;

/// Texts that programs and people write where an identifier is missing; compared in lower case, for every kind.
const STAND_INS: [&str; 36] = [
    "#n/a",
    "#ref!",
    "(none)",
    "(not set)",
    "(null)",
    "-",
    "--",
    "-1",
    "0",
    "[object object]",
    "\\n",
    "anon",
    "anonymous",
    "blank",
    "deleted",
    "dummy",
    "empty",
    "false",
    "guest",
    "missing",
    "n/a",
    "n.a.",
    "na",
    "nan",
    "nil",
    "none",
    "not provided",
    "not set",
    "null",
    "nullable",
    "test",
    "testing",
    "true",
    "undefined",
    "unknown",
    "unset",
];

/// Local parts that identify nobody in particular at any domain; compared without a `+tag`, dots, hyphens and underscores.
const STAND_IN_LOCAL_PARTS: [&str; 25] = [
    "anon",
    "anonymous",
    "bounce",
    "bounces",
    "donotreply",
    "dummy",
    "fake",
    "guest",
    "invalid",
    "mailerdaemon",
    "nobody",
    "noemail",
    "nomail",
    "none",
    "noreply",
    "notprovided",
    "noresponse",
    "null",
    "postmaster",
    "test",
    "tester",
    "testing",
    "testuser",
    "undefined",
    "unknown",
];

/// Whole addresses of forms and manuals, and what fingers type to get past a form.
const STAND_IN_EMAILS: [&str; 12] = [
    "a@a.com",
    "a@b.com",
    "abc@abc.com",
    "asdf@asdf.com",
    "email@email.com",
    "email@example.com",
    "name@example.com",
    "no@no.com",
    "someone@example.com",
    "user@example.com",
    "x@x.com",
    "you@example.com",
];

/// Device ids that whole series of devices share: the Android 2.2 emulator fault, the IMEI of cloned phones, opt-out cookies.
const STAND_IN_DEVICES: [&str; 3] = ["004999010640000", "9774d56d682e549c", "optout"];

const MAX_VALUE_BYTES: usize = 512;
const MAX_EMAIL_BYTES: usize = 254;
const MAX_LOCAL_BYTES: usize = 64;
const MAX_LABEL_BYTES: usize = 63;
/// Fifteen digits by E.164, with room for an international prefix and a trunk zero.
const MAX_DIGITS: usize = 24;

impl Identifier {
    /// Normalises `text`; `region` (ISO 3166 alpha-2) reads phone numbers that have no country code.
    pub fn parse(kind: IdentifierKind, text: &str, region: Option<&str>) -> Result<Self, Rejected> {
        let value = match &kind {
            IdentifierKind::Email => {
                let value = match normalise_email(text) {
                    Err(Rejected::Malformed) if is_stand_in(text.trim()) => {
                        return Err(Rejected::Blocked(StandIn::Word));
                    }
                    other => other?,
                };
                if let Some(rule) = stand_in_email(&value) {
                    return Err(Rejected::Blocked(rule));
                }
                value
            }
            IdentifierKind::Phone => {
                let number = match parse_phone(text, region) {
                    Err(Rejected::Malformed) if is_stand_in(text.trim()) => {
                        return Err(Rejected::Blocked(StandIn::Word));
                    }
                    other => other?,
                };
                if is_stand_in_phone(number.national()) {
                    return Err(Rejected::Blocked(StandIn::Digits));
                }
                number.e164
            }
            IdentifierKind::DeviceId | IdentifierKind::AdId => {
                let value = opaque(text)?.to_lowercase();
                if STAND_IN_DEVICES.contains(&value.as_str()) || is_repeated(&value, b'f') {
                    return Err(Rejected::Blocked(StandIn::Device));
                }
                value
            }
            IdentifierKind::UserId | IdentifierKind::External(_) | IdentifierKind::AnonymousId => {
                opaque(text)?.to_owned()
            }
        };
        Ok(Self { kind, value })
    }
}

/// Trimmed, NFKC, lower case, without invisible characters, the domain as UTS 46 makes it ASCII; dots and tags are kept.
/// Says nothing about stand-ins: only whether it can be an address.
pub fn normalise_email(text: &str) -> Result<String, Rejected> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Rejected::Empty);
    }
    if text.len() > MAX_VALUE_BYTES {
        return Err(Rejected::Malformed);
    }
    if text.is_ascii() {
        let mut value = text.to_owned();
        value.make_ascii_lowercase();
        // A label that claims to be punycode may be none, or not in its normal form.
        if !value.contains("xn--") {
            return check_email(value);
        }
        return international_email(&value);
    }
    international_email(&fold(text))
}

fn international_email(folded: &str) -> Result<String, Rejected> {
    let (local, domain) = folded.trim().rsplit_once('@').ok_or(Rejected::Malformed)?;
    let domain = idna::domain_to_ascii(domain).map_err(|_| Rejected::Malformed)?;
    check_email(format!("{local}@{domain}"))
}

/// NFKC and lower case are each undone in part by the other for a few letters, so both run until nothing changes.
fn fold(text: &str) -> String {
    let mut folded: String = text.nfkc().collect();
    for _ in 0..4 {
        let next: String = folded
            .to_lowercase()
            .chars()
            .filter(|&c| !is_invisible(c))
            .nfkc()
            .collect();
        if next == folded {
            break;
        }
        folded = next;
    }
    folded
}

/// Soft hyphen, zero-width characters, direction marks, variation selectors: copied along, never typed.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// Returns a folded address if it is plausible.
fn check_email(mut value: String) -> Result<String, Rejected> {
    let at = value
        .bytes()
        .position(|byte| byte == b'@')
        .ok_or(Rejected::Malformed)?;
    if value.ends_with('.') {
        value.pop();
    }
    let (local, domain) = (
        &value[..at],
        value.get(at + 1..).ok_or(Rejected::Malformed)?,
    );
    if value.len() > MAX_EMAIL_BYTES || !is_local_part(local) || !is_domain(domain) {
        return Err(Rejected::Malformed);
    }
    Ok(value)
}

fn is_local_part(local: &str) -> bool {
    !local.is_empty()
        && local.len() <= MAX_LOCAL_BYTES
        && local.bytes().any(|byte| byte != b'.')
        && local.chars().all(|c| match c {
            'a'..='z' | '0'..='9' | '.' | '_' | '-' | '+' => true,
            '!' | '#' | '$' | '%' | '&' | '\'' | '*' | '/' | '=' | '?' | '^' | '`' | '{' | '|'
            | '}' | '~' => true,
            _ => !c.is_ascii() && !c.is_control() && !c.is_whitespace(),
        })
}

/// At least two labels of letters, digits and inner hyphens, the last not a number.
fn is_domain(domain: &str) -> bool {
    let mut labels = 0;
    let mut last_is_number = false;
    for label in domain.as_bytes().split(|&byte| byte == b'.') {
        let (Some(first), Some(last)) = (label.first(), label.last()) else {
            return false;
        };
        if label.len() > MAX_LABEL_BYTES || *first == b'-' || *last == b'-' {
            return false;
        }
        last_is_number = true;
        for &byte in label {
            match byte {
                b'0'..=b'9' => {}
                b'a'..=b'z' | b'-' => last_is_number = false,
                _ => return false,
            }
        }
        labels += 1;
    }
    labels >= 2 && !last_is_number
}

/// Reads the rules of telephone numbers of all countries, which takes a while. Otherwise the first number waits for them.
pub fn load_phone_rules() {
    // Whatever it is asked first.
    DATABASE.by_code(&0);
}

/// E.164 with `+`. A number without a country code is read by `region`; one with an extension names a switchboard, not a person.
/// Says nothing about stand-ins: only whether it is a valid number.
pub fn normalise_phone(text: &str, region: Option<&str>) -> Result<String, Rejected> {
    parse_phone(text, region).map(|number| number.e164)
}

struct Phone {
    e164: String,
    national_digits: usize,
}

impl Phone {
    fn national(&self) -> &str {
        &self.e164[self.e164.len() - self.national_digits..]
    }
}

fn parse_phone(text: &str, region: Option<&str>) -> Result<Phone, Rejected> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Rejected::Empty);
    }
    if text.len() > MAX_VALUE_BYTES {
        return Err(Rejected::Malformed);
    }
    let digits = phone_digits(text).ok_or(Rejected::Malformed)?;
    if let Some(international) = digits.strip_prefix('+') {
        return valid_phone(None, &digits)
            .or_else(|| valid_phone(None, &format!("+{}", international.strip_prefix("00")?)))
            .ok_or(Rejected::Malformed);
    }
    let region = region.and_then(region_id).ok_or(Rejected::Malformed)?;
    let after_prefix = DATABASE
        .by_id(region.as_ref())
        .and_then(|metadata| metadata.international_prefix())
        .and_then(|prefix| prefix.find(&digits).filter(|found| found.start() == 0))
        .map(|found| &digits[found.end()..])
        .filter(|rest| !rest.is_empty() && !rest.starts_with('0'));
    // Given as international, so the region's own national prefix must not be cut from it.
    match after_prefix {
        Some(rest) => valid_phone(None, &format!("+{rest}")),
        None => valid_phone(Some(region), &digits),
    }
    // The prefix of most countries is written in others, too.
    .or_else(|| valid_phone(None, &format!("+{}", digits.strip_prefix("00")?)))
    .ok_or(Rejected::Malformed)
}

/// The digits with a leading `+` if there is one; nothing when there is anything but digits and what people put between them.
fn phone_digits(text: &str) -> Option<String> {
    let text: Cow<'_, str> = if text.is_ascii() {
        text.into()
    } else {
        text.nfkc()
            .filter(|&c| !is_invisible(c))
            .collect::<String>()
            .into()
    };
    let text = text.trim();
    let text = text.strip_prefix("tel:").unwrap_or(text);
    let mut digits = String::with_capacity(MAX_DIGITS);
    for c in text.chars() {
        match c {
            '0'..='9' => digits.push(c),
            '+' if digits.is_empty() => digits.push(c),
            ' ' | '-' | '.' | '(' | ')' | '/' | '[' | ']' | '\t' | '~' => {}
            '\u{2010}'..='\u{2015}' | '\u{2212}' => {}
            _ => return None,
        }
        if digits.len() > MAX_DIGITS {
            return None;
        }
    }
    (digits.len() >= 3).then_some(digits)
}

fn region_id(region: &str) -> Option<country::Id> {
    let bytes = region.as_bytes();
    if bytes.len() != 2 {
        return None;
    }
    let upper = [bytes[0].to_ascii_uppercase(), bytes[1].to_ascii_uppercase()];
    std::str::from_utf8(&upper).ok()?.parse().ok()
}

fn valid_phone(region: Option<country::Id>, digits: &str) -> Option<Phone> {
    usual_phone(region, digits).or_else(|| any_phone(region, digits))
}

fn any_phone(region: Option<country::Id>, digits: &str) -> Option<Phone> {
    let number = phonenumber::parse(region, digits).ok()?;
    if !number.is_valid() {
        return None;
    }
    let national = number.national().to_string();
    Some(Phone {
        e164: format!("+{}{national}", number.code().value()),
        national_digits: national.len(),
    })
}

/// What the library would make of a number as nearly all are: mobile or fixed, of a country that shares its code with no
/// other, without a prefix to cut off. The library takes its time over parsing, and asks for ten rarer types first.
fn usual_phone(region: Option<country::Id>, digits: &str) -> Option<Phone> {
    let (code, national) = match region {
        Some(region) => (DATABASE.by_id(region.as_ref())?.country_code(), digits),
        None => {
            let digits = digits.strip_prefix('+')?;
            // No code is the beginning of another.
            (1..=3).find_map(|length| {
                let (code, national) = digits.split_at_checked(length)?;
                let code: u16 = code.parse().ok()?;
                DATABASE.region(&code).map(|_| (code, national))
            })?
        }
    };
    let regions = DATABASE.region(&code)?;
    let [only] = regions[..] else { return None };
    let metadata = DATABASE.by_id(only)?;
    let begins_with_prefix = metadata
        .national_prefix()
        .is_some_and(|prefix| national.starts_with(prefix))
        || metadata
            .national_prefix_for_parsing()
            .is_some_and(|prefix| {
                prefix
                    .find(national)
                    .is_some_and(|found| found.start() == 0)
            });
    // A number that begins like a code may have been written with it.
    let begins_with_code = national.starts_with(&code.to_string());
    let types = metadata.descriptors();
    let is_usual = !national.starts_with('0')
        && !begins_with_code
        && !begins_with_prefix
        && types.general().is_match(national)
        && [types.mobile(), types.fixed_line()]
            .iter()
            .flatten()
            .any(|usual| usual.is_match(national));
    is_usual.then(|| Phone {
        e164: format!("+{code}{national}"),
        national_digits: national.len(),
    })
}

/// Trimmed and otherwise as given: no program may guess which spellings of an opaque id are one.
fn opaque(text: &str) -> Result<&str, Rejected> {
    let value = text.trim();
    if value.is_empty() {
        return Err(Rejected::Empty);
    }
    if value.len() > MAX_VALUE_BYTES || value.chars().any(char::is_control) {
        return Err(Rejected::Malformed);
    }
    if is_stand_in(value) {
        return Err(Rejected::Blocked(StandIn::Word));
    }
    if is_repeated(value, b'0') {
        return Err(Rejected::Blocked(StandIn::Digits));
    }
    Ok(value)
}

fn is_stand_in(value: &str) -> bool {
    value.len() <= 15
        && STAND_INS
            .iter()
            .any(|word| word.eq_ignore_ascii_case(value))
}

/// Nothing but one digit and the marks that ids are grouped by: `00000000-0000-0000-0000-000000000000`.
fn is_repeated(value: &str, digit: u8) -> bool {
    value.contains(char::from(digit))
        && value
            .bytes()
            .all(|byte| byte == digit || matches!(byte, b'-' | b':' | b'.'))
}

fn stand_in_email(value: &str) -> Option<StandIn> {
    let local = value.split(['@', '+']).next().unwrap_or_default();
    let mut squeezed = [0; 16];
    let mut length = 0;
    for byte in local
        .bytes()
        .filter(|byte| !matches!(byte, b'.' | b'-' | b'_'))
    {
        if length == squeezed.len() {
            return None;
        }
        squeezed[length] = byte;
        length += 1;
    }
    let mut words = STAND_IN_LOCAL_PARTS.iter();
    if words.any(|word| word.as_bytes() == &squeezed[..length]) {
        return Some(StandIn::Mailbox);
    }
    (length <= 8 && STAND_IN_EMAILS.contains(&value)).then_some(StandIn::WholeAddress)
}

/// One digit over and over, or the row of digits on a keyboard.
fn is_stand_in_phone(national: &str) -> bool {
    let mut bytes = national.bytes();
    let first = bytes.next();
    // `500 500 500`, `123 123 123`: a group of three over and over.
    let is_group = |group: &[u8]| group == &national.as_bytes()[..3];
    bytes.all(|byte| Some(byte) == first)
        || (national.len() == 9 && national.as_bytes().chunks(3).all(is_group))
        || ["123456789", "1234567890", "0123456789", "987654321"].contains(&national)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn email(text: &str) -> Result<String, Rejected> {
        Identifier::parse(IdentifierKind::Email, text, None).map(|identifier| identifier.value)
    }

    fn phone(text: &str, region: &str) -> Result<String, Rejected> {
        Identifier::parse(IdentifierKind::Phone, text, Some(region))
            .map(|identifier| identifier.value)
    }

    #[test]
    fn spellings_of_one_address_give_one_text() {
        for text in [
            "ada@example.com",
            "  Ada@Example.COM ",
            "ＡＤＡ＠example．com",
            "ada@example.com.",
            "a\u{200b}da@exam\u{ad}ple.com",
        ] {
            assert_eq!(email(text).as_deref(), Ok("ada@example.com"), "{text}");
        }
        assert_eq!(
            email("Jürgen@Bücher.example").as_deref(),
            Ok("jürgen@xn--bcher-kva.example")
        );
        assert_eq!(
            email("x@XN--BCHER-KVA.example").as_deref(),
            Ok("x@xn--bcher-kva.example")
        );
        assert_eq!(
            email("a.d.a+shop@gmail.com").as_deref(),
            Ok("a.d.a+shop@gmail.com")
        );
    }

    #[test]
    fn what_cannot_be_an_address_is_malformed() {
        for text in [
            "ada",
            "ada@",
            "@example.com",
            "ada@example",
            "ada@@example.com",
            "a b@example.com",
            "ada@exa mple.com",
            "ada@-example.com",
            "ada@example..com",
            "ada@127.0.0.1",
            "Ada <ada@example.com>",
            "ada,bob@example.com",
            "...@example.com",
            "ada@xn--a.example",
            "\"ada\"@example.com",
            "é@",
            "ada@exämple",
        ] {
            assert_eq!(email(text), Err(Rejected::Malformed), "{text}");
        }
        assert_eq!(email(" \t"), Err(Rejected::Empty));
        assert_eq!(
            email(&format!("{}@example.com", "a".repeat(65))),
            Err(Rejected::Malformed)
        );
    }

    #[test]
    fn stand_ins_are_blocked() {
        for text in [
            "null",
            "N/A",
            "no-reply@shop.example",
            "NoReply+17@shop.example",
            "do_not_reply@shop.example",
            "test@example.com",
            "anonymous@x.example",
            "a@a.com",
        ] {
            let parsed = email(text);
            assert!(matches!(parsed, Err(Rejected::Blocked(_))), "{text}");
        }
        for text in [
            "testa@example.com",
            "guesthouse@example.com",
            "nora@example.com",
            "a@example.com",
        ] {
            assert!(email(text).is_ok(), "{text}");
        }
        for text in [
            "00000000-0000-0000-0000-000000000000",
            "Unknown",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "9774D56D682E549C",
        ] {
            let parsed = Identifier::parse(IdentifierKind::DeviceId, text, None);
            assert!(matches!(parsed, Err(Rejected::Blocked(_))), "{text}");
        }
        for text in ["0", "-1", "NULL", " undefined ", "guest"] {
            let parsed = Identifier::parse(IdentifierKind::UserId, text, None);
            assert!(matches!(parsed, Err(Rejected::Blocked(_))), "{text}");
        }
        for text in ["+48 888 888 888", "123456789", "unknown"] {
            let parsed = phone(text, "PL");
            assert!(matches!(parsed, Err(Rejected::Blocked(_))), "{text}");
        }
    }

    #[test]
    fn opaque_ids_are_only_trimmed_and_device_ids_lower_cased() {
        let parse = |kind, text| Identifier::parse(kind, text, None).unwrap().value;
        assert_eq!(parse(IdentifierKind::UserId, " Ab-1 "), "Ab-1");
        assert_eq!(
            parse(IdentifierKind::External("crm".into()), "003A"),
            "003A"
        );
        assert_eq!(
            parse(IdentifierKind::AdId, "38400000-8CF0-11BD-B23E-10B96E40000D"),
            "38400000-8cf0-11bd-b23e-10b96e40000d"
        );
        assert_eq!(
            Identifier::parse(IdentifierKind::UserId, "a\0b", None),
            Err(Rejected::Malformed)
        );
    }

    #[test]
    fn spellings_of_one_number_give_one_text() {
        for text in [
            "600 123 456",
            "+48 600123456",
            "0048 600-123-456",
            "(+48) 600.123.456",
            "tel:+48600123456",
            "６００１２３４５６",
        ] {
            assert_eq!(phone(text, "pl").as_deref(), Ok("+48600123456"), "{text}");
        }
        for (text, region, expected) in [
            ("+44 (0)20 7946 0958", "PL", "+442079460958"),
            ("020 7946 0958", "GB", "+442079460958"),
            ("+39 06 698 12345", "DE", "+390669812345"),
            ("(650) 253-0000", "US", "+16502530000"),
            ("011 48 600 123 456", "US", "+48600123456"),
            ("0039 02 3661 8300", "DE", "+390236618300"),
            ("8 (912) 345-67-89", "RU", "+79123456789"),
        ] {
            assert_eq!(
                phone(text, region).as_deref(),
                Ok(expected),
                "{text} {region}"
            );
        }
    }

    #[test]
    fn what_is_no_valid_number_is_malformed() {
        for text in [
            "12",
            "600 123",
            "+48 600 123 456 789",
            "600 123 456 ext. 7",
            "call me",
            "+",
            "+999123456789",
            "600+123456",
        ] {
            assert_eq!(phone(text, "PL"), Err(Rejected::Malformed), "{text}");
        }
        assert_eq!(normalise_phone("600123456", None), Err(Rejected::Malformed));
        assert_eq!(
            normalise_phone("600123456", Some("??")),
            Err(Rejected::Malformed)
        );
        assert_eq!(normalise_phone("  ", Some("PL")), Err(Rejected::Empty));
    }

    mod properties {
        use super::*;

        /// Example numbers of every country, as they are and with some digits changed, with and without their code.
        fn numbers() -> impl Strategy<Value = (Option<country::Id>, String)> {
            let examples: Vec<(country::Id, u16, String)> = DATABASE
                .iter()
                .filter_map(|metadata| {
                    let types = metadata.descriptors();
                    let found = [types.mobile(), types.fixed_line(), types.toll_free()];
                    let id = metadata.id().parse().ok()?;
                    let texts = found
                        .into_iter()
                        .flatten()
                        .filter_map(|kind| kind.example());
                    let code = metadata.country_code();
                    Some(
                        texts
                            .map(move |text| (id, code, text.to_owned()))
                            .collect::<Vec<_>>(),
                    )
                })
                .flatten()
                .collect();
            let changes = proptest::collection::vec((any::<usize>(), 0..10_u8), 0..3);
            let head = proptest::sample::select(vec!["", "0", "8", "1"]);
            (
                proptest::sample::select(examples),
                changes,
                head,
                any::<bool>(),
            )
                .prop_map(|((region, code, text), changes, head, international)| {
                    let mut digits: Vec<u8> = format!("{head}{text}").into_bytes();
                    for (at, digit) in changes {
                        let at = at % digits.len();
                        digits[at] = b'0' + digit;
                    }
                    let digits = String::from_utf8(digits).expect("digits");
                    match international {
                        true => (None, format!("+{code}{digits}")),
                        false => (Some(region), digits),
                    }
                })
        }

        proptest! {
            #[test]
            fn the_short_way_to_a_phone_number_is_the_librarys(number in numbers()) {
                let (region, digits) = number;
                let e164 = |phone: Phone| (phone.national().to_owned(), phone.e164);
                if let Some(short) = usual_phone(region, &digits) {
                    prop_assert_eq!(Some(e164(short)), any_phone(region, &digits).map(e164));
                }
            }

            #[test]
            fn a_normal_email_is_its_own_normal_form(text in "\\PC{1,12}@\\PC{1,8}\\.[a-zA-Z\u{e4}\u{130}\u{fb01}]{2,3}") {
                if let Ok(value) = normalise_email(&text) {
                    prop_assert_eq!(normalise_email(&value), Ok(value));
                }
            }

            #[test]
            fn a_normal_phone_is_its_own_normal_form(text in "(\\+|00|011)?[0-9 ()-]{5,18}",
                region in proptest::sample::select(vec!["PL", "US", "GB", "DE", "IT", "FR", "AR", "MX", "BR", "AU", "NZ", "CN", "JP", "RU", "KZ", "SM"])) {
                if let Ok(value) = normalise_phone(&text, Some(region)) {
                    prop_assert_eq!(normalise_phone(&value, None), Ok(value.clone()));
                    prop_assert_eq!(normalise_phone(&value, Some(region)), Ok(value));
                }
            }

            #[test]
            fn no_text_panics(text in "\\PC*", phone in "[+0-9]{0,25}") {
                for kind in [IdentifierKind::Email, IdentifierKind::Phone, IdentifierKind::DeviceId] {
                    let _ = Identifier::parse(kind, &text, Some("US"));
                }
                let _ = normalise_phone(&phone, Some("AR"));
            }
        }
    }
}
