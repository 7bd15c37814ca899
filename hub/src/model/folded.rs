//! Text as people look for it: without case, in any script. Not for identifiers, which have normal forms of their own.

use unicode_normalization::UnicodeNormalization;

/// Texts that differ in nothing but case or in how their characters are composed have the same folded form. To upper and
/// then to lower case is Unicode's full case folding but for a few letters of rare scripts: it joins `ß` with `SS` and both
/// small sigmas.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfkc()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn case_and_composition_make_no_difference_in_any_script() {
        for (one, other) in [
            ("Łukasz", "łUKASZ"),
            ("STRASSE", "straße"),
            ("Ὀδυσσεύς", "ὈΔΥΣΣΕΎΣ"),
            ("Ёлка", "ёЛКА"),
            ("Jose\u{301}", "JOS\u{c9}"),
            ("ada", "ADA"),
        ] {
            assert_eq!(fold(one), fold(other));
        }
        assert_ne!(fold("Łukasz"), fold("Lukasz"));
        assert_ne!(fold("a"), fold("\u{e4}"));
    }

    #[test]
    fn a_part_of_a_text_is_a_part_of_its_folded_form() {
        assert!(fold("Zażółć GĘŚLĄ jaźń").contains(&fold("gęślą")));
    }
}
