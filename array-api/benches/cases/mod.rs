//! What is measured against NumPy: products and factorizations, functions, elementwise operations on
//! views, and sums.
//!
//! The benchmarks `linalg` and `elementwise` run these alone; the table of `backdrop-cli` runs each
//! beside the case of the same name in `cli/benches/table/numpy_side.py`.
#![allow(dead_code, reason = "each benchmark measures a part")]

use array_api::{Array, Cpu, Float, Result, linalg, s};

/// Rows and columns of an image.
pub const SIZE: usize = 2048;

/// Unknowns of the larger normal equations of the background model.
pub const UNKNOWNS: usize = 3122;

type Image<T> = Array<T, Cpu>;

/// Something to do again and again.
pub type Work = Box<dyn FnMut() -> Result<()> + Send>;

/// Something to measure.
pub struct Case {
    /// What it is, and the name that it has in the Python program.
    pub name: String,
    /// Floating point operations, or elements of the result or of what is summed.
    pub operations: u64,
    /// Makes its operands.
    pub prepare: Box<dyn Fn() -> Result<Work>>,
}

impl Case {
    /// A case.
    pub fn new(name: String, operations: usize, prepare: impl Fn() -> Result<Work> + 'static) -> Self {
        Self { name, operations: operations as u64, prepare: Box::new(prepare) }
    }
}

/// Numbers spread evenly over `low..high`, large and small ones in turns. The backend chooses where they lie, as NumPy does.
pub fn spread<T: Float>(shape: &[usize], low: f64, high: f64) -> Result<Image<T>> {
    let golden = 0.618_033_988_749_894_9;
    let value = |i: usize| T::from_f64(low + (high - low) * (i as f64 * golden).fract());
    let values: Vec<T> = (0..shape.iter().product()).map(value).collect();
    Array::from_slice(&Cpu::new(), &values)?.reshape(shape)
}

/// A positive definite matrix.
pub fn positive_definite(n: usize) -> Result<Image<f64>> {
    let a = spread(&[n, n], -1.0, 1.0)?;
    &(&a + &a.matrix_transpose()?)? + &(2.0 * n as f64 * &Array::eye(&Cpu::new(), n, None, 0)?)?
}

/// Products, factors and solves in double precision.
pub fn linear_algebra() -> Vec<Case> {
    let n = UNKNOWNS;
    let solve = |columns: usize| {
        Case::new(format!("cho_solve 3122 x {columns}"), 2 * n * n * columns, move || {
            let factor = linalg::cho_factor(&positive_definite(n)?)?;
            let b = spread(&[n, columns], -1.0, 1.0)?;
            Ok(Box::new(move || factor.solve(&b).map(drop)))
        })
    };
    vec![
        Case::new("matmul 2048".into(), 2 * SIZE.pow(3), || {
            let a = spread::<f64>(&[SIZE, SIZE], -1.0, 1.0)?;
            let b = spread(&[SIZE, SIZE], 0.0, 1.0)?;
            Ok(Box::new(move || a.matmul(&b).map(drop)))
        }),
        Case::new("cholesky 3122".into(), n.pow(3) / 3, move || {
            let a = positive_definite(n)?;
            Ok(Box::new(move || linalg::cholesky(&a).map(drop)))
        }),
        solve(16),
    ]
}

/// Functions of 4 million elements.
pub fn functions() -> Vec<Case> {
    [functions_of::<f32>(), functions_of::<f64>()].into_iter().flatten().collect()
}

fn functions_of<T: Float>() -> [Case; 3] {
    let case = |name: &str, (low, high): (f64, f64), function: fn(&Image<T>) -> Result<Image<T>>| {
        Case::new(format!("{name} {}", T::DTYPE), SIZE * SIZE, move || {
            let x = spread(&[SIZE, SIZE], low, high)?;
            Ok(Box::new(move || function(&x).map(drop)))
        })
    };
    [
        case("log10", (1e-5, 1e3), Array::log10),
        case("exp10", (-3.0, 3.0), Array::exp10),
        case("exp", (-3.0, 3.0), Array::exp),
    ]
}

