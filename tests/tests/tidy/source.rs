//! Reads Rust source just far enough for the rules: comments and texts blanked, test code told apart, functions found.
//! Not a parser: it knows how tokens begin and end and how brackets nest, and keeps every byte on its line.

use std::collections::BTreeSet;
use std::ops::Range;

/// A file of the workspace as the rules see it.
pub struct Source {
    /// From the workspace's root, with `/`.
    pub path: String,
    pub text: String,
    /// The code with comments and texts blanked.
    pub code: String,
    /// The same without test code; empty when the whole file is a test.
    pub program: String,
    /// Lines that are not test code.
    pub lines: usize,
    /// Where test code is, comments included.
    pub tests: Vec<Range<usize>>,
}

pub struct Function {
    pub name: String,
    pub lines: usize,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let code = blank(text);
        let tests = test_items(&code);
        let whole = code.contains("#![cfg(test)]") || is_test_file(path);
        let (program, lines, tests) = if whole {
            (String::new(), 0, whole_of(text))
        } else {
            let test_lines: usize = tests
                .iter()
                .map(|range| code[range.clone()].lines().count())
                .sum();
            let lines = text.lines().count() - test_lines;
            (without(&code, &tests), lines, tests)
        };
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            program,
            lines,
            tests,
        }
    }

    /// Turns the file into test code, because another file declares it under `#[cfg(test)]`.
    pub fn is_test(&mut self) {
        self.program = String::new();
        self.lines = 0;
        self.tests = whole_of(&self.text);
    }

    /// Files that this one declares as test modules, as prefixes of their paths without `.rs`; and itself, when it is nothing but
    /// a test, so that the files that it declares are known as tests.
    pub fn test_modules(&self) -> BTreeSet<String> {
        let folder = match self.path.rsplit_once('/') {
            Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder,
            _ => self.path.trim_end_matches(".rs"),
        };
        if self.code.contains("#![cfg(test)]") {
            return BTreeSet::from([folder.to_owned()]);
        }
        let items = test_items(&self.code)
            .into_iter()
            .map(|range| self.code[range].to_owned());
        items
            .filter_map(|item| Some(format!("{folder}/{}", declared_module(&item)?)))
            .collect()
    }
}

/// Whether the code at `at` is in a module `name`: the file's own, one of its folders, or one written inside it.
pub fn is_within(source: &Source, at: usize, name: &str) -> bool {
    let by_path = source
        .path
        .trim_end_matches(".rs")
        .split('/')
        .any(|part| part == name);
    by_path
        || words(&source.code, "mod").any(|begin| {
            let named = name_at(&source.code, begin + "mod ".len()) == Some(name);
            named && (begin..item_end(&source.code, begin)).contains(&at)
        })
}

fn whole_of(text: &str) -> Vec<Range<usize>> {
    std::iter::once(0..text.len()).collect()
}

fn is_test_file(path: &str) -> bool {
    let mut folders = path.split('/').skip(1);
    folders.any(|folder| folder == "tests" || folder == "benches")
}

/// `name` of an item `… mod name;`
fn declared_module(item: &str) -> Option<&str> {
    let (_, name) = item.trim_end().strip_suffix(';')?.rsplit_once("mod ")?;
    Some(name.trim())
}

fn without(code: &str, ranges: &[Range<usize>]) -> String {
    let mut bytes = code.as_bytes().to_vec();
    for range in ranges {
        erase(&mut bytes[range.clone()]);
    }
    String::from_utf8(bytes).expect("whole items were replaced by spaces")
}

/// Replaces comments and the insides of texts and characters by spaces; every other byte stays where it is.
pub fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = hidden_end(bytes, at);
        erase(&mut out[at..end]);
        at = end.max(at + 1);
    }
    String::from_utf8(out).expect("comments, texts and characters end between characters")
}

