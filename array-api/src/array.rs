//! The array: a shared buffer, a layout and a backend.

use std::sync::Arc;

use crate::backend::{Backend, View};
use crate::layout::Layout;
use crate::slice::{SliceItem, slice_layout};
use crate::{Element, Error, Result};

/// An `N`-dimensional array of elements `T` on backend `B`.
///
/// Arrays are values: a clone or a view shares the buffer, and a change in place first makes a
/// copy if anybody else still looks at it (copy on write). Views (slices, transposes, broadcasts)
/// never copy.
///
/// ```
/// use array_api::{Array, Cpu, s};
///
/// let xp = Cpu::new();
/// let x = Array::arange(&xp, 0.0, 12.0, 1.0)?.reshape(&[3, 4])?;
/// let column_means = x.mean_axes(&[0], false)?;
/// let centred = (&x - &column_means)?;
/// assert_eq!(centred.slice(s![0, ..])?.to_vec()?, [-4.0; 4]);
/// # Ok::<(), array_api::Error>(())
/// ```
pub struct Array<T: Element, B: Backend> {
    buffer: Arc<B::Buffer<T>>,
    layout: Layout,
    backend: B,
}

impl<T: Element, B: Backend> Clone for Array<T, B> {
    fn clone(&self) -> Self {
        self.with_layout(self.layout.clone())
    }
}

impl<T: Element, B: Backend> Array<T, B> {
    /// A new array over a buffer whose elements lie in row-major order.
    pub fn from_buffer(backend: &B, buffer: B::Buffer<T>, shape: &[usize]) -> Self {
        Self { buffer: Arc::new(buffer), layout: Layout::contiguous(shape), backend: backend.clone() }
    }

    /// Length of each axis.
    pub fn shape(&self) -> &[usize] {
        self.layout.shape()
    }

    /// Number of axes.
    pub fn ndim(&self) -> usize {
        self.layout.ndim()
    }

    /// Number of elements (the standard's `size`).
    pub fn len(&self) -> usize {
        self.layout.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.layout.is_empty()
    }

    /// The backend that holds the array.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// Where the elements lie in the buffer.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The buffer, which other arrays may share.
    pub fn buffer(&self) -> &B::Buffer<T> {
        &self.buffer
    }

    /// What a backend's primitives take.
    pub fn view(&self) -> View<'_, T, B> {
        View { buffer: &self.buffer, layout: &self.layout }
    }

    /// The same buffer seen through another layout.
    pub(crate) fn with_layout(&self, layout: Layout) -> Self {
        Self { buffer: Arc::clone(&self.buffer), layout, backend: self.backend.clone() }
    }

    /// The buffer for writing, after a copy if it is shared, and the layout.
    pub(crate) fn unique(&mut self) -> Result<(&mut B::Buffer<T>, &Layout)> {
        if Arc::get_mut(&mut self.buffer).is_none() || self.repeats_elements() {
            *self = self.copy()?;
        }
        match Arc::get_mut(&mut self.buffer) {
            Some(buffer) => Ok((buffer, &self.layout)),
            None => unreachable!("a buffer that was just copied has one owner"),
        }
    }

    /// Whether two indices may name the same element of the buffer, as after broadcasting.
    fn repeats_elements(&self) -> bool {
        self.layout.shape().iter().zip(self.layout.strides()).any(|(&n, &stride)| n > 1 && stride == 0)
    }

    /// A new array with the same elements in row-major order.
    pub fn copy(&self) -> Result<Self> {
        let mut buffer = self.backend.allocate(self.len())?;
        let target = Layout::contiguous(self.shape());
        self.backend.copy_to(self.view(), &mut buffer, &target)?;
        Ok(Self::from_buffer(&self.backend, buffer, self.shape()))
    }

    /// The array itself if its elements lie in row-major order without gaps, else a copy.
    pub fn to_contiguous(&self) -> Result<Self> {
        if self.layout.is_contiguous() { Ok(self.clone()) } else { self.copy() }
    }

    /// The elements on the host, in row-major order.
    pub fn to_vec(&self) -> Result<Vec<T>> {
        self.backend.download(self.view())
    }

    /// As [`to_vec`](Self::to_vec), for an array that is no longer needed: on the CPU without a copy, if no other array shares the
    /// memory and the elements lie there in row-major order.
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// let x = Array::from_slice(&Cpu::new(), &[1.0, 2.0, 3.0])?;
    /// assert_eq!(x.multiply_scalar(2.0)?.into_vec()?, [2.0, 4.0, 6.0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn into_vec(self) -> Result<Vec<T>> {
        match Arc::try_unwrap(self.buffer) {
            Ok(buffer) => self.backend.hand_over(buffer, &self.layout),
            Err(buffer) => self.backend.download(View { buffer: &*buffer, layout: &self.layout }),
        }
    }

    /// The memory of an array that is no longer needed, for the data of another
    /// ([`Array::from_vec`]), which spares the system from clearing fresh memory: `None` if another array
    /// shares it, or if it is not the host's. What is in the vector does not matter.
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// let x = Array::from_vec(&Cpu::new(), vec![1.5, 2.5], &[2])?;
    /// let shared = x.clone();
    /// assert_eq!(x.reclaim(), None);
    /// assert_eq!(shared.reclaim().map(|memory| memory.len()), Some(2));
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn reclaim(self) -> Option<Vec<T>> {
        let buffer = Arc::try_unwrap(self.buffer).ok()?;
        self.backend.reclaim(buffer)
    }

    /// A buffer that begins with the elements in row-major order: the array's own if it does, else a copy.
    pub(crate) fn to_shared(&self) -> Result<Arc<B::Buffer<T>>> {
        let in_place = self.layout.is_contiguous() && (self.layout.offset() == 0 || self.is_empty());
        if in_place { Ok(Arc::clone(&self.buffer)) } else { Ok(self.copy()?.buffer) }
    }

    /// The element of an array that has just one.
    pub fn item(&self) -> Result<T> {
        match self.to_vec()?.as_slice() {
            [one] => Ok(*one),
            _ => Err(Error::InvalidShape {
                operation: "item",
                shape: self.shape().to_vec(),
                reason: "the array must have exactly one element".into(),
            }),
        }
    }

    /// A view of part of the array; build the argument with [`s!`](crate::s).
    ///
    /// ```
    /// # use array_api::{Array, Cpu, s};
    /// let x = Array::arange(&Cpu::new(), 0, 10, 1)?;
    /// assert_eq!(x.slice(s![..;-3])?.to_vec()?, [9, 6, 3, 0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn slice(&self, items: &[SliceItem]) -> Result<Self> {
        Ok(self.with_layout(slice_layout(&self.layout, items)?))
    }

    /// Replaces part of the array by `values`, which are broadcast to the shape of that part
    /// (NumPy's `x[...] = values`).
    ///
    /// ```
    /// # use array_api::{Array, Cpu, s};
    /// # let xp = Cpu::new();
    /// let mut x = Array::zeros(&xp, &[2, 2])?;
    /// x.assign(s![.., 1], &Array::from_slice(&xp, &[1.0, 2.0])?)?;
    /// assert_eq!(x.to_vec()?, [0.0, 1.0, 0.0, 2.0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn assign(&mut self, items: &[SliceItem], values: &Self) -> Result<()> {
        let backend = self.backend.clone();
        let (buffer, layout) = self.unique()?;
        let target = slice_layout(layout, items)?;
        let source = values.layout.broadcast_to(target.shape())?;
        backend.copy_to(View { buffer: &values.buffer, layout: &source }, buffer, &target)
    }
}
