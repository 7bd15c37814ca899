//! What goes wrong in other ways than in `slips`: written down by ear, read by a scanner, in another alphabet, after a move
//! or a wedding. No comparison was tuned on these, and none may be: a fault that they show is looked for in other data.
//! (`after_years` showed that families were taken for one person; it counts as seen since.)

use super::data::{
    ADDRESS_1, CITY, DATE_OF_BIRTH, Fields, GIVEN_NAME, POSTCODE, STREET_NUMBER, SURNAME,
};
use super::made::place;
use crate::population::Draw;

/// What sounds alike to somebody who writes down a name on the telephone.
const BY_EAR: [(&str, &str); 30] = [
    ("ph", "f"),
    ("f", "ph"),
    ("c", "k"),
    ("k", "c"),
    ("qu", "k"),
    ("z", "s"),
    ("s", "z"),
    ("v", "b"),
    ("b", "v"),
    ("y", "i"),
    ("i", "y"),
    ("ll", "l"),
    ("l", "ll"),
    ("nn", "n"),
    ("n", "nn"),
    ("rr", "r"),
    ("h", ""),
    ("x", "ks"),
    ("j", "h"),
    ("eau", "o"),
    ("ault", "o"),
    ("ou", "u"),
    ("č", "tch"),
    ("ř", "rz"),
    ("š", "sch"),
    ("ž", "j"),
    ("ñ", "ny"),
    ("é", "e"),
    ("d", "t"),
    ("g", "k"),
];

/// What looks alike to a scanner.
const BY_EYE: [(&str, &str); 10] = [
    ("rn", "m"),
    ("m", "rn"),
    ("cl", "d"),
    ("li", "h"),
    ("u", "n"),
    ("n", "u"),
    ("e", "c"),
    ("a", "o"),
    ("l", "i"),
    ("í", "i"),
];
const DIGITS_BY_EYE: [(&str, &str); 8] = [
    ("1", "7"),
    ("7", "1"),
    ("3", "8"),
    ("8", "3"),
    ("5", "6"),
    ("6", "5"),
    ("0", "6"),
    ("4", "9"),
];

/// Names written by ear, dates by eye or by memory: each mistake by itself, so that a record may have none or all.
pub fn by_ear(fields: &mut Fields, draw: &mut Draw) {
    for (field, share) in [(SURNAME, 45), (GIVEN_NAME, 30)] {
        if draw.chance(share) {
            fields[field] = mistaken(&fields[field], &BY_EAR, draw);
        }
        if draw.chance(8) {
            fields[field] = mistaken(&fields[field], &BY_EYE, draw);
        }
    }
    if draw.chance(20) {
        fields[DATE_OF_BIRTH] = mistaken(&fields[DATE_OF_BIRTH], &DIGITS_BY_EYE, draw);
    }
    let [year, month, day] = parts(&fields[DATE_OF_BIRTH]);
    let (year, month, day) = match draw.below(20) {
        0 | 1 => (year, day, month),
        2 => (year, month % 12 + 1, day),
        3 => (year + 1, month, day),
        4 => (year, month, 0),
        _ => (year, month, day),
    };
    fields[DATE_OF_BIRTH] = format!("{year:04}-{month:02}-{day:02}");
}

/// One of the mistakes that the text has room for.
fn mistaken(text: &str, mistakes: &[(&str, &str)], draw: &mut Draw) -> String {
    let possible: Vec<_> = mistakes
        .iter()
        .filter(|(from, _)| text.contains(from))
        .collect();
    match possible.is_empty() {
        true => text.to_owned(),
        false => {
            let (from, to) = draw.pick(&possible);
            let places: Vec<usize> = text.match_indices(from).map(|(at, _)| at).collect();
            let at = draw.pick(&places);
            format!("{}{to}{}", &text[..at], &text[at + from.len()..])
        }
    }
}

fn parts(date: &str) -> [u32; 3] {
    let mut numbers = date.split('-').map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| numbers.next().unwrap_or(0))
}

/// A letter as it is written in Germany, in France and in Poland.
const ALPHABET: [(char, [&str; 3]); 37] = [
    ('а', ["a", "a", "a"]),
    ('б', ["b", "b", "b"]),
    ('в', ["w", "v", "w"]),
    ('г', ["h", "g", "h"]),
    ('ґ', ["g", "g", "g"]),
    ('д', ["d", "d", "d"]),
    ('е', ["e", "e", "e"]),
    ('ё', ["jo", "io", "jo"]),
    ('є', ["je", "ie", "je"]),
    ('ж', ["sch", "j", "ż"]),
    ('з', ["s", "z", "z"]),
    ('и', ["y", "i", "y"]),
    ('і', ["i", "i", "i"]),
    ('ї', ["ji", "ï", "ji"]),
    ('й', ["j", "ï", "j"]),
    ('к', ["k", "k", "k"]),
    ('л', ["l", "l", "ł"]),
    ('м', ["m", "m", "m"]),
    ('н', ["n", "n", "n"]),
    ('о', ["o", "o", "o"]),
    ('п', ["p", "p", "p"]),
    ('р', ["r", "r", "r"]),
    ('с', ["s", "s", "s"]),
    ('т', ["t", "t", "t"]),
    ('у', ["u", "ou", "u"]),
    ('ф', ["f", "f", "f"]),
    ('х', ["ch", "kh", "ch"]),
    ('ц', ["z", "ts", "c"]),
    ('ч', ["tsch", "tch", "cz"]),
    ('ш', ["sch", "ch", "sz"]),
    ('щ', ["schtsch", "chtch", "szcz"]),
    ('ъ', ["", "", ""]),
    ('ы', ["y", "y", "y"]),
    ('ь', ["", "", ""]),
    ('э', ["e", "e", "e"]),
    ('ю', ["ju", "iou", "ju"]),
    ('я', ["ja", "ia", "ja"]),
];

