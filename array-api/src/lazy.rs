//! Elementwise expressions that are evaluated in one pass, as numexpr and CuPy's `fuse` do.
//!
//! [`Array::lazy`] begins an expression, the functions of [`elementwise`](crate::elementwise) extend it,
//! and [`Lazy::eval`] makes an array of it. No intermediate result meets memory: on the CPU one vectorised
//! loop makes each element from those of all arrays, on a GPU one kernel does.
//!
//! ```
//! use array_api::{Array, Cpu};
//!
//! let xp = Cpu::new();
//! let counts = Array::from_slice(&xp, &[3.0_f32, f32::NAN, 101.0])?;
//! let dark = Array::from_slice(&xp, &[1.0_f32])?;
//! let weight = Array::from_slice(&xp, &[1.0, 1.0, 0.5])?;
//! let log = counts.lazy().subtract(dark.lazy()).nan_to_num(1.0, 1.0, 1.0);
//! let weighted = log.astype::<f64>().log10().multiply(weight.lazy()).eval()?;
//! assert_eq!(weighted.to_vec()?, [2.0_f64.log10(), 0.0, 1.0]);
//! # Ok::<(), array_api::Error>(())
//! ```
//!
//! Results have the bits that the functions of [`Array`] give one after another.

use std::fmt::Write;

use crate::backend::Backend;
use crate::layout::{Layout, broadcast_shapes};
use crate::ops::{Binary, Each, PARAMETERS, Unary, type_name};
use crate::statistical::AxisSplit;
use crate::{Array, DType, Element, Result};

/// What an elementwise expression is made of: arrays, and functions of one or two expressions.
///
/// Arrays are numbered from left to right.
pub trait Expression<B: Backend>: Clone + Send + Sync + 'static {
    /// Element type of the result.
    type Item: Element;

    /// The functions, and blocks of neighbouring elements, one of each array: all that a loop over the
    /// elements needs, so that a compiler can keep it in registers.
    type Blocks<'a, R: Reader<'a, B>>;

    /// Room for the results of functions that are faster for many elements (see [`Unary::EACH`]).
    type Room;

    /// Room to use for one block after another.
    fn room() -> Self::Room;

    /// Has a reader give a block of each array.
    fn blocks<'a, R: Reader<'a, B>>(
        &'a self,
        reader: &mut R,
        room: &'a mut Self::Room,
    ) -> Self::Blocks<'a, R>;

    /// The result for element `i` of the blocks.
    fn element<'a, R: Reader<'a, B>>(blocks: &Self::Blocks<'a, R>, i: usize) -> Self::Item;

    /// Shows a visitor all arrays and parameters.
    fn visit<V: Visitor<B>>(&self, visitor: &mut V);

    /// Adds to the text of a kernel the functions of the expression, and returns the expression in CUDA
    /// C++.
    fn cuda(text: &mut CudaText) -> String;
}

/// Gives the elements of arrays, a block at a time.
pub trait Reader<'a, B: Backend> {
    /// Elements in the same place of each array.
    type Block<T: Element>: Block<T>;

    /// Elements in each block, at most [`BLOCK`].
    fn count(&self) -> usize;

    /// The block of the next array.
    fn block<T: Element>(&mut self, array: &'a Array<T, B>) -> Self::Block<T>;
}

/// Neighbouring elements.
pub trait Block<T> {
    /// Element `i`.
    fn get(&self, i: usize) -> T;
}

/// Most elements in a block.
pub const BLOCK: usize = 128;

/// Arguments and results of a function for a block.
#[repr(align(64))]
pub struct Values<T, U> {
    arguments: [T; BLOCK],
    results: [U; BLOCK],
}

impl<T: Element, U: Element> Values<T, U> {
    const EMPTY: Self = Self { arguments: [T::ZERO; BLOCK], results: [U::ZERO; BLOCK] };

    /// Sets the first `count` results to those for the arguments that `x` gives.
    #[inline(always)]
    fn set(&mut self, count: usize, x: impl Fn(usize) -> T, each: Each<T, U>) {
        for (i, argument) in self.arguments[..count].iter_mut().enumerate() {
            *argument = x(i);
        }
        each(&self.arguments[..count], &mut self.results[..count]);
    }
}

