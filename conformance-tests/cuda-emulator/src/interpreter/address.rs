//! The generic address space (PTX ISA 9.7.9, `cvta`): windows for shared, local and parameter memory.
//!
//! Global and constant memory map to themselves. The windows lie far above every device address.

use crate::ptx::syntax::Space;

const SHARED: u64 = 1 << 56;
const LOCAL: u64 = 2 << 56;
const PARAMETER: u64 = 3 << 56;
const SIZE: u64 = 1 << 32;

fn start(space: Space) -> u64 {
    match space {
        Space::Shared => SHARED,
        Space::Local => LOCAL,
        Space::Parameter => PARAMETER,
        Space::Generic | Space::Global | Space::Constant => 0,
    }
}

/// The generic address of an address in `space`.
#[inline(always)]
pub(crate) fn to_generic(space: Space, address: u64) -> u64 {
    address.wrapping_add(start(space))
}

/// The address in `space` of a generic address.
#[inline(always)]
pub(crate) fn to_space(space: Space, address: u64) -> u64 {
    address.wrapping_sub(start(space))
}

/// The space of a generic address, and the address in it.
#[inline(always)]
pub(crate) fn window(address: u64) -> (Space, u64) {
    for space in [Space::Shared, Space::Local, Space::Parameter] {
        let offset = address.wrapping_sub(start(space));
        if offset < SIZE {
            return (space, offset);
        }
    }
    (Space::Global, address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_invert() {
        for space in [Space::Shared, Space::Local, Space::Parameter, Space::Global] {
            let generic = to_generic(space, 40);
            assert_eq!(window(generic), (space, 40));
            assert_eq!(to_space(space, generic), 40);
        }
    }
}
