//! Cutting a pipeline's input into tiles and running it over them, and independence of threads.

use std::sync::Mutex;

use array_api::backend::Tile;
use array_api::elementwise::binary;
use array_api::{BSplineBasis, Csr, Error, NewAxis, Triangle, linalg, s};
use rayon::ThreadPoolBuilder;

use crate::testing::{
    Array, Backend, Case, Check, Failed, Fill, Host, Outcome, Real, Result, cases, for_all, host, require,
};

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["tiles":
        tiles, reduce_tiles, map_tiles, tiles_pass_errors_on, tiles_of_wrong_size, same_bits_inside_a_tile,
        same_bits_on_any_number_of_threads,
    ]
}

fn tiles<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all((0..5_usize, 0..3000_usize, 0..200_000_usize), |(batch, rows, bytes)| {
        let mut next = vec![0; batch];
        let tiles = xp.tiles(batch, rows, bytes);
        for tile in tiles {
            require!(!tile.batch.is_empty() && !tile.rows.is_empty(), "a tile is empty: {tile:?}");
            for entry in tile.batch.clone() {
                require!(
                    entry < batch && next[entry] == tile.rows.start,
                    "{tile:?} leaves out or repeats rows"
                );
                next[entry] = tile.rows.end;
            }
        }
        check.equal("rows covered", next, vec![rows; batch])
    })
}

/// Cuts of three images of eleven rows: the backend's own, single rows, uneven pieces, whole images, rows of two.
fn cuts<B: Backend>(xp: &B) -> Vec<Vec<Tile>> {
    let pieces = |ends: &[usize]| {
        (0..3)
            .flat_map(|entry| {
                let rows = ends.windows(2).map(|pair| pair[0]..pair[1]);
                rows.map(move |rows| Tile { batch: entry..entry + 1, rows })
            })
            .collect()
    };
    let singles: Vec<usize> = (0..=11).collect();
    let two_and_one = vec![Tile { batch: 0..2, rows: 0..11 }, Tile { batch: 2..3, rows: 0..11 }];
    let rows_of_two = [0..2, 2..3]
        .into_iter()
        .flat_map(|batch| [0..4, 4..5, 5..11].map(|rows| Tile { batch: batch.clone(), rows }));
    let rows_of_two = rows_of_two.collect();
    vec![
        xp.tiles(3, 11, 8),
        pieces(&singles),
        pieces(&[0, 4, 5, 11]),
        pieces(&[0, 11]),
        two_and_one,
        rows_of_two,
    ]
}

/// Images of three entries, eleven rows, five columns.
fn images() -> Host<f64> {
    host::random(&[3, 11, 5], Fill::Between(-9.0, 9.0), 1)
}

/// The part of an array that belongs to a tile.
fn part_of<B: Backend>(x: &Array<f64, B>, tile: &Tile) -> Result<Array<f64, B>> {
    x.slice(s![tile.batch.clone(), tile.rows.clone()])
}

fn reduce_tiles<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let x = images();
    let array = host::upload(xp, &x)?;
    for tiles in cuts(xp) {
        let sums = xp.reduce_tiles(&tiles, 3, 5, |tile| part_of(&array, tile)?.sum_axes(&[1], false))?;
        // The sum over a tile, added up in the order of the tiles.
        let mut expected = host::build(&[3, 5], |_| 0.0);
        for tile in &tiles {
            let part = host::download(&part_of(&array, tile)?.sum_axes(&[1], false)?)?;
            for (entry, values) in tile.batch.clone().zip(part.outer_iter()) {
                let mut total = expected.index_axis_mut(ndarray::Axis(0), entry);
                total += &values;
            }
        }
        check.same("reduce_tiles", &Array::from_buffer(xp, sums, &[3, 5]), &expected)?;
    }
    // More tiles than are held at once, and a result that is a view.
    let tiles: Vec<Tile> = (0..1000).map(|row| Tile { batch: 0..1, rows: row..row + 1 }).collect();
    let found = xp.reduce_tiles(&tiles, 1, 2, |tile| {
        Array::full(xp, &[1], tile.rows.start as f64)?.broadcast_to(&[1, 2])
    })?;
    check.same("a thousand tiles", &Array::from_buffer(xp, found, &[2]), &host::list(&[499_500.0; 2]))?;
    let none = xp.reduce_tiles(&[], 2, 2, |_| Array::zeros(xp, &[1, 2]))?;
    check.same("no tile", &Array::from_buffer(xp, none, &[2, 2]), &host::build(&[2, 2], |_| 0.0))
}

