//! Splits the text of a module into tokens (PTX ISA 8.8, chapter 4.2-4.5).

use crate::fault::{Fault, FaultKind};

/// A token and where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind<'a>,
    /// Bytes from the start of the text.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind<'a> {
    /// A name, with its `%`, `$` or `_`; also opcodes and the words of directives.
    Word(&'a str),
    /// An integer; a negative number is a minus sign and a number.
    Integer(u64),
    /// The bits of a `0f` literal.
    Single(u32),
    /// A decimal or `0d` literal.
    Double(f64),
    /// The inside of a string.
    Text(&'a str),
    /// Anything else, one character.
    Mark(char),
    /// The end of the text.
    End,
}

/// All tokens of `text`, with [`Kind::End`] as the last.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token<'_>>, Fault> {
    let mut tokens = Vec::with_capacity(text.len() / 4);
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (kind, length) = match rest.as_bytes()[0] {
            // NVRTC ends its text with a zero byte when that is taken over from C.
            b' ' | b'\t' | b'\r' | b'\n' | 0 => (None, 1),
            b'/' if rest.starts_with("//") => (None, rest.find('\n').unwrap_or(rest.len())),
            b'/' if rest.starts_with("/*") => match rest.find("*/") {
                Some(end) => (None, end + 2),
                None => return Err(invalid(text, at, "a comment without an end")),
            },
            b'"' => match rest[1..].find('"') {
                Some(end) => (Some(Kind::Text(&rest[1..=end])), end + 2),
                None => return Err(invalid(text, at, "a string without an end")),
            },
            b'0'..=b'9' => {
                let (kind, length) = number(rest).ok_or_else(|| invalid(text, at, "not a number"))?;
                (Some(kind), length)
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | b'%' => {
                let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
                let length = rest[1..].find(|c| !part(c)).map_or(rest.len(), |end| end + 1);
                (Some(Kind::Word(&rest[..length])), length)
            }
            byte if byte.is_ascii_graphic() => (Some(Kind::Mark(char::from(byte))), 1),
            _ => return Err(invalid(text, at, "a character that PTX does not have")),
        };
        tokens.extend(kind.map(|kind| Token { kind, start: at, end: at + length }));
        at += length;
    }
    tokens.push(Token { kind: Kind::End, start: at, end: at });
    Ok(tokens)
}

/// A number at the start of `rest`, and its length.
fn number(rest: &str) -> Option<(Kind<'_>, usize)> {
    let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    let word = &rest[..length];
    let fraction =
        rest[length..].strip_prefix('.').is_some_and(|tail| tail.starts_with(|c: char| c.is_ascii_digit()));
    if fraction && word.bytes().all(|byte| byte.is_ascii_digit()) {
        let part = |c: char| c.is_ascii_alphanumeric();
        let mut end = rest[length + 1..].find(|c| !part(c)).map_or(rest.len(), |tail| length + 1 + tail);
        // The sign of an exponent: 1.5e-7.
        if rest[..end].ends_with(['e', 'E']) && rest[end..].starts_with(['+', '-']) {
            end += 1 + rest[end + 1..].find(|c| !part(c)).unwrap_or(rest.len() - end - 1);
        }
        return Some((Kind::Double(rest[..end].parse().ok()?), end));
    }
    let hexadecimal =
        |digits, count| (word.len() == count).then(|| u64::from_str_radix(digits, 16).ok()).flatten();
    let kind = match word.split_at_checked(2) {
        Some(("0f" | "0F", digits)) => Kind::Single(hexadecimal(digits, 10)? as u32),
        Some(("0d" | "0D", digits)) => Kind::Double(f64::from_bits(hexadecimal(digits, 18)?)),
        _ => {
            let digits = word.strip_suffix('U').unwrap_or(word);
            let value = match digits.split_at_checked(2) {
                Some(("0x" | "0X", digits)) => u64::from_str_radix(digits, 16),
                Some(("0b" | "0B", digits)) => u64::from_str_radix(digits, 2),
                Some(_) if digits.starts_with('0') => u64::from_str_radix(digits, 8),
                _ => digits.parse(),
            };
            Kind::Integer(value.ok()?)
        }
    };
    Some((kind, length))
}

/// The fault of a text that is not PTX, with the line where it is not.
pub(crate) fn invalid(text: &str, at: usize, what: &str) -> Fault {
    Fault::new(FaultKind::InvalidPtx, format!("line {}: {what}", line_of(text, at)))
}

/// The number of the line that contains the byte `at`, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes().iter().take(at).filter(|&&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind<'_>> {
        let mut kinds: Vec<_> = tokens(text).unwrap().into_iter().map(|token| token.kind).collect();
        assert_eq!(kinds.pop(), Some(Kind::End));
        kinds
    }

    #[test]
    fn words_and_marks() {
        use Kind::{Mark, Word};
        let expected =
            [Mark('@'), Word("%p1"), Word("bra"), Mark('.'), Word("uni"), Word("$L__BB0_2"), Mark(';')];
        assert_eq!(kinds("@%p1 /* a */ bra.uni $L__BB0_2; // b"), expected);
    }

    #[test]
    fn numbers() {
        use Kind::{Double, Integer, Single};
        assert_eq!(kinds("10 0x1F 0b101 017 7U 0"), [10, 31, 5, 15, 7, 0].map(Integer));
        assert_eq!(kinds("0f3F800000 0F40000000"), [0x3F80_0000, 0x4000_0000].map(Single));
        assert_eq!(kinds("0d3FF0000000000000 8.8 1.5e-3 2.5"), [1.0, 8.8, 1.5e-3, 2.5].map(Double));
    }

    #[test]
    fn what_is_no_token() {
        for text in ["\"open", "/* open", "0f12", "0xG", "é", "12ab"] {
            let fault = tokens(text).unwrap_err();
            assert_eq!(fault.kind, FaultKind::InvalidPtx, "{text}");
        }
    }
}