/// Sees what is in an expression, from left to right.
pub trait Visitor<B: Backend> {
    /// The next array.
    fn array<T: Element>(&mut self, array: &Array<T, B>);
    /// The parameters of the next function of one element.
    fn parameters<T: Element>(&mut self, parameters: [T; PARAMETERS]);
}

/// What the text of a kernel for an expression is made of.
#[derive(Debug, Default)]
pub struct CudaText {
    /// Types with the functions, in CUDA C++.
    pub functions: String,
    /// The element type of each array; in the expression the element is `x0`, `x1`, and so on.
    pub arrays: Vec<DType>,
    /// The number of functions with parameters: those of the first are `p0`, of type `P0`, and so on.
    pub parameters: usize,
    count: usize,
}

impl CudaText {
    /// Adds a function to be called `f`, with `T` and `U` as its argument's and its result's type, and
    /// returns the name of the type that it is in.
    fn function(&mut self, t: DType, u: DType, signature: &str, body: &str) -> String {
        let name = format!("F{}", self.count);
        self.count += 1;
        let (t, u) = (type_name(t), type_name(u));
        // Writing to a string does not fail.
        let _ = writeln!(
            self.functions,
            "struct {name} {{ typedef {t} T; typedef {u} U;\n\
             static __device__ __forceinline__ U f({signature}) {{ {body} }} }};"
        );
        name
    }
}

/// An array in an expression.
pub struct Source<T: Element, B: Backend>(Array<T, B>);

impl<T: Element, B: Backend> Clone for Source<T, B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Element, B: Backend> Expression<B> for Source<T, B> {
    type Item = T;
    type Blocks<'a, R: Reader<'a, B>> = R::Block<T>;
    type Room = ();

    fn room() {}

    #[inline(always)]
    fn blocks<'a, R: Reader<'a, B>>(&'a self, reader: &mut R, (): &'a mut ()) -> R::Block<T> {
        reader.block(&self.0)
    }

    #[inline(always)]
    fn element<'a, R: Reader<'a, B>>(block: &R::Block<T>, i: usize) -> T {
        block.get(i)
    }

    fn visit<V: Visitor<B>>(&self, visitor: &mut V) {
        visitor.array(&self.0);
    }

    fn cuda(text: &mut CudaText) -> String {
        text.arrays.push(T::DTYPE);
        format!("x{}", text.arrays.len() - 1)
    }
}

/// A function of one expression.
#[derive(Clone)]
pub struct Map<O, E> {
    op: O,
    of: E,
}

impl<B: Backend, E: Expression<B>, O: Unary<E::Item>> Expression<B> for Map<O, E> {
    type Item = O::Out;
    type Blocks<'a, R: Reader<'a, B>> = (O, E::Blocks<'a, R>, &'a Values<E::Item, O::Out>);
    type Room = (Values<E::Item, O::Out>, E::Room);

    #[inline(always)]
    fn room() -> Self::Room {
        (Values::EMPTY, E::room())
    }

    #[inline(always)]
    fn blocks<'a, R: Reader<'a, B>>(
        &'a self,
        reader: &mut R,
        (values, room): &'a mut Self::Room,
    ) -> Self::Blocks<'a, R> {
        let of = self.of.blocks(reader, room);
        if let Some(each) = O::EACH {
            values.set(reader.count(), |i| E::element::<R>(&of, i), each);
        }
        (self.op, of, values)
    }

    #[inline(always)]
    fn element<'a, R: Reader<'a, B>>((op, of, values): &Self::Blocks<'a, R>, i: usize) -> O::Out {
        if O::EACH.is_some() { values.results[i] } else { op.apply(E::element::<R>(of, i)) }
    }

    fn visit<V: Visitor<B>>(&self, visitor: &mut V) {
        self.of.visit(visitor);
        visitor.parameters(self.op.parameters());
    }

    fn cuda(text: &mut CudaText) -> String {
        let of = E::cuda(text);
        let name = text.function(E::Item::DTYPE, O::Out::DTYPE, "T x, const T *p", &O::cuda());
        let number = text.parameters;
        text.parameters += 1;
        let _ = writeln!(text.functions, "struct P{number} {{ {name}::T p[{PARAMETERS}]; }};");
        format!("settled({name}::f({of}, p{number}.p))")
    }
}

