//! Reads the declarations of variables and their initialisers (PTX ISA chapter 5.4).

use super::lexer::Kind;
use super::parser::Parser;
use super::scope::Entity;
use super::syntax::{Initial, Number, Space, Symbol, Type, Variable};
use crate::fault::Fault;

impl Parser<'_> {
    /// One or more variables of the module, up to the semicolon.
    pub(super) fn module_variables(&mut self, space: Space, is_external: bool) -> Result<(), Fault> {
        loop {
            let mut variable = self.variable(space)?;
            variable.is_dynamic = space == Space::Shared && is_external;
            variable.is_external = is_external && !variable.is_dynamic;
            if self.take('=') {
                self.initial(&mut variable.initial)?;
                if variable.bytes == 0 {
                    variable.bytes = variable.initial.len() as u64 * u64::from(variable.element.bytes());
                }
                let room = variable.bytes / u64::from(variable.element.bytes());
                if variable.initial.len() as u64 > room {
                    return Err(self.invalid(&format!("more values than {} has room for", variable.name)));
                }
            }
            let index = self.module.variables.len();
            self.scopes.declare_module(variable.name.clone(), index);
            self.module.variables.push(variable);
            if !self.take(',') {
                return self.expect(';');
            }
        }
    }

    /// One or more variables of a function's frame, up to the semicolon.
    pub(super) fn frame_variables(&mut self, space: Space) -> Result<(), Fault> {
        loop {
            let variable = self.variable(space)?;
            self.scopes.declare_frame(variable.name.clone(), self.function.variables.len());
            self.function.variables.push(variable);
            if !self.take(',') {
                return self.expect(';');
            }
        }
    }

    /// `.align 8 .v2 .f32 name[3][4]`, after its state space.
    pub(super) fn variable(&mut self, space: Space) -> Result<Variable, Fault> {
        let (mut align, mut count) = (None, 1_u64);
        let element = loop {
            self.expect('.')?;
            match self.word()? {
                "align" => align = Some(self.small_integer()?),
                "v2" => count = 2,
                "v4" => count = 4,
                word => match Type::parse(word).filter(|&kind| kind != Type::Predicate) {
                    Some(kind) => break kind,
                    None => return Err(self.unsupported(&format!("variable of type .{word}"))),
                },
            }
        };
        let pointee = self.peek() == Kind::Mark('.');
        while self.take('.') {
            // `.param .u64 .ptr .global .align 8 name`: where a pointer parameter points, a hint.
            match self.word()? {
                "ptr" | "global" | "const" | "shared" | "local" => {}
                "align" => {
                    self.small_integer()?;
                }
                word => return Err(self.unsupported(&format!("attribute .{word} of a parameter"))),
            }
        }
        if pointee && space != Space::Parameter {
            return Err(self.invalid("an attribute that only parameters have"));
        }
        let name = self.word()?.to_owned();
        let mut elements = Some(count);
        while self.take('[') {
            let length = if self.peek() == Kind::Mark(']') { 0 } else { self.integer()? };
            elements = elements.and_then(|elements| elements.checked_mul(length));
            self.expect(']')?;
        }
        let bytes = elements.and_then(|elements| elements.checked_mul(u64::from(element.bytes())));
        let natural = u32::from(element.bytes()) * count as u32;
        Ok(Variable {
            name,
            space,
            element,
            align: align.unwrap_or(natural).max(1),
            bytes: bytes.ok_or_else(|| self.invalid("a variable that is too large"))?,
            is_dynamic: false,
            is_external: false,
            initial: Vec::new(),
        })
    }

    /// A value or nested lists of values in braces.
    fn initial(&mut self, values: &mut Vec<Initial>) -> Result<(), Fault> {
        if self.take('{') {
            while !self.take('}') {
                self.initial(values)?;
                self.take(',');
            }
            return Ok(());
        }
        let value = match self.peek() {
            Kind::Word("generic") => {
                self.next();
                self.expect('(')?;
                let address = self.initial_address()?;
                self.expect(')')?;
                address
            }
            Kind::Word(_) => self.initial_address()?,
            _ => Initial::Number(self.number()?),
        };
        let value = match (value, self.peek()) {
            (Initial::Address(variable, _), Kind::Mark('+')) => {
                self.next();
                Initial::Address(variable, self.integer()?.cast_signed())
            }
            (value, _) => value,
        };
        values.push(value);
        Ok(())
    }

    fn initial_address(&mut self) -> Result<Initial, Fault> {
        let name = self.word()?;
        match self.scopes.find(name) {
            Some(Entity::Symbol(Symbol::Module(index))) => Ok(Initial::Address(index, 0)),
            _ => Err(self.unsupported(&format!("initialiser with the address of {name}"))),
        }
    }

    /// A number with its sign.
    pub(super) fn number(&mut self) -> Result<Number, Fault> {
        let negative = self.take('-');
        Ok(match self.next() {
            Kind::Integer(value) if negative => Number::Integer(value.wrapping_neg()),
            Kind::Integer(value) => Number::Integer(value),
            Kind::Single(bits) if !negative => Number::Single(f32::from_bits(bits)),
            Kind::Double(value) if negative => Number::Double(-value),
            Kind::Double(value) => Number::Double(value),
            _ => return Err(self.invalid("a number expected")),
        })
    }
}
