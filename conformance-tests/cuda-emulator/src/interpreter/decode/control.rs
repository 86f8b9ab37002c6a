//! Control flow and barriers (PTX ISA 9.7.12 and 9.7.13).

use super::operands::{Decoder, exactly};
use super::{Modifiers, invalid, unsupported};
use crate::fault::Fault;
use crate::interpreter::instruction::{Action, Barrier, Call, Collective, Combine};
use crate::ptx::syntax::{Operand, Symbol, Type};

/// A function of the CUDA run time that a failed `assert` calls, and that never returns.
const ASSERT_FAIL: &str = "__assertfail";

impl Decoder<'_> {
    pub(super) fn control(
        &mut self,
        name: &str,
        modifiers: &mut Modifiers<'_>,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        // A promise that the threads of a warp agree; the interpreter follows each thread.
        modifiers.take("uni");
        match name {
            "bra" => {
                let [label] = exactly::<1>(operands)?;
                Ok(Action::Branch(self.label(label)?))
            }
            "brx" => self.table(modifiers, operands),
            "call" => self.call(operands),
            "ret" => Ok(Action::Return),
            "exit" => Ok(Action::Exit),
            "trap" => Ok(Action::Trap(None)),
            "nanosleep" => {
                modifiers.kind()?;
                Ok(Action::Hint)
            }
            "pmevent" => Ok(Action::Hint),
            _ => self.barrier(modifiers, operands),
        }
    }

    /// `brx.idx index, table`
    fn table(&mut self, modifiers: &mut Modifiers<'_>, operands: &[Operand]) -> Result<Action, Fault> {
        if !modifiers.take("idx") {
            return Err(unsupported("brx without .idx"));
        }
        let [index, Operand::Name(table)] = exactly::<2>(operands)? else {
            return Err(invalid("a table of targets expected"));
        };
        let index = self.source(index, Type::U32)?;
        let names =
            self.function.targets.get(table).ok_or_else(|| invalid(format!("there is no table {table}")))?;
        let targets: Result<Box<[u32]>, Fault> = names.iter().map(|name| self.label_named(name)).collect();
        Ok(Action::Table(index, targets?))
    }

    /// `call (result), name, (arguments)`
    fn call(&mut self, operands: &[Operand]) -> Result<Action, Fault> {
        let (results, name, arguments) = match operands {
            [Operand::Name(name)] => (&[][..], name, &[][..]),
            [Operand::Name(name), Operand::Group(arguments)] => (&[][..], name, &arguments[..]),
            [Operand::Group(results), Operand::Name(name)] => (&results[..], name, &[][..]),
            [Operand::Group(results), Operand::Name(name), Operand::Group(arguments)] => {
                (&results[..], name, &arguments[..])
            }
            _ => return Err(unsupported("a call through a pointer")),
        };
        if name == ASSERT_FAIL {
            return Ok(Action::Trap(Some(name.clone())));
        }
        let function = self.module.functions.iter().position(|function| function.name == *name);
        let function = function.ok_or_else(|| invalid(format!("there is no function {name}")))?;
        let callee = &self.module.functions[function];
        if !callee.has_body {
            return Err(unsupported(format!("function {name}, which the module does not define")));
        }
        let variables = |operands: &[Operand]| -> Result<Vec<usize>, Fault> {
            operands
                .iter()
                .map(|operand| match *operand {
                    Operand::Symbol(Symbol::Frame(index), 0) => Ok(index),
                    _ => Err(unsupported("an argument that is no .param variable")),
                })
                .collect()
        };
        let (arguments, results) = (variables(arguments)?, variables(results)?);
        let passed = arguments.iter().chain(&results).map(|&index| self.function.variables[index].bytes);
        let declared =
            callee.variables[..callee.parameters + callee.returns].iter().map(|variable| variable.bytes);
        if arguments.len() != callee.parameters || !passed.eq(declared) {
            return Err(invalid(format!("arguments that do not fit the declaration of {name}")));
        }
        Ok(Action::Call(Box::new(Call { function, arguments, results })))
    }

    /// `bar.sync`, `bar.red`, `bar.warp.sync`, and the same with `barrier`.
    fn barrier(&mut self, modifiers: &mut Modifiers<'_>, operands: &[Operand]) -> Result<Action, Fault> {
        if modifiers.take("warp") {
            if !modifiers.take("sync") {
                return Err(unsupported("this barrier"));
            }
            let [members] = exactly::<1>(operands)?;
            let members = self.source(members, Type::B32)?;
            return Ok(Action::Collective(Collective { members, exchange: Box::new(|_, _| {}) }));
        }
        modifiers.take("cta");
        modifiers.take("aligned");
        if modifiers.take("sync") {
            let (number, threads) = match operands {
                [number] => (number, None),
                [number, threads] => (number, Some(threads)),
                _ => return Err(invalid(format!("{} operands", operands.len()))),
            };
            return Ok(Action::Barrier(self.wait(number, threads)?));
        }
        if !modifiers.take("red") {
            return Err(unsupported("this barrier"));
        }
        let kind = modifiers.kind()?;
        let combine = modifiers.find(|word| {
            Some(match (word, kind) {
                ("popc", Type::U32) => Combine::Count,
                ("and", Type::Predicate) => Combine::And,
                ("or", Type::Predicate) => Combine::Or,
                _ => return None,
            })
        });
        let combine = combine.ok_or_else(|| unsupported("this reduction"))?;
        let (d, number, threads, p) = match operands {
            [d, number, p] => (d, number, None, p),
            [d, number, threads, p] => (d, number, Some(threads), p),
            _ => return Err(invalid(format!("{} operands", operands.len()))),
        };
        let d = if combine == Combine::Count {
            self.destination(d, Type::U32)?
        } else {
            Self::predicate_destination(d)?
        };
        let reduction = Some((combine, d, Self::condition(p)?));
        Ok(Action::Barrier(Barrier { reduction, ..self.wait(number, threads)? }))
    }

    fn wait(&mut self, number: &Operand, threads: Option<&Operand>) -> Result<Barrier, Fault> {
        let number = self.source(number, Type::U32)?;
        let threads = threads.map(|threads| self.source(threads, Type::U32)).transpose()?;
        Ok(Barrier { number, threads, reduction: None })
    }
}