/// A function of two expressions.
#[derive(Clone)]
pub struct Zip<O, E, F> {
    op: O,
    a: E,
    b: F,
}

impl<B: Backend, E, F, O> Expression<B> for Zip<O, E, F>
where
    E: Expression<B>,
    F: Expression<B, Item = E::Item>,
    O: Binary<E::Item>,
{
    type Item = O::Out;
    type Blocks<'a, R: Reader<'a, B>> = (O, E::Blocks<'a, R>, F::Blocks<'a, R>);
    type Room = (E::Room, F::Room);

    #[inline(always)]
    fn room() -> Self::Room {
        (E::room(), F::room())
    }

    #[inline(always)]
    fn blocks<'a, R: Reader<'a, B>>(
        &'a self,
        reader: &mut R,
        (room, other_room): &'a mut Self::Room,
    ) -> Self::Blocks<'a, R> {
        let a = self.a.blocks(reader, room);
        (self.op, a, self.b.blocks(reader, other_room))
    }

    #[inline(always)]
    fn element<'a, R: Reader<'a, B>>((op, a, b): &Self::Blocks<'a, R>, i: usize) -> O::Out {
        op.apply(E::element::<R>(a, i), F::element::<R>(b, i))
    }

    fn visit<V: Visitor<B>>(&self, visitor: &mut V) {
        self.a.visit(visitor);
        self.b.visit(visitor);
    }

    fn cuda(text: &mut CudaText) -> String {
        let (a, b) = (E::cuda(text), F::cuda(text));
        let name = text.function(E::Item::DTYPE, O::Out::DTYPE, "T a, T b", &O::cuda());
        format!("settled({name}::f({a}, {b}))")
    }
}

/// An elementwise expression that is not evaluated yet.
///
/// Its methods are those of [`Array`] by the same names; arrays broadcast.
#[derive(Clone)]
pub struct Lazy<E, B> {
    expression: E,
    backend: B,
}

impl<T: Element, B: Backend> Array<T, B> {
    /// An expression that begins with this array, whose buffer it shares: see [`lazy`](crate::lazy).
    pub fn lazy(&self) -> Lazy<Source<T, B>, B> {
        Lazy { expression: Source(self.clone()), backend: self.backend().clone() }
    }
}

impl<B: Backend, E: Expression<B>> Lazy<E, B> {
    /// `op` of each element. The named functions are short for this.
    pub fn map<O: Unary<E::Item>>(self, op: O) -> Lazy<Map<O, E>, B> {
        Lazy { expression: Map { op, of: self.expression }, backend: self.backend }
    }

    /// `op` of the elements in the same place, after broadcasting.
    pub fn zip<O, F>(self, op: O, other: Lazy<F, B>) -> Lazy<Zip<O, E, F>, B>
    where
        O: Binary<E::Item>,
        F: Expression<B, Item = E::Item>,
    {
        Lazy { expression: Zip { op, a: self.expression, b: other.expression }, backend: self.backend }
    }

