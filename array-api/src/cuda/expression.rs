//! Expressions, one kernel each.

use std::fmt::Write;

use super::driver::Arguments;
use super::elementwise::short_name;
use super::{Cuda, CudaBuffer, Source, kernel_layouts_of};
use crate::backend::Storage;
use crate::layout::Layout;
use crate::lazy::{CudaText, Expression, Visitor};
use crate::ops::{PARAMETERS, type_name};
use crate::{Array, Element, Result};

/// Kernels of an expression.
struct Evaluate<E>(std::marker::PhantomData<E>);

fn source<E: Expression<Cuda>>() -> Source {
    let mut text = CudaText::default();
    let expression = E::cuda(&mut text);
    let mut body = text.functions;
    for strided in [false, true] {
        let _ =
            write!(body, "extern \"C\" __global__ void evaluate{}(", if strided { "_strided" } else { "" });
        for number in 0..text.parameters {
            let _ = write!(body, "P{number} p{number}, ");
        }
        let mut elements = String::new();
        for (number, &dtype) in text.arrays.iter().enumerate() {
            let name = type_name(dtype);
            let layout = if strided { format!("Layout l{number}, ") } else { String::new() };
            let place = if strided { format!("position(l{number}, i)") } else { "i".into() };
            let _ = write!(body, "const {name} *a{number}, {layout}");
            let _ = writeln!(elements, "    {name} x{number} = a{number}[{place}];");
        }
        let _ = writeln!(
            body,
            "{} *out, i64 n) {{\n    i64 i = thread_number();\n    if (i >= n) return;\n{elements}\
             \x20   out[i] = {expression};\n}}",
            type_name(E::Item::DTYPE)
        );
    }
    Source { description: short_name::<E>(), text: body, kernels: &["evaluate", "evaluate_strided"] }
}

/// Adds what is in an expression to the arguments of a kernel.
struct Parameters(Arguments);

impl Visitor<Cuda> for Parameters {
    fn array<T: Element>(&mut self, _: &Array<T, Cuda>) {}

    fn parameters<T: Element>(&mut self, parameters: [T; PARAMETERS]) {
        self.0 = std::mem::take(&mut self.0).value(parameters);
    }
}

/// Finds where arrays lie whose elements begin at certain places of their buffers.
struct Addresses<'a> {
    cuda: &'a Cuda,
    starts: std::vec::IntoIter<usize>,
    found: Result<Vec<u64>>,
}

impl Visitor<Cuda> for Addresses<'_> {
    fn array<T: Element>(&mut self, array: &Array<T, Cuda>) {
        let start = self.starts.next().unwrap_or_default();
        if let Ok(found) = &mut self.found {
            match array.buffer().address(&self.cuda.0, start) {
                Ok(address) => found.push(address),
                Err(error) => self.found = Err(error),
            }
        }
    }

    fn parameters<T: Element>(&mut self, _: [T; PARAMETERS]) {}
}

/// The elements of an expression in row-major order.
pub(super) fn evaluate<E: Expression<Cuda>>(
    cuda: &Cuda,
    expression: &E,
    layouts: &[Layout],
) -> Result<CudaBuffer<E::Item>> {
    let n = layouts.first().map_or(0, Layout::len);
    let mut out = cuda.allocate(n)?;
    let ranges: Option<Vec<_>> = layouts.iter().map(Layout::contiguous_range).collect();
    let starts = match &ranges {
        Some(ranges) => ranges.iter().map(|range| range.start).collect(),
        None => vec![0; layouts.len()],
    };
    let mut addresses = Addresses { cuda, starts: starts.into_iter(), found: Ok(Vec::new()) };
    expression.visit(&mut addresses);
    let mut parameters = Parameters(Arguments::default());
    expression.visit(&mut parameters);
    let mut arguments = parameters.0;
    let addresses = addresses.found?;
    let name = if ranges.is_some() {
        arguments = addresses.into_iter().fold(arguments, Arguments::value);
        "evaluate"
    } else {
        let layouts = kernel_layouts_of(&layouts.iter().collect::<Vec<_>>())?;
        for (address, layout) in addresses.into_iter().zip(layouts) {
            arguments = arguments.value(address).value(layout);
        }
        "evaluate_strided"
    };
    let arguments = arguments.value(out.address_mut(&cuda.0, 0)?).value(n);
    cuda.for_each::<Evaluate<E>>(source::<E>, name, n, arguments)?;
    Ok(out)
}
