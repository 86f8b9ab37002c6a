//! Reads the directives of a module and its functions (PTX ISA chapter 11).

use super::lexer::{Kind, Token, invalid, line_of, tokens};
use super::scope::Scopes;
use super::syntax::{Function, Space, Text, Type, Variable};
use crate::fault::{Fault, FaultKind};

/// The text of a module, with all names of variables and registers resolved.
pub(crate) fn parse(text: &str) -> Result<Text, Fault> {
    let mut parser = Parser {
        text,
        tokens: tokens(text)?,
        at: 0,
        module: Text::default(),
        function: Function::default(),
        scopes: Scopes::default(),
        lines: (0, 1),
    };
    while parser.peek() != Kind::End {
        parser.directive()?;
    }
    Ok(parser.module)
}

pub(crate) struct Parser<'a> {
    pub(super) text: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
    pub(super) module: Text,
    /// The function that is being read.
    pub(super) function: Function,
    pub(super) scopes: Scopes<'a>,
    /// A byte of the text and its line, to count lines only once.
    lines: (usize, usize),
}

impl<'a> Parser<'a> {
    pub(super) fn peek(&self) -> Kind<'a> {
        self.tokens[self.at].kind
    }

    pub(super) fn token(&self) -> Token<'a> {
        self.tokens[self.at]
    }

    /// The token before the next one.
    pub(super) fn previous(&self) -> Token<'a> {
        self.tokens[self.at.saturating_sub(1)]
    }

    pub(super) fn next(&mut self) -> Kind<'a> {
        let kind = self.peek();
        // The last token is the end, which stays.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        kind
    }

    pub(super) fn take(&mut self, mark: char) -> bool {
        let found = self.peek() == Kind::Mark(mark);
        if found {
            self.next();
        }
        found
    }

    pub(super) fn expect(&mut self, mark: char) -> Result<(), Fault> {
        if self.take(mark) { Ok(()) } else { Err(self.invalid(&format!("`{mark}` expected"))) }
    }

    pub(super) fn word(&mut self) -> Result<&'a str, Fault> {
        match self.next() {
            Kind::Word(word) => Ok(word),
            _ => Err(self.invalid("a name expected")),
        }
    }

    pub(super) fn integer(&mut self) -> Result<u64, Fault> {
        match self.next() {
            Kind::Integer(value) => Ok(value),
            _ => Err(self.invalid("an integer expected")),
        }
    }

    pub(super) fn small_integer(&mut self) -> Result<u32, Fault> {
        let value = self.integer()?;
        u32::try_from(value).map_err(|_| self.invalid(&format!("{value} is too large here")))
    }

    pub(super) fn invalid(&self, what: &str) -> Fault {
        let token = self.token();
        let found = &self.text[token.start..token.end];
        invalid(self.text, token.start, &format!("{what}, near `{found}`"))
    }

    pub(super) fn unsupported(&self, what: &str) -> Fault {
        let line = line_of(self.text, self.token().start);
        Fault::new(FaultKind::Unsupported, format!("line {line}: {what}"))
    }

    /// The line of the next token.
    pub(super) fn line(&mut self) -> usize {
        let (byte, line) = self.lines;
        let start = self.token().start;
        self.lines = (start, line + line_of(&self.text[byte.min(start)..], start.saturating_sub(byte)) - 1);
        self.lines.1
    }

    /// A directive at the level of the module.
    fn directive(&mut self) -> Result<(), Fault> {
        self.expect('.')?;
        match self.word()? {
            "version" | "address_size" => {
                self.next();
                Ok(())
            }
            "target" => {
                self.word()?;
                while self.take(',') {
                    self.word()?;
                }
                Ok(())
            }
            "file" | "section" | "loc" => self.debug_information(),
            "pragma" => self.pragma(),
            "visible" | "weak" | "common" => self.directive(),
            "extern" => self.external(),
            "entry" => self.function(true),
            "func" => self.function(false),
            word => match module_space(word) {
                Some(space) => self.module_variables(space, false),
                None => Err(self.unsupported(&format!("directive .{word}"))),
            },
        }
    }

    fn external(&mut self) -> Result<(), Fault> {
        self.expect('.')?;
        match self.word()? {
            "func" => self.function(false),
            word => match module_space(word) {
                Some(space) => self.module_variables(space, true),
                None => Err(self.unsupported(&format!("directive .extern .{word}"))),
            },
        }
    }

    pub(super) fn pragma(&mut self) -> Result<(), Fault> {
        // Hints to the optimiser: `nounroll`, `used_bytes_mask` and the like change no result.
        while !self.take(';') {
            if !matches!(self.next(), Kind::Text(_) | Kind::Mark(',')) {
                return Err(self.invalid("a string expected"));
            }
        }
        Ok(())
    }

    /// `.file`, `.loc` and `.section`, which only debuggers read; the first two end with their line.
    pub(super) fn debug_information(&mut self) -> Result<(), Fault> {
        let start = self.previous();
        if &self.text[start.start..start.end] == "section" {
            while self.next() != Kind::Mark('}') {
                if self.peek() == Kind::End {
                    return Err(self.invalid("a section without an end"));
                }
            }
            return Ok(());
        }
        let end = self.text[start.end..].find('\n').map_or(self.text.len(), |length| start.end + length);
        while self.token().start < end && self.peek() != Kind::End {
            self.next();
        }
        Ok(())
    }

    /// A `.func` or `.entry`, declared or defined.
    fn function(&mut self, is_entry: bool) -> Result<(), Fault> {
        self.function = Function { is_entry, predicates: 2, ..Function::default() };
        self.scopes.enter();
        let mut results = Vec::new();
        if self.take('(') {
            results = self.parameters()?;
        }
        self.function.name = self.word()?.to_owned();
        if self.take('(') {
            let parameters = self.parameters()?;
            self.function.parameters = parameters.len();
            self.function.variables = parameters;
        }
        self.function.returns = results.len();
        self.function.variables.extend(results);
        for (index, variable) in self.function.variables.iter().enumerate() {
            self.scopes.declare_frame(variable.name.clone(), index);
        }
        while self.take('.') {
            self.performance_directive()?;
        }
        if !self.take(';') {
            self.expect('{')?;
            self.function.has_body = true;
            self.body()?;
        }
        self.scopes.leave();
        let function = std::mem::take(&mut self.function);
        match self.module.functions.iter_mut().find(|known| known.name == function.name) {
            Some(known) if known.has_body && function.has_body => {
                Err(self.invalid(&format!("{} is defined twice", function.name)))
            }
            Some(known) if known.has_body => Ok(()),
            Some(known) => {
                *known = function;
                Ok(())
            }
            None => {
                self.module.functions.push(function);
                Ok(())
            }
        }
    }

    fn performance_directive(&mut self) -> Result<(), Fault> {
        match self.word()? {
            "maxntid" | "reqntid" => {
                let mut threads = self.small_integer()?;
                while self.take(',') {
                    threads = threads.saturating_mul(self.small_integer()?);
                }
                self.function.max_threads = Some(threads);
            }
            "minnctapersm" | "maxnreg" | "maxnctapersm" => {
                self.small_integer()?;
            }
            "noreturn" => {}
            "pragma" => self.pragma()?,
            word => return Err(self.unsupported(&format!("directive .{word} of a function"))),
        }
        Ok(())
    }

    /// `.param` declarations up to the closing bracket.
    fn parameters(&mut self) -> Result<Vec<Variable>, Fault> {
        let mut parameters = Vec::new();
        while !self.take(')') {
            self.expect('.')?;
            match self.word()? {
                "param" => parameters.push(self.variable(Space::Parameter)?),
                word => return Err(self.unsupported(&format!("parameter in .{word}"))),
            }
            self.take(',');
        }
        Ok(parameters)
    }

    /// The inside of a function, past its closing brace.
    fn body(&mut self) -> Result<(), Fault> {
        let mut depth = 1;
        while depth > 0 {
            match self.peek() {
                Kind::Mark('{') => {
                    self.next();
                    self.scopes.enter();
                    depth += 1;
                }
                Kind::Mark('}') => {
                    self.next();
                    depth -= 1;
                    if depth > 0 {
                        self.scopes.leave();
                    }
                }
                Kind::Mark('.') => {
                    self.next();
                    self.body_directive()?;
                }
                Kind::Mark(';') => {
                    self.next();
                }
                _ => self.statement()?,
            }
        }
        Ok(())
    }

    fn body_directive(&mut self) -> Result<(), Fault> {
        match self.word()? {
            "reg" => self.registers(),
            "local" => self.frame_variables(Space::Local),
            "param" => self.frame_variables(Space::Parameter),
            "shared" => self.module_variables(Space::Shared, false),
            "global" => self.module_variables(Space::Global, false),
            "const" => self.module_variables(Space::Constant, false),
            "loc" | "file" => self.debug_information(),
            "pragma" => self.pragma(),
            word => Err(self.unsupported(&format!("directive .{word} in a function"))),
        }
    }

    /// `.reg .b32 %r<5>;` declares `%r0` to `%r4`, `.reg .b32 a, b;` two registers.
    fn registers(&mut self) -> Result<(), Fault> {
        self.expect('.')?;
        let word = self.word()?;
        let Some(kind) = Type::parse(word) else {
            return Err(self.unsupported(&format!("registers of type .{word}")));
        };
        loop {
            let name = self.word()?;
            let count = if self.take('<') {
                let count = self.small_integer()?;
                self.expect('>')?;
                Some(count)
            } else {
                None
            };
            let added = count.unwrap_or(1);
            let first = if kind == Type::Predicate {
                self.function.predicates += added;
                self.function.predicates - added
            } else {
                let first = self.function.registers.len();
                self.function.registers.resize(first + added as usize, kind.register_bytes());
                first as u32
            };
            self.scopes.declare_registers(name, kind, first, count);
            if !self.take(',') {
                return self.expect(';');
            }
        }
    }

    /// A label's statement list, `.branchtargets` or an instruction.
    fn statement(&mut self) -> Result<(), Fault> {
        if let (Kind::Word(label), Some(Kind::Mark(':'))) =
            (self.peek(), self.tokens.get(self.at + 1).map(|token| token.kind))
        {
            self.next();
            self.next();
            let is_table = self.peek() == Kind::Mark('.')
                && self.tokens.get(self.at + 1).map(|token| token.kind) == Some(Kind::Word("branchtargets"));
            if is_table {
                self.next();
                self.next();
                let mut targets = vec![self.word()?.to_owned()];
                while self.take(',') {
                    targets.push(self.word()?.to_owned());
                }
                self.function.targets.insert(label.to_owned(), targets);
                return self.expect(';');
            }
            let here = self.function.statements.len();
            if self.function.labels.insert(label.to_owned(), here).is_some() {
                return Err(self.unsupported(&format!("label {label} is defined twice in one function")));
            }
            return Ok(());
        }
        self.instruction()
    }
}

fn module_space(word: &str) -> Option<Space> {
    Some(match word {
        "global" => Space::Global,
        "const" => Space::Constant,
        "shared" => Space::Shared,
        _ => return None,
    })
}