fn map_tiles<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let x = images();
    let array = host::upload(xp, &x)?;
    for tiles in cuts(xp) {
        let negative = xp.map_tiles(&tiles, [3, 11, 5], |tile| part_of(&array, tile)?.negative())?;
        check.same("map_tiles", &Array::from_buffer(xp, negative, &[3, 11, 5]), &x.mapv(|v| -v))?;
        // Parts of another element type that are views with columns reversed.
        let turned =
            xp.map_tiles(&tiles, [3, 11, 5], |tile| part_of(&array, tile)?.greater_scalar(0.0)?.flip(&[2]))?;
        let expected = host::build(&[3, 11, 5], |i| x[[i[0], i[1], 4 - i[2]]] > 0.0);
        check.same("map_tiles of views", &Array::from_buffer(xp, turned, &[3, 11, 5]), &expected)?;
    }
    let none = xp.map_tiles(&[], [0, 4, 2], |_| Array::<f64, B>::zeros(xp, &[]))?;
    check.same("no tile", &Array::from_buffer(xp, none, &[0, 4, 2]), &host::build(&[0, 4, 2], |_| 0.0))
}

fn tiles_pass_errors_on<B: Backend>(xp: &B, check: &Check) -> Outcome {
    // Tiles 99 and later fail, each with an error of its own: the first one's is reported, though
    // threads that share the list in halves meet number 100 while tiles before are still at work.
    let tiles: Vec<Tile> = (0..200).map(|row| Tile { batch: 0..1, rows: row..row + 1 }).collect();
    let fail = |tile: &Tile| {
        if tile.rows.start < 99 {
            return Array::<f64, B>::ones(xp, &[20_000])?.exp()?.max()?.reshape(&[1, 1, 1]);
        }
        Err(Error::NotPositiveDefinite { batch: 0, pivot: tile.rows.start })
    };
    let error = Error::NotPositiveDefinite { batch: 0, pivot: 99 };
    for _ in 0..5 {
        check.refused("reduce_tiles", xp.reduce_tiles(&tiles, 1, 1, fail), &error)?;
        check.refused("map_tiles", xp.map_tiles(&tiles, [1, 200, 1], fail), &error)?;
    }
    // Errors of operations arrive as they are.
    let (a, b) = (Array::<f64, B>::zeros(xp, &[2])?, Array::zeros(xp, &[3])?);
    let mismatch = Error::ShapeMismatch { operation: "add", left: vec![2], right: vec![3] };
    check.refused("an operation inside a tile", xp.reduce_tiles(&tiles, 1, 1, |_| a.add(&b)), &mismatch)
}

fn tiles_of_wrong_size<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let tiles = [Tile { batch: 0..1, rows: 0..2 }, Tile { batch: 0..1, rows: 2..3 }];
    let reduced = xp.reduce_tiles(&tiles, 1, 2, |_| Array::zeros(xp, &[1, 3]));
    check.refused_with("a partial result of another size", reduced, &["tile", "3 elements", "2 belong"])?;
    let mapped = xp.map_tiles(&tiles, [1, 3, 2], |_| Array::<f64, B>::zeros(xp, &[1, 1, 2]));
    check.refused_with("a part of another size", mapped, &["tile", "2 elements", "4 belong"])
}

/// The bits of arrays, one after another.
#[derive(Debug, Default, Clone, PartialEq)]
struct Bits(Vec<u64>);

impl Bits {
    fn add<T: Real, B: Backend>(&mut self, array: &Array<T, B>) -> Outcome {
        self.0.extend(array.to_vec()?.into_iter().map(|v| v.wide().to_bits()));
        Ok(())
    }

