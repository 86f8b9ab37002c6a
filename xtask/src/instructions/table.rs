//! The table of expected counts, and how what is found compares with it.

use std::fmt::{self, Write};

use anyhow::{Context, ensure};

/// Above this share of the expected count, a loop has become slower.
const MORE: f64 = 0.02;

/// Below this share, it has become so much faster that the table would let it lose that again.
const LESS: f64 = 0.05;

/// What a table begins with.
const HEAD: &str = "\
# Instructions of the hot loops, as `cargo xtask instructions` counts them and `--record` writes them here:
# the loop, all its instructions, and how many these are for what it works on.
";

/// Counts of loops, and the compiler that made them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// The first line that `rustc --version` prints.
    pub compiler: String,
    /// One for each loop, in the order of the program.
    pub counts: Vec<Count>,
}

/// The instructions of a loop.
#[derive(Debug, Clone, PartialEq)]
pub struct Count {
    /// The loop.
    pub name: String,
    /// All its instructions.
    pub instructions: u64,
    /// For people, what that is for each of its elements.
    pub share: String,
}

impl Count {
    /// A count for so many units of work.
    pub fn new(name: &str, instructions: u64, units: u64, unit: &str) -> Self {
        let share = format!("{:.3} per {unit}", instructions as f64 / units as f64);
        Self { name: name.to_owned(), instructions, share }
    }
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// A line that is none of a table, a loop that is there twice, or no compiler.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let mut table = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let rest = rest.trim();
            if name == "rustc" {
                table.compiler = line.to_owned();
                continue;
            }
            let (count, share) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            let instructions = count
                .parse()
                .with_context(|| format!("line {}: {count:?} is no number of instructions", index + 1))?;
            ensure!(table.of(name).is_none(), "line {}: {name} is there twice", index + 1);
            table.counts.push(Count { name: name.to_owned(), instructions, share: share.trim().to_owned() });
        }
        // Without, nothing would ever be held against the table.
        ensure!(!table.compiler.is_empty(), "no line names the compiler");
        Ok(table)
    }

    /// The count of a loop.
    fn of(&self, name: &str) -> Option<u64> {
        self.counts.iter().find(|count| count.name == name).map(|count| count.instructions)
    }

    /// How every loop that is found or expected compares.
    pub fn compare(&self, found: &Self) -> Vec<Finding> {
        let measured = found.counts.iter().map(|count| Finding {
            name: count.name.clone(),
            expected: self.of(&count.name),
            found: Some(count.instructions),
        });
        let gone = self.counts.iter().filter(|count| found.of(&count.name).is_none()).map(|count| Finding {
            name: count.name.clone(),
            expected: Some(count.instructions),
            found: None,
        });
        measured.chain(gone).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}{}\n", self.compiler)?;
        let name = self.counts.iter().map(|count| count.name.len()).max().unwrap_or(0);
        for count in &self.counts {
            writeln!(f, "{:name$} {:11}  {}", count.name, count.instructions, count.share)?;
        }
        Ok(())
    }
}

/// A loop's counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The loop.
    pub name: String,
    /// What the table says, if the loop is in it.
    pub expected: Option<u64>,
    /// What was counted, if there is such a loop.
    pub found: Option<u64>,
}

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As the table says.
    Expected,
    /// More than the table says.
    More,
    /// So much less that the table should say so.
    Less,
    /// Not in the table.
    Unknown,
    /// In the table only.
    Missing,
}

impl Finding {
    /// What the counts mean.
    pub fn verdict(&self) -> Verdict {
        let (expected, found) = match (self.expected, self.found) {
            (Some(expected), Some(found)) => (expected as f64, found as f64),
            (None, _) => return Verdict::Unknown,
            (Some(_), None) => return Verdict::Missing,
        };
        if found > expected * (1.0 + MORE) {
            Verdict::More
        } else if found < expected * (1.0 - LESS) {
            Verdict::Less
        } else {
            Verdict::Expected
        }
    }

    /// The change as a share of what was expected; 0 if one of the two is not there.
    fn change(&self) -> f64 {
        match (self.expected, self.found) {
            (Some(expected), Some(found)) => found as f64 / expected as f64 - 1.0,
            _ => 0.0,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |count: Option<u64>| count.map_or_else(|| "none".into(), |count| count.to_string());
        let (expected, found) = (number(self.expected), number(self.found));
        let mut line = format!("{}: expected {expected} instructions, found {found}", self.name);
        if self.change() != 0.0 {
            write!(line, " ({:+.2} %)", 100.0 * self.change())?;
        }
        line += match self.verdict() {
            Verdict::Expected => "",
            Verdict::More => ": too many; mend the loop, or record them and say why in the commit",
            Verdict::Less => ": fewer, well done; record them, so that they stay few",
            Verdict::Unknown => ": a new loop; record it",
            Verdict::Missing => ": there is no such loop any more; record the others",
        };
        f.write_str(&line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(counts: &[(&str, u64)]) -> Table {
        let counts = counts.iter().map(|&(name, count)| Count::new(name, count, 1000, "pixel")).collect();
        Table { compiler: "rustc 1.95.0".into(), counts }
    }

    fn verdict(expected: u64, found: u64) -> Verdict {
        table(&[("fit", expected)]).compare(&table(&[("fit", found)]))[0].verdict()
    }

    #[test]
    fn more_than_the_tolerance_fails_and_much_less_is_to_be_recorded() {
        for (found, expected) in [
            (100_000, Verdict::Expected),
            (102_000, Verdict::Expected),
            (102_001, Verdict::More),
            (200_000, Verdict::More),
            (95_001, Verdict::Expected),
            (94_999, Verdict::Less),
            (0, Verdict::Less),
        ] {
            assert_eq!(verdict(100_000, found), expected, "{found}");
        }
        assert_eq!(verdict(0, 1), Verdict::More);
    }

    #[test]
    fn loops_that_are_only_in_the_table_or_not_in_it_fail() {
        let findings = table(&[("fit", 7), ("gone", 8)]).compare(&table(&[("new", 9), ("fit", 7)]));
        let verdicts: Vec<_> = findings.iter().map(|finding| (&*finding.name, finding.verdict())).collect();
        assert_eq!(
            verdicts,
            [("new", Verdict::Unknown), ("fit", Verdict::Expected), ("gone", Verdict::Missing)]
        );
    }

    #[test]
    fn messages_name_the_loop_both_counts_and_the_way_out() {
        let findings = table(&[("fit", 1000)]).compare(&table(&[("fit", 1100)]));
        assert_eq!(
            findings[0].to_string(),
            "fit: expected 1000 instructions, found 1100 (+10.00 %): too many; mend the loop, or record them \
             and say why in the commit"
        );
        let findings = table(&[]).compare(&table(&[("fit", 1100)]));
        assert_eq!(
            findings[0].to_string(),
            "fit: expected none instructions, found 1100: a new loop; record it"
        );
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let table = table(&[("fit", 123_456), ("log10-f64", 7)]);
        let text = table.to_string();
        assert!(text.contains("\nfit            123456  123.456 per pixel\n"), "{text}");
        assert_eq!(Table::parse(&text).unwrap(), table);
        let error = |text: &str| Table::parse(text).unwrap_err().to_string();
        assert_eq!(error("fit 7"), "no line names the compiler");
        assert_eq!(error("fit 7\nfit 8"), "line 2: fit is there twice");
        assert_eq!(error("# a comment\n\nfit many"), "line 3: \"many\" is no number of instructions");
    }
}
