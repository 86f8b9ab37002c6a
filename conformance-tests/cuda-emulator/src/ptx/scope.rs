//! The names that are visible at a place of a module's text.

use std::collections::HashMap;

use super::syntax::{Symbol, Type};

/// What a name was declared as.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entity {
    /// A register: its index among the function's registers, or predicates, and its type.
    Register(u32, Type),
    Symbol(Symbol),
}

/// `%r<5>`: `count` registers from `first` on; or one register without a number.
#[derive(Debug, Clone, Copy)]
struct Registers {
    kind: Type,
    first: u32,
    count: Option<u32>,
}

#[derive(Debug, Default)]
struct Scope<'a> {
    registers: HashMap<&'a str, Registers>,
    symbols: HashMap<String, Symbol>,
}

/// Nested scopes; the outermost is the module's.
#[derive(Debug)]
pub(crate) struct Scopes<'a> {
    scopes: Vec<Scope<'a>>,
}

impl Default for Scopes<'_> {
    fn default() -> Self {
        Self { scopes: vec![Scope::default()] }
    }
}

impl<'a> Scopes<'a> {
    pub(crate) fn enter(&mut self) {
        self.scopes.push(Scope::default());
    }

    pub(crate) fn leave(&mut self) {
        self.scopes.pop();
    }

    pub(crate) fn declare_registers(&mut self, name: &'a str, kind: Type, first: u32, count: Option<u32>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.registers.insert(name, Registers { kind, first, count });
        }
    }

    pub(crate) fn declare_frame(&mut self, name: String, index: usize) {
        self.declare(name, Symbol::Frame(index));
    }

    pub(crate) fn declare_module(&mut self, name: String, index: usize) {
        self.declare(name, Symbol::Module(index));
    }

    fn declare(&mut self, name: String, symbol: Symbol) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.symbols.insert(name, symbol);
        }
    }

    /// The innermost meaning of `name`.
    pub(crate) fn find(&self, name: &str) -> Option<Entity> {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let number: Option<u32> = name[stem.len()..].parse().ok();
        self.scopes.iter().rev().find_map(|scope| {
            if let Some(registers) = scope.registers.get(name).filter(|registers| registers.count.is_none()) {
                return Some(Entity::Register(registers.first, registers.kind));
            }
            if let Some(&symbol) = scope.symbols.get(name) {
                return Some(Entity::Symbol(symbol));
            }
            let (number, registers) = (number?, scope.registers.get(stem)?);
            (number < registers.count?).then(|| Entity::Register(registers.first + number, registers.kind))
        })
    }
}
