//! Lists of frames, rows or columns on the command line: `0,5,10..20`.

use std::str::FromStr;

/// Numbers and half-open ranges, in the order in which they are given. Either end of a
/// range may be left out: `..` is everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    One(usize),
    /// From the first to before the second.
    Range(Option<usize>, Option<usize>),
}

impl Selection {
    /// The numbers selected out of `0..length`.
    ///
    /// Fails, naming what is selected in the singular as `thing`, if one is not in there.
    pub(crate) fn resolve(&self, length: usize, thing: &str) -> Result<Vec<usize>, String> {
        let mut numbers = Vec::new();
        for part in &self.parts {
            let range = match *part {
                Part::One(number) => number..number.saturating_add(1),
                Part::Range(first, end) => first.unwrap_or(0)..end.unwrap_or(length),
            };
            if range.end > length || range.start >= length {
                let bad = if range.start >= length { range.start } else { range.end - 1 };
                return Err(format!("there is no {thing} {bad}: they are 0 to {}", length.saturating_sub(1)));
            }
            numbers.extend(range);
        }
        Ok(numbers)
    }
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |digits: &str| {
            digits.parse::<usize>().map_err(|_| format!("{digits:?} is no number; write 0,5,10..20"))
        };
        let end = |digits: &str| if digits.is_empty() { Ok(None) } else { number(digits).map(Some) };
        let parts = text.split(',').map(str::trim).map(|part| match part.split_once("..") {
            None => number(part).map(Part::One),
            Some((first, last)) => {
                let (first, last) = (end(first)?, end(last)?);
                match (first.unwrap_or(0), last) {
                    (first, Some(last)) if first >= last => {
                        Err(format!("{part} is empty: the second number is the first one not in it"))
                    }
                    _ => Ok(Part::Range(first, last)),
                }
            }
        });
        Ok(Self { parts: parts.collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str, length: usize) -> Result<Vec<usize>, String> {
        text.parse::<Selection>()?.resolve(length, "frame")
    }

    #[test]
    fn numbers_and_ranges_in_their_order() {
        assert_eq!(resolve("7,0..3,5", 8).unwrap(), [7, 0, 1, 2, 5]);
        assert_eq!(resolve("..", 3).unwrap(), [0, 1, 2]);
        assert_eq!(resolve("..2, 6..", 8).unwrap(), [0, 1, 6, 7]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        assert_eq!(resolve("8", 8).unwrap_err(), "there is no frame 8: they are 0 to 7");
        assert_eq!(resolve("5..10", 8).unwrap_err(), "there is no frame 9: they are 0 to 7");
        assert_eq!(resolve("9..", 8).unwrap_err(), "there is no frame 9: they are 0 to 7");
        assert_eq!(
            resolve(&usize::MAX.to_string(), 8).unwrap_err(),
            format!("there is no frame {}: they are 0 to 7", usize::MAX)
        );
    }

    #[test]
    fn what_is_no_list_is_refused() {
        assert_eq!(resolve("1;2", 8).unwrap_err(), "\"1;2\" is no number; write 0,5,10..20");
        assert_eq!(resolve("", 8).unwrap_err(), "\"\" is no number; write 0,5,10..20");
        assert!(resolve("3..3", 8).unwrap_err().starts_with("3..3 is empty"));
        assert!(resolve("-1", 8).is_err());
    }
}