    /// A new array of the results.
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch) if the arrays' shapes do not broadcast; too little
    /// memory.
    pub fn eval(&self) -> Result<Array<E::Item, B>> {
        let (shape, layouts) = self.layouts("eval")?;
        let buffer = self.backend.evaluate(&self.expression, &layouts)?;
        Ok(Array::from_buffer(&self.backend, buffer, &shape))
    }

    /// [`eval`](Self::eval) of this and another expression, and [`count_nonzero_axes`](Lazy::count_nonzero_axes) of a condition.
    /// If they have one shape and the condition is counted over the last axes, backends may do all in one pass, which reads
    /// once what they are made of: the CPU does so in tiles.
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// let x = Array::from_slice(&Cpu::new(), &[4.0, 0.0, 9.0, 16.0])?.reshape(&[2, 2])?;
    /// let positive = x.lazy().greater_scalar(0.0);
    /// let (roots, halves, positive) =
    ///     x.lazy().sqrt().eval_two_and_count(&x.lazy().divide_scalar(2.0), &positive, &[1], false)?;
    /// assert_eq!(roots.to_vec()?, [2.0, 0.0, 3.0, 4.0]);
    /// assert_eq!(halves.to_vec()?, [2.0, 0.0, 4.5, 8.0]);
    /// assert_eq!(positive.to_vec()?, [1, 2]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the three.
    #[expect(clippy::type_complexity, reason = "three arrays")]
    pub fn eval_two_and_count<F: Expression<B>, C: Expression<B, Item = bool>>(
        &self,
        other: &Lazy<F, B>,
        condition: &Lazy<C, B>,
        axes: &[isize],
        keepdims: bool,
    ) -> Result<(Array<E::Item, B>, Array<F::Item, B>, Array<i64, B>)> {
        let (shape, layouts) = self.layouts("eval")?;
        let (other_shape, other_layouts) = other.layouts("eval")?;
        let (condition_shape, condition_layouts) = condition.layouts("count_nonzero")?;
        let split = AxisSplit::new(&condition_shape, axes, "count_nonzero")?;
        let alike = shape == condition_shape && other_shape == condition_shape;
        if !alike || !split.order.iter().copied().eq(0..shape.len()) {
            return Ok((self.eval()?, other.eval()?, condition.count_nonzero_axes(axes, keepdims)?));
        }
        let (elements, others, counts) = self.backend.evaluate_two_and_count(
            (&self.expression, &layouts),
            (&other.expression, &other_layouts),
            (&condition.expression, &condition_layouts),
            split.reduced,
        )?;
        let counts = Array::from_buffer(&self.backend, counts, &split.result_shape(keepdims));
        let arrays = (
            Array::from_buffer(&self.backend, elements, &shape),
            Array::from_buffer(&self.backend, others, &shape),
        );
        Ok((arrays.0, arrays.1, counts))
    }

    /// The shape of the result, and the layouts of all arrays in that shape.
    fn layouts(&self, operation: &'static str) -> Result<(Vec<usize>, Vec<Layout>)> {
        let mut arrays = Layouts(Vec::new());
        self.expression.visit(&mut arrays);
        let arrays = arrays.0;
        let mut shape = arrays.first().map(|layout| layout.shape().to_vec()).unwrap_or_default();
        for layout in &arrays {
            if layout.shape() != shape {
                shape = broadcast_shapes(&shape, layout.shape(), operation)?;
            }
        }
        let layouts = arrays.iter().map(|layout| layout.broadcast_to(&shape)).collect::<Result<_>>()?;
        Ok((shape, layouts))
    }
}

impl<B: Backend, E: Expression<B, Item = bool>> Lazy<E, B> {
    /// The number of elements that are true over some axes, which stay with length 1 if `keepdims`.
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// let x = Array::from_slice(&Cpu::new(), &[1.0, f64::NAN, -2.0, 0.5])?.reshape(&[2, 2])?;
    /// let positive = x.lazy().greater_scalar(0.0).count_nonzero_axes(&[1], false)?;
    /// assert_eq!(positive.to_vec()?, [1, 1]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`eval`](Self::eval); those of [`Array::count_nonzero_axes`] for axes that there are not.
    pub fn count_nonzero_axes(&self, axes: &[isize], keepdims: bool) -> Result<Array<i64, B>> {
        let (shape, layouts) = self.layouts("count_nonzero")?;
        let split = AxisSplit::new(&shape, axes, "count_nonzero")?;
        let layouts: Vec<Layout> = layouts.iter().map(|layout| layout.permute(&split.order)).collect();
        let buffer = self.backend.count_true(&self.expression, &layouts, split.reduced)?;
        Ok(Array::from_buffer(&self.backend, buffer, &split.result_shape(keepdims)))
    }
}

/// The layouts of the arrays of an expression.
struct Layouts(Vec<Layout>);

impl<B: Backend> Visitor<B> for Layouts {
    fn array<T: Element>(&mut self, array: &Array<T, B>) {
        self.0.push(array.layout().clone());
    }

    fn parameters<T: Element>(&mut self, _: [T; PARAMETERS]) {}
}
