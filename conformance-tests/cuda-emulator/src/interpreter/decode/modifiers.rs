//! The modifiers of an opcode: each must be taken by the code that knows its meaning.

use super::unsupported;
use crate::fault::Fault;
use crate::ptx::syntax::Type;

pub(super) struct Modifiers<'a> {
    rest: Vec<&'a str>,
}

impl<'a> Modifiers<'a> {
    pub(super) fn new(words: &'a [String]) -> Self {
        Self { rest: words.iter().map(String::as_str).collect() }
    }

    /// Whether `word` is among the modifiers; it is taken.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let found = self.rest.iter().position(|&rest| rest == word);
        if let Some(index) = found {
            self.rest.remove(index);
        }
        found.is_some()
    }

    /// The first modifier for which `meaning` knows one; it is taken.
    pub(super) fn find<T>(&mut self, meaning: impl Fn(&str) -> Option<T>) -> Option<T> {
        let (index, value) =
            self.rest.iter().enumerate().find_map(|(index, word)| Some((index, meaning(word)?)))?;
        self.rest.remove(index);
        Some(value)
    }

    /// The type of the instruction, its last modifier.
    pub(super) fn kind(&mut self) -> Result<Type, Fault> {
        let word = self.rest.pop().ok_or_else(|| unsupported("an instruction without a type"))?;
        Type::parse(word).ok_or_else(|| unsupported(format!("type .{word}")))
    }

    /// An error if a modifier was not taken.
    pub(super) fn finish(self) -> Result<(), Fault> {
        match self.rest.first() {
            None => Ok(()),
            Some(word) => Err(unsupported(format!("modifier .{word}"))),
        }
    }
}