    fn add_indices<B: Backend>(&mut self, array: &Array<i64, B>) -> Outcome {
        self.0.extend(array.to_vec()?.into_iter().map(|v| v as u64));
        Ok(())
    }
}

/// Operations of every chapter on arrays of some size.
fn everything<B: Backend>(xp: &B, rows: usize, columns: usize) -> std::result::Result<Bits, Failed> {
    let mut bits = Bits::default();
    let x = host::upload(xp, &host::random::<f64>(&[rows, columns], Fill::Between(0.1, 9.0), 1))?;
    let row = x.slice(s![0])?;
    bits.add(&Array::full(xp, &[rows], 0.5)?)?;
    bits.add(&x.log10()?.exp()?)?;
    bits.add(&x.multiply(&row)?.sqrt()?)?;
    bits.add(&x.matrix_transpose()?.subtract_scalar(1.0)?)?;
    let mut changed = x.flip(&[1])?;
    changed.add_assign(&row)?;
    changed.assign(s![.., ..;2], &row.slice(s![..;2])?)?;
    bits.add(&changed)?;
    bits.add(&x.greater_scalar(3.0)?.where_(&x, &row)?)?;
    for axis in [0, 1] {
        bits.add(&x.sum_axes(&[axis], true)?)?;
        bits.add(&x.var_axes(&[axis], 1.0, false)?)?;
        bits.add(&x.median_axis(axis, false)?)?;
        bits.add(&x.cumulative_sum(axis)?)?;
        bits.add(&x.sort(axis, true)?)?;
        bits.add_indices(&x.argsort(axis, false)?)?;
        bits.add_indices(&x.argmax(axis)?)?;
        bits.add(&x.roll(3, axis)?)?;
    }
    bits.add(&x.sum()?)?;
    bits.add(&x.mean()?)?;
    bits.add(&x.std(0.0)?)?;
    bits.add(&x.compress(&x.less_scalar(2.0)?)?)?;
    bits.add(&x.zip(&binary::Maximum, &row, "maximum")?)?;
    let gram = x.matrix_transpose()?.matmul(&x)?.add(&Array::eye(xp, columns, None, 0)?)?;
    bits.add(&gram)?;
    let factor = linalg::cho_factor(&gram)?;
    bits.add(factor.lower())?;
    bits.add(&factor.solve(&x.matrix_transpose()?)?)?;
    bits.add(&linalg::solve(&gram, &row)?)?;
    bits.add(&linalg::det(&x.slice(s![..3, ..3])?)?)?;
    bits.add(&linalg::solve_triangular(factor.lower(), &row, Triangle::Lower)?)?;
    let (values, vectors) = linalg::eigh(&gram)?;
    bits.add(&values)?;
    bits.add(&vectors)?;
    let stack = gram.multiply(&x.abs()?.slice(s![..8, .., NewAxis])?)?;
    bits.add(&linalg::eigvalsh(&stack)?)?;
    bits.add(&linalg::eigh(&stack)?.1)?;
    let sparse = Csr::from_dense(&x.floor()?.remainder_scalar(3.0)?)?;
    bits.add(&sparse.matmul(&gram)?)?;
    bits.add(&sparse.transposed_matmul(&x)?)?;
    bits.add(&sparse.bilinear(&gram, &sparse)?)?;
    bits.add(&sparse.weighted_cross_gram(&x.matrix_transpose()?, &sparse)?)?;
    let splines = BSplineBasis::clamped(&[0.0, 2.0, 3.0, 9.0], 3)?.at(&x)?;
    bits.add(&splines.project(&x.sin()?)?)?;
    bits.add(&splines.evaluate(&splines.project(&x)?)?)?;
    Ok(bits)
}

