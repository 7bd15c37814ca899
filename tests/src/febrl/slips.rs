//! What goes wrong when people are written down: slips of the keyboard, dates in another order, names spelled otherwise.
//! The comparisons were tuned on these; `unseen` has others.

use super::data::{CITY, DATE_OF_BIRTH, Fields, GIVEN_NAME, POSTCODE, SURNAME};
use crate::population::Draw;

const ROWS: [&str; 4] = ["1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"];

/// One to three slips of the keyboard, in any of the fields that say something.
pub fn typing(fields: &mut Fields, draw: &mut Draw) {
    let said: Vec<usize> = (0..fields.len())
        .filter(|&field| !fields[field].is_empty())
        .collect();
    let count = [1, 1, 1, 1, 1, 1, 1, 2, 2, 3];
    for _ in 0..draw.pick(&count) {
        let field = draw.pick(&said);
        fields[field] = mistyped(&fields[field], draw);
    }
}

/// A letter too many, too few, in its neighbour's place, or another one, mostly from the next key.
pub fn mistyped(text: &str, draw: &mut Draw) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let places: Vec<usize> = (0..letters.len())
        .filter(|&at| letters[at].is_alphanumeric())
        .collect();
    if places.len() < 2 {
        return text.to_owned();
    }
    let at = draw.pick(&places);
    let other = neighbour(letters[at], draw);
    // A date keeps its length: a form would refuse it otherwise.
    let kinds: &[u64] = match letters[at].is_ascii_digit() {
        true => &[2, 3],
        false => &[0, 1, 2, 3],
    };
    match draw.pick(kinds) {
        0 => letters.insert(at, other),
        1 => drop(letters.remove(at)),
        2 => letters[at] = other,
        _ => match places.iter().find(|&&next| next > at) {
            Some(&next) if letters[next] != letters[at] => letters.swap(at, next),
            _ => letters[at] = other,
        },
    }
    letters.into_iter().collect()
}

fn neighbour(letter: char, draw: &mut Draw) -> char {
    let small = letter.to_ascii_lowercase();
    let row = ROWS.iter().find(|row| row.contains(small));
    let keys: Vec<char> = row.unwrap_or(&ROWS[1]).chars().collect();
    let at = keys.iter().position(|&key| key == small).unwrap_or(0);
    let any: Vec<char> = keys.iter().copied().filter(|&key| key != small).collect();
    match draw.chance(60) {
        true if at + 1 < keys.len() => keys[at + 1],
        true => keys[at - 1],
        false => draw.pick(&any),
    }
}

/// A date in another order, of a day that does not exist, without its century or without a part; a name is mistyped in
/// every fourth record.
pub fn dates(fields: &mut Fields, draw: &mut Draw) {
    let date = &mut fields[DATE_OF_BIRTH];
    let (year, month, day) = (
        date[..4].to_owned(),
        date[5..7].to_owned(),
        date[8..].to_owned(),
    );
    *date = match draw.below(8) {
        0 | 1 => format!("{year}-{day}-{month}"),
        2 => format!("{year}-{month}-00"),
        3 => format!("{year}-00-00"),
        4 => format!("{year}-02-31"),
        5 => format!("{}-{month}-{day}", &year[2..]),
        6 => format!("{day}.{month}.{year}"),
        _ => String::new(),
    };
    if draw.chance(25) {
        let field = draw.pick(&[GIVEN_NAME, SURNAME]);
        fields[field] = mistyped(&fields[field], draw);
    }
}

/// A name spelled otherwise: a second name, the two names exchanged, without its accents, umlauts in two letters, a short
/// form or an initial. The date is mistyped in every fourth record.
pub fn spellings(fields: &mut Fields, draw: &mut Draw) {
    match draw.below(6) {
        0 => {
            fields[GIVEN_NAME] = format!(
                "{} {}",
                fields[GIVEN_NAME],
                draw.pick(&["Maria", "Jan", "Anna", "Karl"])
            );
        }
        1 => {
            let other = draw.pick(&["Nowak", "Schmidt", "Taylor", "Wolf", "Mazur", "Hill"]);
            fields[SURNAME] = match draw.chance(50) {
                true => format!("{}-{other}", fields[SURNAME]),
                false => format!("{other} {}", fields[SURNAME]),
            };
        }
        2 => fields.swap(GIVEN_NAME, SURNAME),
        3 => {
            for field in [GIVEN_NAME, SURNAME] {
                fields[field] = in_plain_letters(&fields[field]);
            }
        }
        4 => fields[GIVEN_NAME] = short(&fields[GIVEN_NAME]),
        _ => fields[GIVEN_NAME] = fields[GIVEN_NAME].chars().take(1).collect(),
    }
    if draw.chance(25) {
        fields[DATE_OF_BIRTH] = mistyped(&fields[DATE_OF_BIRTH], draw);
    }
}

fn in_plain_letters(name: &str) -> String {
    let plain = |letter: char| match letter {
        'ä' => "ae",
        'ö' => "oe",
        'ü' => "ue",
        'ß' => "ss",
        'ą' => "a",
        'ć' => "c",
        'ę' => "e",
        'ł' | 'Ł' => "l",
        'ń' => "n",
        'ó' => "o",
        'ś' => "s",
        'ź' | 'ż' | 'Ż' => "z",
        _ => "",
    };
    let mut text = String::new();
    for letter in name.chars() {
        match plain(letter) {
            "" => text.push(letter),
            letters => text.push_str(letters),
        }
    }
    text
}

const SHORT: [(&str, &str); 16] = [
    ("Katarzyna", "Kasia"),
    ("Małgorzata", "Gosia"),
    ("Tomasz", "Tomek"),
    ("Krzysztof", "Krzysiek"),
    ("Agnieszka", "Aga"),
    ("Piotr", "Piotrek"),
    ("Joanna", "Asia"),
    ("Elisabeth", "Lisa"),
    ("Susanne", "Susi"),
    ("Hans", "Hansi"),
    ("Michael", "Mike"),
    ("William", "Bill"),
    ("Robert", "Bob"),
    ("Margaret", "Peggy"),
    ("Thomas", "Tom"),
    ("Elizabeth", "Beth"),
];

/// The short form, or else the first letters.
fn short(name: &str) -> String {
    match SHORT.iter().find(|(long, _)| *long == name) {
        Some((_, short)) => (*short).to_owned(),
        None => name.chars().take(3).collect(),
    }
}

/// Somebody with hardly any fields: two are mistyped, or one is missing, or they moved.
pub fn few_fields(fields: &mut Fields, draw: &mut Draw) {
    match draw.below(5) {
        0 => fields[POSTCODE].clear(),
        1 => fields[CITY].clear(),
        _ => typing(fields, draw),
    }
}
