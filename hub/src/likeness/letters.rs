//! The normal forms in which texts are compared, and the code of a word's sound. Knows letters, no people.

use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Adds a name in the form in which identity compares names.
pub fn push_normal_name(text: &str, to: &mut String) {
    if text.is_ascii() {
        let letters = text.chars().filter(char::is_ascii_alphanumeric);
        to.extend(letters.map(|letter| letter.to_ascii_lowercase()));
        return;
    }
    let plain = text.nfkd().filter(|letter| !is_combining_mark(*letter));
    let letters = plain.filter(|letter| letter.is_alphanumeric());
    to.extend(letters.flat_map(char::to_lowercase));
}

/// Small Latin letters without accents, and digits. Spaces go too: people leave them out, or set them wrongly.
pub(super) fn letters(text: &str) -> String {
    let mut letters = String::with_capacity(text.len());
    push_normal_name(text, &mut letters);
    if !letters.is_ascii() {
        letters = in_latin(&letters);
    }
    without_umlauts(letters)
}

/// The same word by word, with one space in between; empty unless there are at least two words.
pub(super) fn words(text: &str) -> String {
    let is_end = |letter: char| letter.is_whitespace() || matches!(letter, '-' | '.' | ',' | '/');
    let words = text.split(is_end).map(letters);
    let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    match words.len() {
        0 | 1 => String::new(),
        _ => words.join(" "),
    }
}

pub(super) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

pub(super) fn address(text: &str) -> String {
    text.trim().to_lowercase()
}

fn in_latin(text: &str) -> String {
    let latin = text.chars().map(|letter| match latin(letter) {
        Some(letters) => Cow::Borrowed(letters),
        None => Cow::Owned(letter.to_string()),
    });
    latin.collect()
}

/// Letters that are more than a letter with an accent: Latin ones as passports write them, Cyrillic ones after the same table
/// (ICAO Doc 9303, part 3, section 6), accents taken off before.
fn latin(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ı' => "i",
        'а' => "a",
        'б' => "b",
        'в' => "v",
        'г' | 'ґ' => "g",
        'д' | 'ђ' => "d",
        'е' | 'э' => "e",
        'є' => "ie",
        'ж' => "zh",
        'з' => "z",
        'и' | 'і' | 'ы' => "i",
        'ј' => "j",
        'к' => "k",
        'л' => "l",
        'љ' => "lj",
        'м' => "m",
        'н' => "n",
        'њ' => "nj",
        'о' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'ћ' => "c",
        'у' => "u",
        'ф' => "f",
        'х' => "kh",
        'ц' => "ts",
        'ч' => "ch",
        'џ' => "dz",
        'ш' => "sh",
        'щ' => "shch",
        'ъ' | 'ь' => "",
        'ю' => "iu",
        'я' => "ia",
        _ => return None,
    })
}

/// The fewest letters of a word in which an umlaut is looked for: Joe is not Jo, and Joey not Joy.
const LONG_WORD: usize = 5;

/// `ae`, `oe` and `ue` are how umlauts are written without them, except after a vowel or a q (the rule of Snowball's stemmer
/// `German2`) and at the end of a word. The accents are gone already, so both spellings become one. A text with digits is left as it is.
fn without_umlauts(text: String) -> String {
    let is_word = text.len() >= LONG_WORD && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    if !is_word || !["ae", "oe", "ue"].iter().any(|pair| text.contains(pair)) {
        return text;
    }
    let mut plain = String::with_capacity(text.len());
    // The last two letters before.
    let mut before = [' ', ' '];
    for (at, letter) in text.chars().enumerate() {
        let is_umlaut = letter == 'e'
            && at + 1 < text.len()
            && matches!(before[1], 'a' | 'o' | 'u')
            && !matches!(before[0], 'a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'q');
        if !is_umlaut {
            plain.push(letter);
        }
        before = [before[1], letter];
    }
    plain
}

/// The consonants of a word by the place in the mouth where they are spoken, so that one name has one code in most of its
/// spellings: Soundex (Russell, US patent 1,261,167, 1918) with the first letter also coded, as Daitch and Mokotoff did
/// for the names of eastern Europe (1985). `w` is a `v`, `ts` is a `z`.
pub(super) fn sound(word: &str) -> String {
    let mut code = String::new();
    let mut last = ' ';
    for letter in word.chars() {
        let class = match letter {
            'h' => continue,
            'a' | 'e' | 'i' | 'j' | 'o' | 'u' | 'y' => 'a',
            'b' | 'f' | 'p' | 'v' | 'w' => 'b',
            'c' | 'g' | 'k' | 'q' | 's' | 'x' | 'z' => 'c',
            'd' | 't' => 'd',
            'm' | 'n' => 'm',
            other => other,
        };
        if (last, class) == ('d', 'c') {
            code.pop();
        }
        // A vowel counts only where a word begins.
        if class != last && (class != 'a' || code.is_empty()) {
            code.push(class);
        }
        last = class;
    }
    code
}