fn same_bits_inside_a_tile<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let outside = everything(xp, 23, 9)?;
    let inside = Mutex::new(Vec::new());
    let tiles: Vec<Tile> = (0..8).map(|row| Tile { batch: 0..1, rows: row..row + 1 }).collect();
    xp.reduce_tiles(&tiles, 1, 1, |_| {
        // Memory that an earlier operation has left behind is full of NaN.
        for size in [1, 9, 23, 81, 207, 300, 600] {
            drop(Array::full(xp, &[size], f64::NAN)?.copy()?);
        }
        let found = everything(xp, 23, 9);
        inside
            .lock()
            .map_err(|_| Error::InvalidArgument { operation: "test", reason: "a tile panicked".into() })?
            .push(found);
        Array::zeros(xp, &[1, 1])
    })?;
    let inside = inside.into_inner().map_err(|_| "a tile panicked")?;
    check.equal("number of tiles", inside.len(), tiles.len())?;
    for found in inside {
        check.equal("the same bits inside a tile", found? == outside, true)?;
    }
    Ok(())
}

fn same_bits_on_any_number_of_threads<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let mut of_one_thread: Option<Vec<(&str, Bits)>> = None;
    for threads in [1, 2, 3] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
        let found = pool.install(|| large(xp))?;
        let Some(expected) = &of_one_thread else {
            of_one_thread = Some(found);
            continue;
        };
        for ((what, found), (_, expected)) in found.iter().zip(expected) {
            check.equal(&format!("{what} on {threads} threads"), found == expected, true)?;
        }
    }
    Ok(())
}

/// Results of operations large enough for several threads.
fn large<B: Backend>(xp: &B) -> std::result::Result<Vec<(&'static str, Bits)>, Failed> {
    fn products<T: Real, B: Backend>(xp: &B) -> std::result::Result<Vec<(&'static str, Bits)>, Failed> {
        let n = 700;
        let a = host::upload(xp, &host::random::<T>(&[n, n], Fill::Between(-1.0, 1.0), 1))?;
        let product = a.matmul(&a.matrix_transpose()?)?;
        let spd = product.add(&Array::eye(xp, n, None, 0)?.multiply_scalar(T::narrow(n as f64))?)?;
        let factor = linalg::cho_factor(&spd)?;
        let b = a.slice(s![.., ..37])?;
        let list = [
            ("matmul", product),
            ("matmul of few columns", a.matmul(&b)?),
            ("cholesky", factor.lower().clone()),
            ("cho_solve", factor.solve(&b)?),
            ("solve", linalg::solve(&spd.slice(s![..200, ..200])?, &b.slice(s![..200])?)?),
        ];
        list.iter()
            .map(|(what, array)| {
                let mut bits = Bits::default();
                bits.add(array)?;
                Ok((*what, bits))
            })
            .collect()
    }
    let mut found = products::<f32, B>(xp)?;
    found.extend(products::<f64, B>(xp)?);
    // Every other operation, on an array beyond every threshold.
    found.push(("an operation on a large array", everything(xp, 4000, 33)?));
    let x = host::upload(xp, &host::random::<f32>(&[1_000_003], Fill::Between(-1.0, 1.0), 2))?;
    for (what, array) in [("sum", x.sum()?), ("mean", x.mean()?), ("var", x.var(0.0)?), ("exp", x.exp()?)] {
        let mut bits = Bits::default();
        bits.add(&array)?;
        found.push((what, bits));
    }
    // Many sums, since another order of adding changes only some of them.
    let rows = host::upload(xp, &host::random::<f64>(&[300, 3001], Fill::Between(-1.0, 1.0), 3))?;
    for (what, array) in
        [("sums", rows.sum_axes(&[1], false)?), ("sums of columns", rows.sum_axes(&[0], false)?)]
    {
        let mut bits = Bits::default();
        bits.add(&array)?;
        found.push((what, bits));
    }
    let images = x.slice(s![..1_000_000])?.reshape(&[4, 500, 500])?;
    let tiles = xp.tiles(4, 500, 500 * 64);
    let sums = xp.reduce_tiles(&tiles, 4, 500, |tile| {
        images.slice(s![tile.batch.clone(), tile.rows.clone()])?.astype::<f64>()?.exp()?.sum_axes(&[1], false)
    })?;
    let mut bits = Bits::default();
    bits.add(&Array::from_buffer(xp, sums, &[4, 500]))?;
    found.push(("reduce_tiles", bits));
    Ok(found)
}