/// Copies, below which no operation that reads one array and makes another can be; and sums, products and choices on views
/// that lie in memory in different ways.
pub fn elementwise() -> Vec<Case> {
    let copies = [copy_of::<f64>(), copy_of::<f32>()];
    let operations = [elementwise_of::<f64>(), elementwise_of::<f32>()];
    copies.into_iter().chain(operations.into_iter().flatten()).collect()
}

fn copy_of<T: Float>() -> Case {
    Case::new(format!("copy {}", T::DTYPE), SIZE * SIZE, || {
        let x = spread::<T>(&[SIZE, SIZE], -1.0, 1.0)?;
        Ok(Box::new(move || x.copy().map(drop)))
    })
}

/// Sums over either axis.
pub fn sums() -> Vec<Case> {
    [sums_of::<f64>(), sums_of::<f32>()].into_iter().flatten().collect()
}

/// How the operands of an operation lie in memory.
#[derive(Clone, Copy)]
enum Views {
    /// As the result does.
    Contiguous,
    /// Every second column of a wider image.
    Strided,
    /// The first operand has its axes exchanged.
    Transposed,
    /// The second operand is a row, which is added to all rows.
    Row,
    /// The second operand is a column.
    Column,
}

impl Views {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Contiguous, "contiguous"),
        (Self::Strided, "strided"),
        (Self::Transposed, "transposed"),
        (Self::Row, "broadcast row"),
        (Self::Column, "broadcast column"),
    ];

    /// Two operands and a condition.
    fn operands<T: Float>(self) -> Result<(Image<T>, Image<T>, Image<bool>)> {
        let image = |columns| spread::<T>(&[SIZE, columns], -1.0, 1.0);
        let (a, b) = match self {
            Self::Strided => {
                let every_second = s![.., ..;2];
                (image(2 * SIZE)?.slice(every_second)?, image(2 * SIZE)?.slice(every_second)?)
            }
            Self::Transposed => (image(SIZE)?.matrix_transpose()?, image(SIZE)?),
            Self::Contiguous => (image(SIZE)?, image(SIZE)?),
            Self::Row => (image(SIZE)?, spread(&[1, SIZE], -1.0, 1.0)?),
            Self::Column => (image(SIZE)?, spread(&[SIZE, 1], -1.0, 1.0)?),
        };
        let condition = image(SIZE)?.greater_scalar(T::ZERO)?;
        Ok((a, b, condition))
    }
}

fn elementwise_of<T: Float>() -> Vec<Case> {
    type Operation<T> = fn(&Image<T>, &Image<T>, &Image<bool>) -> Result<Image<T>>;
    let operations: [(&str, Operation<T>); 3] = [
        ("add", |a, b, _| a.add(b)),
        ("multiply", |a, b, _| a.multiply(b)),
        ("where", |a, b, condition| condition.where_(a, b)),
    ];
    let mut cases = Vec::new();
    for (name, operation) in operations {
        for (views, lying) in Views::ALL {
            let name = format!("{name} {} {lying}", T::DTYPE);
            cases.push(Case::new(name, SIZE * SIZE, move || {
                let (a, b, condition) = views.operands::<T>()?;
                Ok(Box::new(move || operation(&a, &b, &condition).map(drop)))
            }));
        }
    }
    cases
}

fn sums_of<T: Float>() -> [Case; 2] {
    [0, 1].map(|axis| {
        Case::new(format!("sum {} axis {axis}", T::DTYPE), SIZE * SIZE, move || {
            let x = spread::<T>(&[SIZE, SIZE], -1.0, 1.0)?;
            Ok(Box::new(move || x.sum_axes(&[axis], false).map(drop)))
        })
    })
}
