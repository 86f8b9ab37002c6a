//! Creating arrays: the chapter "Creation Functions" of the array API standard.

use crate::backend::{Backend, Creation};
use crate::layout::checked_len;
use crate::{Array, Cast, Element, Error, Float, Numeric, Result};

fn check_length<T>(shape: &[usize], operation: &'static str) -> Result<usize> {
    checked_len(shape)
        .filter(|&len| len.checked_mul(size_of::<T>()).is_some_and(|bytes| bytes <= isize::MAX as usize))
        .ok_or_else(|| Error::InvalidShape {
            operation,
            shape: shape.to_vec(),
            reason: "so many elements cannot be addressed".into(),
        })
}

impl<T: Element, B: Backend> Array<T, B> {
    /// An array with every element `value`.
    pub fn full(xp: &B, shape: &[usize], value: T) -> Result<Self> {
        let len = check_length::<T>(shape, "full")?;
        Ok(Self::from_buffer(xp, Creation::full(xp, len, value)?, shape))
    }

    /// An array of zeros (`false` for truth values).
    pub fn zeros(xp: &B, shape: &[usize]) -> Result<Self> {
        Self::full(xp, shape, T::ZERO)
    }

    /// An array of ones (`true` for truth values).
    pub fn ones(xp: &B, shape: &[usize]) -> Result<Self> {
        Self::full(xp, shape, T::ONE)
    }

    /// An array with unspecified elements, to be overwritten.
    pub fn empty(xp: &B, shape: &[usize]) -> Result<Self> {
        let len = check_length::<T>(shape, "empty")?;
        Ok(Self::from_buffer(xp, xp.allocate(len)?, shape))
    }

    /// An array of zeros with the shape and backend of `self`.
    pub fn zeros_like(&self) -> Result<Self> {
        Self::zeros(self.backend(), self.shape())
    }

    /// An array of ones with the shape and backend of `self`.
    pub fn ones_like(&self) -> Result<Self> {
        Self::ones(self.backend(), self.shape())
    }

    /// An array with the shape and backend of `self`, every element `value`.
    pub fn full_like(&self, value: T) -> Result<Self> {
        Self::full(self.backend(), self.shape(), value)
    }

    /// A one-dimensional array of the elements of a slice. On the CPU they are copied to memory that suits the backend, if they
    /// are many: in huge pages where there are some.
    pub fn from_slice(xp: &B, data: &[T]) -> Result<Self> {
        Ok(Self::from_buffer(xp, xp.upload(data)?, &[data.len()]))
    }

    /// An array of the elements of a vector, given in row-major order. On the CPU the vector's memory becomes the array's.
    pub fn from_vec(xp: &B, data: Vec<T>, shape: &[usize]) -> Result<Self> {
        if check_length::<T>(shape, "from_vec")? != data.len() {
            return Err(Error::InvalidShape {
                operation: "from_vec",
                shape: shape.to_vec(),
                reason: format!("there are {} elements", data.len()),
            });
        }
        Ok(Self::from_buffer(xp, xp.adopt(data)?, shape))
    }