/// Spaces for everything but the ends of lines.
fn erase(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

/// Where the comment, text or character that begins at `at` ends; `at` itself when none begins there.
fn hidden_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    match rest[0] {
        b'/' if rest.starts_with(b"//") => {
            at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())
        }
        b'/' if rest.starts_with(b"/*") => at + block_comment(rest),
        b'"' => at + quoted(rest, b'"'),
        b'\'' => at + character(rest),
        b'r' if at == 0 || !is_word(bytes[at - 1]) || raw_prefix(bytes, at) => at + raw_text(rest),
        _ => at,
    }
}

/// `b` or `c` before the `r` of a raw text.
fn raw_prefix(bytes: &[u8], at: usize) -> bool {
    matches!(bytes[at - 1], b'b' | b'c') && (at == 1 || !is_word(bytes[at - 2]))
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A character literal; a lifetime is none.
fn character(rest: &[u8]) -> usize {
    let Some(first) = rest.get(1) else { return 0 };
    let width = match first {
        b'\\' => return quoted(rest, b'\''),
        0..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    };
    if rest.get(1 + width) == Some(&b'\'') {
        width + 2
    } else {
        0
    }
}

fn raw_text(rest: &[u8]) -> usize {
    let hashes = rest[1..].iter().take_while(|b| **b == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let mut end = vec![b'"'];
    end.resize(1 + hashes, b'#');
    let body = 2 + hashes;
    let found = rest[body..]
        .windows(end.len())
        .position(|window| window == end);
    found.map_or(rest.len(), |at| body + at + end.len())
}

pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Positions where `word` is in the code and not part of a longer word.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = code.as_bytes();
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| {
            let after = bytes.get(at + word.len());
            let free_before = *at == 0 || !is_word(bytes[at - 1]);
            let open_end = !word.ends_with(|last: char| last.is_ascii_alphanumeric());
            free_before && (open_end || !after.is_some_and(|byte| is_word(*byte)))
        })
}

pub fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// The name that begins at `at`, if one does.
pub fn name_at(code: &str, at: usize) -> Option<&str> {
    let rest = &code[at..];
    let end = rest
        .bytes()
        .position(|byte| !is_word(byte))
        .unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
}

/// Every function with a body, nested ones too, from the line of its `fn` to that of its last brace.
pub fn functions(code: &str) -> Vec<Function> {
    words(code, "fn")
        .filter_map(|at| function_at(code, at))
        .collect()
}

fn function_at(code: &str, at: usize) -> Option<Function> {
    let after = at + 2;
    let name_begin = after
        + code[after..]
            .bytes()
            .position(|byte| !byte.is_ascii_whitespace())?;
    let name = name_at(code, name_begin)?;
    let end = item_end(code, name_begin);
    let lines = code[at..end].matches('\n').count() + 1;
    code[..end].ends_with('}').then(|| Function {
        name: name.to_owned(),
        lines,
    })
}

/// Where the item that begins at `from` ends: at its `;`, or at the brace that closes its body.
fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// Items under `#[cfg(test)]`, attributes included.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (at, _) in code.match_indices("#[cfg(") {
        let inside_earlier = ranges.last().is_some_and(|range| range.contains(&at));
        let attribute_end = item_of_attribute(code, at);
        let condition = &code[at..attribute_end];
        let for_tests = words(condition, "test").next().is_some() && !condition.contains("not(");
        if for_tests && !inside_earlier {
            let mut begin = attribute_end;
            while code[begin..].trim_start().starts_with("#[") {
                begin += code[begin..].find("#[").expect("it was just seen");
                begin = item_of_attribute(code, begin);
            }
            ranges.push(at..item_end(code, begin));
        }
    }
    ranges
}

/// Where the attribute `#[…]` that begins at `at` ends.
fn item_of_attribute(code: &str, at: usize) -> usize {
    let mut depth = 0usize;
    for (place, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'[' => depth += 1,
            b']' if depth == 1 => return place + 1,
            b']' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}
