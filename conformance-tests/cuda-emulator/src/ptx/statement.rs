//! Reads instructions and their operands (PTX ISA chapter 6 and the grammar in 4.3).

use super::lexer::Kind;
use super::parser::Parser;
use super::scope::Entity;
use super::syntax::{Operand, Special, Statement, Type};
use crate::fault::Fault;

impl Parser<'_> {
    /// `@!%p add.rn.f64 a, b, c;`
    pub(super) fn instruction(&mut self) -> Result<(), Fault> {
        let (start, line) = (self.token().start, self.line());
        let guard = if self.take('@') {
            let negated = self.take('!');
            let name = self.word()?;
            match self.scopes.find(name) {
                Some(Entity::Register(index, Type::Predicate)) => Some((index, negated)),
                _ => return Err(self.invalid(&format!("{name} is no predicate"))),
            }
        } else {
            None
        };
        let mut opcode = vec![self.word()?.to_owned()];
        while self.take('.') {
            opcode.push(self.modifier()?);
        }
        let mut operands = Vec::new();
        while !self.take(';') {
            operands.push(self.operand()?);
            if !self.take(',') && self.peek() != Kind::Mark(';') {
                // `call (result), name, (arguments);` has commas too, so nothing may follow without one.
                return Err(self.invalid("`,` or `;` expected"));
            }
        }
        let text = self.text[start..self.previous().end].split_whitespace().collect::<Vec<_>>().join(" ");
        self.function.statements.push(Statement { guard, opcode, operands, text, line });
        Ok(())
    }

    /// `rn`, `L2::128B`, `shared::cta`.
    fn modifier(&mut self) -> Result<String, Fault> {
        let mut modifier = self.word()?.to_owned();
        while self.take(':') {
            self.expect(':')?;
            let start = self.token();
            self.next();
            modifier.push_str("::");
            modifier.push_str(&self.text[start.start..start.end]);
        }
        Ok(modifier)
    }

    fn operand(&mut self) -> Result<Operand, Fault> {
        let operand = self.simple_operand()?;
        if !self.take('|') {
            return Ok(operand);
        }
        Ok(Operand::Pair(Box::new(operand), Box::new(self.simple_operand()?)))
    }

    fn simple_operand(&mut self) -> Result<Operand, Fault> {
        match self.peek() {
            Kind::Mark('{') => {
                self.next();
                Ok(Operand::Vector(self.operands_until('}')?))
            }
            Kind::Mark('(') => {
                self.next();
                Ok(Operand::Group(self.operands_until(')')?))
            }
            Kind::Mark('[') => {
                self.next();
                self.address()
            }
            Kind::Mark('!') => {
                self.next();
                match self.simple_operand()? {
                    Operand::Predicate(index, negated) => Ok(Operand::Predicate(index, !negated)),
                    _ => Err(self.invalid("a predicate expected after `!`")),
                }
            }
            Kind::Word("_") => {
                self.next();
                Ok(Operand::Nothing)
            }
            Kind::Word(_) => self.named(),
            _ => Ok(Operand::Number(self.number()?)),
        }
    }

    fn operands_until(&mut self, end: char) -> Result<Vec<Operand>, Fault> {
        let mut operands = Vec::new();
        while !self.take(end) {
            operands.push(self.operand()?);
            self.take(',');
        }
        Ok(operands)
    }

    /// A register, variable, label, or the name of a function.
    fn named(&mut self) -> Result<Operand, Fault> {
        let name = self.word()?;
        Ok(match self.scopes.find(name) {
            Some(Entity::Register(index, Type::Predicate)) => Operand::Predicate(index, false),
            Some(Entity::Register(index, kind)) => Operand::Register(index, kind.register_bytes()),
            Some(Entity::Symbol(symbol)) => Operand::Symbol(symbol, self.offset()?),
            None => match name {
                "WARP_SZ" => Operand::Number(super::syntax::Number::Integer(32)),
                "%clock" | "%clock64" | "%globaltimer" | "%clock_hi" => Operand::Clock,
                _ if name.starts_with('%') => Operand::Special(self.special(name)?),
                _ => Operand::Name(name.to_owned()),
            },
        })
    }

    /// `+ 8`, `- 8`, `+-8` or nothing.
    fn offset(&mut self) -> Result<i64, Fault> {
        let mut negative = self.take('-');
        if !negative && !self.take('+') {
            return Ok(0);
        }
        negative |= self.take('-');
        let offset = self.integer()?.cast_signed();
        Ok(if negative { offset.wrapping_neg() } else { offset })
    }

    /// The inside of `[register + offset]`, past the bracket.
    fn address(&mut self) -> Result<Operand, Fault> {
        let operand = if let Kind::Word(_) = self.peek() {
            match self.named()? {
                Operand::Register(index, bytes) => Operand::AtRegister(index, bytes, self.offset()?),
                Operand::Symbol(symbol, offset) => Operand::AtSymbol(symbol, offset),
                _ => return Err(self.invalid("an address expected")),
            }
        } else {
            return Err(self.unsupported("a number as an address"));
        };
        self.expect(']')?;
        Ok(operand)
    }

    fn special(&mut self, name: &str) -> Result<Special, Fault> {
        let special = match name {
            "%tid" | "%ntid" | "%ctaid" | "%nctaid" => {
                self.expect('.')?;
                let axis = match self.word()? {
                    "x" => 0,
                    "y" => 1,
                    "z" => 2,
                    axis => return Err(self.unsupported(&format!("special register {name}.{axis}"))),
                };
                match name {
                    "%tid" => Special::Tid(axis),
                    "%ntid" => Special::Ntid(axis),
                    "%ctaid" => Special::Ctaid(axis),
                    _ => Special::Nctaid(axis),
                }
            }
            "%laneid" => Special::LaneId,
            "%warpid" => Special::WarpId,
            "%nwarpid" => Special::WarpCount,
            "%smid" => Special::SmId,
            "%nsmid" => Special::SmCount,
            "%gridid" => Special::GridId,
            "%lanemask_eq" => Special::LaneMaskEq,
            "%lanemask_le" => Special::LaneMaskLe,
            "%lanemask_lt" => Special::LaneMaskLt,
            "%lanemask_ge" => Special::LaneMaskGe,
            "%lanemask_gt" => Special::LaneMaskGt,
            "%dynamic_smem_size" => Special::DynamicShared,
            "%total_smem_size" => Special::TotalShared,
            _ => return Err(self.unsupported(&format!("register {name}"))),
        };
        Ok(special)
    }
}