    /// An array of what `write` puts into the host's memory, in row-major order. On the CPU that is the array's own, and inside a
    /// tile (see [`Storage::reduce_tiles`](crate::backend::Storage::reduce_tiles)) it comes from the scratch pool. `write` has to set
    /// every element: what they are before is not specified.
    ///
    /// ```
    /// use array_api::{Array, Cpu};
    ///
    /// let squares = Array::written(&Cpu::new(), &[2, 2], |out| {
    ///     for (i, out) in out.iter_mut().enumerate() {
    ///         *out = (i * i) as f64;
    ///     }
    /// })?;
    /// assert_eq!(squares.to_vec()?, [0.0, 1.0, 4.0, 9.0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn written(xp: &B, shape: &[usize], write: impl FnOnce(&mut [T])) -> Result<Self> {
        let len = check_length::<T>(shape, "written")?;
        Ok(Self::from_buffer(xp, xp.written(len, write)?, shape))
    }

    /// A square matrix, or with `columns` an oblong one, with ones on diagonal number `k` (0 is
    /// the main one, positive ones lie above it).
    pub fn eye(xp: &B, rows: usize, columns: Option<usize>, k: isize) -> Result<Self> {
        let columns = columns.unwrap_or(rows);
        let mut data = vec![T::ZERO; check_length::<T>(&[rows, columns], "eye")?];
        for row in 0..rows {
            let column = row as isize + k;
            if (0..columns as isize).contains(&column) {
                data[row * columns + column as usize] = T::ONE;
            }
        }
        Self::from_vec(xp, data, &[rows, columns])
    }

    /// Coordinate arrays of a grid: array `i` of the result varies along axis `i` as `axes[i]`
    /// does (`indexing="ij"` of the standard). The results are views.
    pub fn meshgrid(axes: &[&Self]) -> Result<Vec<Self>> {
        if let Some(bad) = axes.iter().find(|axis| axis.ndim() != 1) {
            return Err(Error::InvalidShape {
                operation: "meshgrid",
                shape: bad.shape().to_vec(),
                reason: "every axis must be one-dimensional".into(),
            });
        }
        let shape: Vec<usize> = axes.iter().map(|axis| axis.len()).collect();
        axes.iter()
            .enumerate()
            .map(|(i, axis)| {
                let mut own = vec![1; shape.len()];
                own[i] = axis.len();
                axis.reshape(&own)?.broadcast_to(&shape)
            })
            .collect()
    }

    /// The matrix with the elements above diagonal number `k` set to zero. Works on stacks.
    pub fn tril(&self, k: isize) -> Result<Self> {
        self.triangle(k, "tril", |row, column, k| column <= row + k)
    }

    /// The matrix with the elements below diagonal number `k` set to zero. Works on stacks.
    pub fn triu(&self, k: isize) -> Result<Self> {
        self.triangle(k, "triu", |row, column, k| column >= row + k)
    }

    fn triangle(
        &self,
        k: isize,
        operation: &'static str,
        keep: impl Fn(isize, isize, isize) -> bool,
    ) -> Result<Self> {
        let [.., rows, columns] = *self.shape() else {
            return Err(Error::InvalidShape {
                operation,
                shape: self.shape().to_vec(),
                reason: "a matrix has two axes".into(),
            });
        };
        let mask = (0..rows as isize)
            .flat_map(|row| (0..columns as isize).map(move |column| (row, column)))
            .map(|(row, column)| keep(row, column, k))
            .collect();
        let mask = Array::from_vec(self.backend(), mask, &[rows, columns])?;
        mask.where_(self, &Self::zeros(self.backend(), &[])?)
    }
}

impl<T: Numeric + Cast<f64>, B: Backend> Array<T, B>
where
    f64: Cast<T>,
{
    /// The numbers `start, start + step, ...` up to but without `stop`.
    pub fn arange(xp: &B, start: T, stop: T, step: T) -> Result<Self> {
        let (first, last, by): (f64, f64, f64) = (start.cast(), stop.cast(), step.cast());
        let count = ((last - first) / by).ceil().max(0.0);
        if !count.is_finite() || count >= isize::MAX as f64 {
            return Err(Error::InvalidArgument {
                operation: "arange",
                reason: format!("no finite range leads from {start} to {stop} in steps of {step}"),
            });
        }
        // Products rather than running sums: no error builds up, and integers stay exact.
        let mut data = vec![T::ZERO; count as usize];
        let mut index = T::ZERO;
        for value in &mut data {
            *value = start.add(index.multiply(step));
            index = index.add(T::ONE);
        }
        Self::from_vec(xp, data, &[count as usize])
    }
}

impl<T: Float, B: Backend> Array<T, B> {
    /// `count` evenly spaced numbers from `start` to `stop`, with `stop` itself if `endpoint`.
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// let x = Array::linspace(&Cpu::new(), 0.0, 1.0, 5, true)?;
    /// assert_eq!(x.to_vec()?, [0.0, 0.25, 0.5, 0.75, 1.0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn linspace(xp: &B, start: T, stop: T, count: usize, endpoint: bool) -> Result<Self> {
        let (first, last) = (start.to_f64(), stop.to_f64());
        let steps = if endpoint { count.saturating_sub(1) } else { count };
        let step = (last - first) / steps.max(1) as f64;
        let mut data: Vec<T> = (0..count).map(|i| T::from_f64(first + i as f64 * step)).collect();
        if endpoint
            && count > 1
            && let Some(end) = data.last_mut()
        {
            *end = stop;
        }
        Self::from_vec(xp, data, &[count])
    }
}
