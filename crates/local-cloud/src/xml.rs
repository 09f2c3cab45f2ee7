//! Text in XML.

use std::borrow::Cow;

/// The text with U+FFFD for what no XML document can hold (XML 1.0, 2.2), so that a parser reads the rest.
pub(crate) fn legal(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_legal) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if is_legal(c) { c } else { char::REPLACEMENT_CHARACTER }).collect())
}

const fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(legal("a\tb é 😀"), "a\tb é 😀");
        assert_eq!(legal("a\u{1}b\u{FFFF}"), "a\u{FFFD}b\u{FFFD}");
    }
}
