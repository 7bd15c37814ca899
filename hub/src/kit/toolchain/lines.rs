//! Where each line of a bundle comes from, so that an exception names the line that its author wrote: from a source map (revision 3)
//! to a table that the SDK reads.

use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Component, Path, PathBuf};

#[derive(Deserialize)]
struct Map {
    sources: Vec<String>,
    mappings: String,
}

/// The statement that puts the table into a bundle; none where the map cannot be read, which only costs the lines' names. `folder` is
/// where the map is, `project` what names are shown relative to, and files of `sdk` are named as such.
pub fn statement(map: &str, folder: &Path, project: &Path, sdk: &Path) -> Option<String> {
    let map: Map = serde_json::from_str(map).ok()?;
    let names: Vec<String> = (map.sources.iter())
        .map(|source| name(&folder.join(source), project, sdk))
        .collect();
    let table = json!([names, rows(&map.mappings)?]);
    Some(format!("\nglobalThis.__onefold_lines = {table};\n"))
}

fn name(file: &Path, project: &Path, sdk: &Path) -> String {
    let file = plain(file);
    if let Ok(inside) = file.strip_prefix(plain(&sdk.join("src"))) {
        return format!("@onefold/sdk/{}", inside.display());
    }
    let inside = file.strip_prefix(plain(project));
    inside.unwrap_or(&file).display().to_string()
}

/// Without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// For each line of the bundle the source and the line, counted from one, of its first segment that has one; or null.
fn rows(mappings: &str) -> Option<Vec<Value>> {
    let (mut source, mut line) = (0_i64, 0_i64);
    let mut rows = Vec::new();
    for of_line in mappings.split(';') {
        let mut row = Value::Null;
        for segment in of_line.split(',').filter(|segment| !segment.is_empty()) {
            let numbers = numbers(segment)?;
            let [_, of_source, of_line, ..] = numbers[..] else {
                continue;
            };
            source += of_source;
            line += of_line;
            if row.is_null() {
                row = json!([source, line + 1]);
            }
        }
        rows.push(row);
    }
    Some(rows)
}

/// Base 64 VLQ: five bits a digit, the lowest first, the sign in the lowest bit of the number.
fn numbers(segment: &str) -> Option<Vec<i64>> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut numbers = Vec::new();
    let (mut number, mut shift) = (0_i64, 0_u32);
    for byte in segment.bytes() {
        let digit = DIGITS.iter().position(|digit| *digit == byte)? as i64;
        number |= (digit & 31).checked_shl(shift)?;
        shift += 5;
        if shift > 40 {
            return None;
        }
        if digit & 32 == 0 {
            numbers.push(if number & 1 == 1 {
                -(number >> 1)
            } else {
                number >> 1
            });
            (number, shift) = (0, 0);
        }
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_a_bundle_has_the_line_that_it_comes_from() {
        // Two lines without a source, lines 1 and 3 of the first file, line 2 of the second.
        let map = json!({
            "version": 3, "names": [],
            "sources": ["../src/source.ts", "../../sdk/src/paging.js"],
            "mappings": ";;AAAA,IAAI;AAEA;ACDA",
        });
        let statement = statement(
            &map.to_string(),
            Path::new("/work/desk/build"),
            Path::new("/work/desk"),
            Path::new("/work/sdk"),
        );
        assert_eq!(
            statement.as_deref(),
            Some(
                "\nglobalThis.__onefold_lines = [[\"src/source.ts\",\"@onefold/sdk/paging.js\"],[null,null,[0,1],[0,3],[1,2]]];\n"
            )
        );
        assert_eq!(numbers("gB"), Some(vec![16]));
        assert_eq!(numbers("D"), Some(vec![-1]));
        assert_eq!(numbers("!"), None);
    }
}
