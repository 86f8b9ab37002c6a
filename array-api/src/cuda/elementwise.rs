//! Functions of one element or of two in the same place, filling and copying.

use super::driver::Arguments;
use super::{Cuda, CudaBuffer, KernelLayout, Source, kernel_layouts, type_name};
use crate::backend::{Elementwise, Manipulation, Storage, View};
use crate::layout::Layout;
use crate::lazy::Expression;
use crate::ops::{Binary, PARAMETERS, Unary};
use crate::{Element, Result};

/// Kernels of a function of one element.
struct Map<T, O>(std::marker::PhantomData<(T, O)>);

/// Kernels of a function of two elements.
struct Zip<T, O>(std::marker::PhantomData<(T, O)>);

/// Kernels that fill and copy elements of so many bytes.
struct Move<const BYTES: usize>;

/// The last part of a type's path, such as `Log10`; parameters keep theirs.
pub(super) fn short_name<O>() -> String {
    let mut name = String::new();
    for part in std::any::type_name::<O>().split_inclusive(['<', '>', ',', ' ', '(', ')']) {
        name.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    name
}

fn map_source<T: Element, O: Unary<T>>() -> Source {
    Source {
        description: format!("{} of {}", short_name::<O>(), T::DTYPE),
        text: format!(
            r#"
typedef {t} T;
typedef {u} U;
struct Parameters {{ T p[{PARAMETERS}]; }};
static __device__ __forceinline__ U f(T x, const T *p) {{ {body} }}
extern "C" __global__ void map(const T *x, U *out, i64 n, Parameters q) {{
    i64 i = thread_number();
    if (i < n) out[i] = f(x[i], q.p);
}}
extern "C" __global__ void map_strided(const T *x, Layout layout, U *out, i64 n, Parameters q) {{
    i64 i = thread_number();
    if (i < n) out[i] = f(x[position(layout, i)], q.p);
}}
extern "C" __global__ void map_assign(T *x, Layout layout, i64 n, Parameters q) {{
    i64 i = thread_number();
    if (i >= n) return;
    T *at = x + position(layout, i);
    *at = f(*at, q.p);
}}
"#,
            t = type_name(T::DTYPE),
            u = type_name(O::Out::DTYPE),
            body = O::cuda(),
        ),
        kernels: &["map", "map_strided", "map_assign"],
    }
}

fn zip_source<T: Element, O: Binary<T>>() -> Source {
    Source {
        description: format!("{} of {}", short_name::<O>(), T::DTYPE),
        text: format!(
            r#"
typedef {t} T;
typedef {u} U;
static __device__ __forceinline__ U f(T a, T b) {{ {body} }}
extern "C" __global__ void zip(const T *a, const T *b, U *out, i64 n) {{
    i64 i = thread_number();
    if (i < n) out[i] = f(a[i], b[i]);
}}
extern "C" __global__ void zip_strided(const T *a, Layout la, const T *b, Layout lb, U *out, i64 n) {{
    i64 i = thread_number();
    if (i < n) out[i] = f(a[position(la, i)], b[position(lb, i)]);
}}
extern "C" __global__ void zip_assign(T *a, Layout la, const T *b, Layout lb, i64 n) {{
    i64 i = thread_number();
    if (i >= n) return;
    T *at = a + position(la, i);
    *at = f(*at, b[position(lb, i)]);
}}
"#,
            t = type_name(T::DTYPE),
            u = type_name(O::Out::DTYPE),
            body = O::cuda(),
        ),
        kernels: &["zip", "zip_strided", "zip_assign"],
    }
}

fn move_source<const BYTES: usize>() -> Source {
    let word = match BYTES {
        1 => "u8",
        4 => "unsigned",
        _ => "unsigned long long",
    };
    Source {
        description: format!("moving elements of {BYTES} bytes"),
        text: format!(
            r#"
typedef {word} T;
extern "C" __global__ void fill(T *out, i64 n, T value) {{
    i64 i = thread_number();
    if (i < n) out[i] = value;
}}
extern "C" __global__ void copy(const T *x, Layout from, T *out, Layout to, i64 n) {{
    i64 i = thread_number();
    if (i < n) out[position(to, i)] = x[position(from, i)];
}}
"#
        ),
        kernels: &["fill", "copy"],
    }
}

/// Runs kernel `name` of those for elements of `T`'s size.
fn run_move<T: Element>(cuda: &Cuda, name: &'static str, count: usize, arguments: Arguments) -> Result<()> {
    match size_of::<T>() {
        1 => cuda.for_each::<Move<1>>(move_source::<1>, name, count, arguments),
        4 => cuda.for_each::<Move<4>>(move_source::<4>, name, count, arguments),
        _ => cuda.for_each::<Move<8>>(move_source::<8>, name, count, arguments),
    }
}

/// `len` elements, all `value`.
pub(super) fn fill<T: Element>(cuda: &Cuda, len: usize, value: T) -> Result<CudaBuffer<T>> {
    let mut out = cuda.allocate(len)?;
    let arguments = Arguments::default().value(out.address_mut(&cuda.0, 0)?).value(len).value(value);
    run_move::<T>(cuda, "fill", len, arguments)?;
    Ok(out)
}

impl Elementwise for Cuda {
    fn map<T: Element, O: Unary<T>>(&self, op: &O, x: View<'_, T, Self>) -> Result<CudaBuffer<O::Out>> {
        let n = x.layout.len();
        let mut out = self.allocate(n)?;
        let parameters = op.parameters();
        let source = map_source::<T, O>;
        if let Some(range) = x.layout.contiguous_range() {
            let arguments = Arguments::default()
                .value(x.buffer.address(&self.0, range.start)?)
                .value(out.address_mut(&self.0, 0)?)
                .value(n)
                .value(parameters);
            self.for_each::<Map<T, O>>(source, "map", n, arguments)?;
        } else {
            let [layout] = kernel_layouts([x.layout])?;
            let arguments = Arguments::default()
                .value(x.buffer.address(&self.0, 0)?)
                .value(layout)
                .value(out.address_mut(&self.0, 0)?)
                .value(n)
                .value(parameters);
            self.for_each::<Map<T, O>>(source, "map_strided", n, arguments)?;
        }
        Ok(out)
    }

    fn map_assign<T: Element, O: Unary<T, Out = T>>(
        &self,
        op: &O,
        x: &mut CudaBuffer<T>,
        layout: &Layout,
    ) -> Result<()> {
        let n = layout.len();
        let parameters = op.parameters();
        let source = map_source::<T, O>;
        if let Some(range) = layout.contiguous_range() {
            let address = x.address_mut(&self.0, range.start)?;
            let arguments = Arguments::default().value(address).value(address).value(n).value(parameters);
            return self.for_each::<Map<T, O>>(source, "map", n, arguments);
        }
        let [layout] = kernel_layouts([layout])?;
        let address = x.address_mut(&self.0, 0)?;
        let arguments = Arguments::default().value(address).value(layout).value(n).value(parameters);
        self.for_each::<Map<T, O>>(source, "map_assign", n, arguments)
    }

    fn zip<T: Element, O: Binary<T>>(
        &self,
        _: &O,
        a: View<'_, T, Self>,
        b: View<'_, T, Self>,
    ) -> Result<CudaBuffer<O::Out>> {
        let n = a.layout.len();
        let mut out = self.allocate(n)?;
        let target = out.address_mut(&self.0, 0)?;
        let source = zip_source::<T, O>;
        if let (Some(left), Some(right)) = (a.layout.contiguous_range(), b.layout.contiguous_range()) {
            let arguments = Arguments::default()
                .value(a.buffer.address(&self.0, left.start)?)
                .value(b.buffer.address(&self.0, right.start)?)
                .value(target)
                .value(n);
            self.for_each::<Zip<T, O>>(source, "zip", n, arguments)?;
        } else {
            let arguments = two_views(self, a, b)?.value(target).value(n);
            self.for_each::<Zip<T, O>>(source, "zip_strided", n, arguments)?;
        }
        Ok(out)
    }

    fn zip_assign<T: Element, O: Binary<T, Out = T>>(
        &self,
        _: &O,
        a: &mut CudaBuffer<T>,
        layout: &Layout,
        b: View<'_, T, Self>,
    ) -> Result<()> {
        let n = layout.len();
        let source = zip_source::<T, O>;
        if let (Some(left), Some(right)) = (layout.contiguous_range(), b.layout.contiguous_range()) {
            let address = a.address_mut(&self.0, left.start)?;
            let other = b.buffer.address(&self.0, right.start)?;
            let arguments = Arguments::default().value(address).value(other).value(address).value(n);
            return self.for_each::<Zip<T, O>>(source, "zip", n, arguments);
        }
        let [left, right] = kernel_layouts([layout, b.layout])?;
        let arguments = Arguments::default()
            .value(a.address_mut(&self.0, 0)?)
            .value(left)
            .value(b.buffer.address(&self.0, 0)?)
            .value(right)
            .value(n);
        self.for_each::<Zip<T, O>>(source, "zip_assign", n, arguments)
    }

    fn evaluate<E: Expression<Self>>(
        &self,
        expression: &E,
        layouts: &[Layout],
    ) -> Result<CudaBuffer<E::Item>> {
        super::expression::evaluate(self, expression, layouts)
    }
}

/// Addresses and layouts of two views of one shape.
fn two_views<T: Element>(cuda: &Cuda, a: View<'_, T, Cuda>, b: View<'_, T, Cuda>) -> Result<Arguments> {
    let [left, right]: [KernelLayout; 2] = kernel_layouts([a.layout, b.layout])?;
    Ok(Arguments::default()
        .value(a.buffer.address(&cuda.0, 0)?)
        .value(left)
        .value(b.buffer.address(&cuda.0, 0)?)
        .value(right))
}

impl Manipulation for Cuda {
    fn copy_to<T: Element>(
        &self,
        x: View<'_, T, Self>,
        target: &mut CudaBuffer<T>,
        layout: &Layout,
    ) -> Result<()> {
        let n = layout.len();
        let [from, to] = kernel_layouts([x.layout, layout])?;
        let arguments = Arguments::default()
            .value(x.buffer.address(&self.0, 0)?)
            .value(from)
            .value(target.address_mut(&self.0, 0)?)
            .value(to)
            .value(n);
        run_move::<T>(self, "copy", n, arguments)
    }
}
