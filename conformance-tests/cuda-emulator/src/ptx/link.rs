//! Gives variables their addresses and kernels what they need with all functions that they call.

use super::syntax::{Initial, Space, Text, Variable};
use super::{Kernel, Parameter};
use crate::fault::{Fault, FaultKind};
use crate::interpreter::instruction::{Action, Code, Constant};
use crate::interpreter::program::needs;
use crate::memory::Memory;

/// The kernels of a module.
pub(super) fn kernels(text: &Text, codes: &[Code]) -> Result<Vec<Kernel>, Fault> {
    let mut kernels = Vec::new();
    for (index, function) in text.functions.iter().enumerate().filter(|(_, function)| function.is_entry) {
        let needs = needs(codes, index, &mut Vec::new()).map_err(|name| {
            let message = format!("kernel {}: function {name} calls itself", function.name);
            Fault::new(FaultKind::Unsupported, message)
        })?;
        let mut used = vec![false; text.variables.len()];
        mark_used(codes, index, &mut used);
        let (shared, shared_bytes) = shared(&text.variables, &used);
        let parameters = codes[index].variables[..function.parameters].iter().zip(&function.variables);
        kernels.push(Kernel {
            name: function.name.clone(),
            function: index,
            parameters: parameters
                .map(|(&(offset, size), variable)| Parameter { offset, size, align: variable.align })
                .collect(),
            max_threads: function.max_threads,
            shared,
            shared_bytes,
            needs,
        });
    }
    Ok(kernels)
}

/// Marks the variables of the module that a function and those that it calls name.
fn mark_used(codes: &[Code], function: usize, used: &mut [bool]) {
    for constant in &codes[function].constants {
        if let Constant::Module(index, ..) = *constant {
            used[index] = true;
        }
    }
    for instruction in &codes[function].instructions {
        if let Action::Call(call) = &instruction.action {
            mark_used(codes, call.function, used);
        }
    }
}

/// The addresses of the used variables in shared memory, and its size without what the launch adds. The variables
/// of that size start at its end.
fn shared(variables: &[Variable], used: &[bool]) -> (Vec<(usize, u64)>, u32) {
    let mut addresses = Vec::new();
    let mut end = 0_u64;
    let is_used = |(index, variable): &(usize, &Variable)| variable.space == Space::Shared && used[*index];
    let all = || variables.iter().enumerate().filter(is_used);
    for (index, variable) in all().filter(|(_, variable)| !variable.is_dynamic) {
        let start = end.next_multiple_of(u64::from(variable.align));
        addresses.push((index, start));
        end = start + variable.bytes;
    }
    let align = all().filter(|(_, variable)| variable.is_dynamic).map(|(_, variable)| variable.align).max();
    if let Some(align) = align {
        end = end.next_multiple_of(u64::from(align));
    }
    addresses.extend(all().filter(|(_, variable)| variable.is_dynamic).map(|(index, _)| (index, end)));
    // More than 32 bits of shared memory are refused at the launch, as all that is too large.
    (addresses, u32::try_from(end).unwrap_or(u32::MAX / 2))
}

/// Allocates and initialises the variables in device memory; shared ones get address zero.
pub(super) fn load(variables: &[Variable], memory: &Memory) -> Result<Vec<u64>, Fault> {
    let mut addresses = Vec::with_capacity(variables.len());
    for variable in variables {
        if variable.space == Space::Shared {
            addresses.push(0);
            continue;
        }
        if variable.is_external {
            let message = format!("variable {}, which the module does not define", variable.name);
            return Err(Fault::new(FaultKind::Unsupported, message));
        }
        let address = memory.allocate(variable.bytes, &variable.name).ok_or_else(|| {
            let message = format!("no memory for the {} bytes of variable {}", variable.bytes, variable.name);
            Fault::new(FaultKind::Limit, message)
        })?;
        addresses.push(address);
    }
    for (variable, &address) in variables.iter().zip(&addresses).filter(|(_, address)| **address != 0) {
        let size = usize::from(variable.element.bytes());
        let mut bytes = Vec::with_capacity(variable.bytes as usize);
        for value in &variable.initial {
            let bits = match *value {
                Initial::Number(number) => number.bits(variable.element),
                Initial::Address(index, offset) => addresses[index].wrapping_add_signed(offset),
            };
            bytes.extend_from_slice(&bits.to_le_bytes()[..size]);
        }
        bytes.resize(variable.bytes as usize, 0);
        memory.write(address, &bytes)?;
    }
    Ok(addresses)
}
