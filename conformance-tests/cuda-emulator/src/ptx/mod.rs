//! Modules: PTX texts, parsed and decoded, and their variables in device memory.
//!
//! The language is PTX ISA 8.8 (<https://docs.nvidia.com/cuda/archive/12.9.0/parallel-thread-execution/>). What the
//! emulator does not know is an error when a module is read, not when an instruction is reached.

mod lexer;
mod link;
mod parser;
mod scope;
mod statement;
pub(crate) mod syntax;
mod variable;

use crate::fault::{Fault, FaultKind};
use crate::interpreter::decode;
use crate::interpreter::instruction::Code;
use crate::interpreter::program::Needs;
use crate::memory::Memory;
use syntax::{Space, Text};

/// A module: kernels, functions and variables.
pub struct Module {
    text: Text,
    codes: Vec<Code>,
    kernels: Vec<Kernel>,
    /// The addresses of the variables in device memory; `None` before [`Module::load`].
    addresses: Option<Vec<u64>>,
}

/// A function that can be launched.
#[derive(Debug, Clone)]
pub struct Kernel {
    name: String,
    function: usize,
    parameters: Vec<Parameter>,
    max_threads: Option<u32>,
    /// The variables in shared memory that it or a function that it calls uses, with their addresses.
    shared: Vec<(usize, u64)>,
    shared_bytes: u32,
    needs: Needs,
}

/// A parameter of a kernel, in the buffer that a launch passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Bytes from the start of the buffer.
    pub offset: u32,
    /// Size in bytes.
    pub size: u32,
    /// Alignment in bytes.
    pub align: u32,
}

impl Module {
    /// Reads a module.
    ///
    /// # Errors
    /// [`FaultKind::InvalidPtx`] for a text that is not PTX, [`FaultKind::Unsupported`] for an instruction,
    /// modifier or directive that the emulator does not know; both name the line and the instruction.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let text = parser::parse(text)?;
        let codes = text.functions.iter().map(|function| decode::function(&text, function));
        let codes = codes.collect::<Result<Vec<_>, _>>()?;
        let kernels = link::kernels(&text, &codes)?;
        Ok(Self { text, codes, kernels, addresses: None })
    }

    /// The kernel of that name.
    #[must_use]
    pub fn kernel(&self, name: &str) -> Option<&Kernel> {
        self.kernels.iter().find(|kernel| kernel.name == name)
    }

    /// The names of all kernels.
    pub fn kernels(&self) -> impl Iterator<Item = &Kernel> {
        self.kernels.iter()
    }

    /// Address and size of a loaded variable of the module.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<(u64, u64)> {
        let index = self.text.variables.iter().position(|variable| variable.name == name)?;
        let variable = &self.text.variables[index];
        let is_in_memory = variable.space != Space::Shared;
        is_in_memory.then_some((*self.addresses.as_ref()?.get(index)?, variable.bytes))
    }

    /// The addresses of the loaded variables of the module.
    pub fn variable_addresses(&self) -> impl Iterator<Item = u64> {
        self.addresses.iter().flatten().copied().filter(|&address| address != 0)
    }

    /// Puts the module's variables into device memory, with their first values. Variables without initial values
    /// are zero, as the ISA has it.
    ///
    /// # Errors
    /// [`FaultKind::Limit`] if the device has not enough memory, [`FaultKind::Unsupported`] for a variable that is
    /// defined elsewhere.
    pub fn load(&mut self, memory: &Memory) -> Result<(), Fault> {
        if self.addresses.is_none() {
            self.addresses = Some(link::load(&self.text.variables, memory)?);
        }
        Ok(())
    }

    /// Gives the memory of the module's variables back.
    ///
    /// # Errors
    /// A fault if the program freed a variable itself.
    pub fn unload(&mut self, memory: &Memory) -> Result<(), Fault> {
        let addresses = self.addresses.take().unwrap_or_default();
        addresses.into_iter().filter(|&address| address != 0).try_for_each(|address| memory.free(address))
    }

    pub(crate) fn codes(&self) -> &[Code] {
        &self.codes
    }

    /// The address of each variable as a kernel sees it.
    pub(crate) fn addresses(&self, kernel: &Kernel) -> Result<Vec<u64>, Fault> {
        let mut addresses = match &self.addresses {
            Some(addresses) => addresses.clone(),
            None if self.text.variables.iter().all(|variable| variable.space == Space::Shared) => {
                vec![0; self.text.variables.len()]
            }
            None => {
                let message =
                    format!("launch of {}: the variables of its module are not loaded", kernel.name);
                return Err(Fault::new(FaultKind::Unsupported, message));
            }
        };
        for &(index, address) in &kernel.shared {
            addresses[index] = address;
        }
        Ok(addresses)
    }
}

impl Kernel {
    /// Its name, mangled if it is C++'s.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where a launch puts the parameters.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The bytes of shared memory that the kernel declares.
    #[must_use]
    pub fn static_shared(&self) -> u32 {
        self.shared_bytes
    }

    /// The most threads of a block, if the kernel says so.
    #[must_use]
    pub fn max_threads(&self) -> Option<u32> {
        self.max_threads
    }

    pub(crate) fn function(&self) -> usize {
        self.function
    }

    pub(crate) fn needs(&self) -> Needs {
        self.needs
    }
}