/// In Latin letters after the custom of one country; now and then with a father's name, the names exchanged, or a date that a
/// change of time zone made a day earlier.
pub fn in_another_alphabet(fields: &mut Fields, draw: &mut Draw) {
    let custom = draw.below(3);
    for field in [GIVEN_NAME, SURNAME] {
        fields[field] = in_latin(&fields[field], custom);
    }
    if draw.chance(15) {
        let father = draw.pick(&[
            "Иванович",
            "Петрович",
            "Николаевич",
            "Сергеевна",
            "Андреевна",
        ]);
        fields[GIVEN_NAME] = format!("{} {}", fields[GIVEN_NAME], in_latin(father, custom));
    }
    if draw.chance(10) {
        fields.swap(GIVEN_NAME, SURNAME);
    }
    let [year, month, day] = parts(&fields[DATE_OF_BIRTH]);
    if draw.chance(20) {
        let (month, day) = match day {
            1 => ((month + 10) % 12 + 1, 28),
            _ => (month, day - 1),
        };
        fields[DATE_OF_BIRTH] = format!("{year:04}-{month:02}-{day:02}");
    } else if draw.chance(10) {
        fields[DATE_OF_BIRTH] = format!("{day:02}/{month:02}/{:02}", year % 100);
    }
}

fn in_latin(name: &str, custom: usize) -> String {
    let small = name.to_lowercase();
    let letters = small.chars().map(|letter| {
        let known = ALPHABET.iter().find(|(of, _)| *of == letter);
        known.map_or("", |(_, written)| written[custom])
    });
    letters.collect()
}

/// After some years: moved, married, called otherwise, or the postcode from memory.
pub fn after_years(fields: &mut Fields, draw: &mut Draw) {
    const SHORT: [(&str, &str); 14] = [
        ("Francisco", "Paco"),
        ("José", "Pepe"),
        ("Dolores", "Lola"),
        ("María", "Mari"),
        ("Antonio", "Toño"),
        ("Catherine", "Cathy"),
        ("Nicolas", "Nico"),
        ("Frédéric", "Fred"),
        ("Katharina", "Kathi"),
        ("Wolfgang", "Wolfi"),
        ("Sebastian", "Basti"),
        ("Ursula", "Uschi"),
        ("Elisabeth", "Lisa"),
        ("Manfred", "Manni"),
    ];
    if draw.chance(15) {
        (fields[CITY], fields[POSTCODE]) = place(draw);
    }
    if draw.chance(12) {
        let other = draw.pick(&[
            "Santos", "Kramer", "Renard", "Vogt", "Prieto", "Besson", "Arnold", "Vidal",
        ]);
        fields[SURNAME] = match draw.chance(70) {
            true => format!("{} {other}", fields[SURNAME]),
            false => other.to_owned(),
        };
    }
    if let Some((_, short)) = SHORT.iter().find(|(long, _)| *long == fields[GIVEN_NAME])
        && draw.chance(60)
    {
        fields[GIVEN_NAME] = (*short).to_owned();
    }
    if draw.chance(20) {
        let mut digits: Vec<char> = fields[POSTCODE].chars().collect();
        let at = draw.below(4);
        digits.swap(at, at + 1);
        fields[POSTCODE] = digits.into_iter().collect();
    }
    if draw.chance(10) {
        fields[CITY].clear();
    }
    if draw.chance(25) {
        let field = draw.pick(&[GIVEN_NAME, SURNAME]);
        fields[field] = mistaken(&fields[field], &BY_EYE, draw);
    }
}

/// As an order in a shop: an initial, the street abbreviated or with its number in it, a letter after the number, a wedding.
pub fn ordering(fields: &mut Fields, draw: &mut Draw) {
    if draw.chance(20) {
        fields[GIVEN_NAME] = fields[GIVEN_NAME].chars().take(1).chain(['.']).collect();
    }
    if draw.chance(30) {
        fields[GIVEN_NAME] = mistaken(&fields[GIVEN_NAME], &BY_EYE, draw);
    }
    if draw.chance(15) {
        let other = draw.pick(&["Brandt", "Seidel", "Pohl", "Engel", "Simon", "Voigt"]);
        fields[SURNAME] = format!("{}-{other}", fields[SURNAME]);
    } else if draw.chance(25) {
        fields[SURNAME] = mistaken(&fields[SURNAME], &BY_EAR, draw);
    }
    match draw.below(5) {
        0 => fields[ADDRESS_1] = fields[ADDRESS_1].replace("straße", "str."),
        1 => {
            fields[ADDRESS_1] = format!("{} {}", fields[ADDRESS_1], fields[STREET_NUMBER]);
            fields[STREET_NUMBER].clear();
        }
        2 => fields[STREET_NUMBER].push('a'),
        3 => fields[POSTCODE] = mistaken(&fields[POSTCODE], &DIGITS_BY_EYE, draw),
        _ => {}
    }
    if draw.chance(10) {
        (fields[CITY], fields[POSTCODE]) = place(draw);
        fields[ADDRESS_1].clear();
        fields[STREET_NUMBER].clear();
    }
}
