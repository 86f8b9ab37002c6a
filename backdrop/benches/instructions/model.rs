//! Parts of the fit of small frames, and the reading of one.

use array_api::{Array, Cpu};
use backdrop::design::{Block, Design, DesignMatrix, Preset};
use backdrop::ffi::{FfiSource, Filter, find_ffis};
use backdrop::fit::FrameFitter;
use backdrop::geometry::Window;
use backdrop::progress::Silent;
use backdrop::simulate::{Compression, Simulation, SimulationSettings, WriteOptions};
use backdrop::source::FrameSource;
use ndarray::Array2;

use super::{Loop, Result, Table};

/// Rows and columns of a frame that is fitted.
const SIZE: usize = 128;

/// Breakpoints of the tensor spline along each axis, about as far apart as on a full frame.
const NKNOTS: usize = 8;

/// Frames of a batch.
const FRAMES: usize = 4;

/// Rows and columns of a frame that is read.
const READ_SIZE: usize = 256;

pub const LOOPS: &Table = &[
    ("project-spline", || project(Block::spline(NKNOTS))),
    ("project-radial-spline", || project(Block::radial_spline(60))),
    ("project-cartesian", || project(Block::cartesian(4))),
    ("project-straps", || project(Block::restricted_strap(2))),
    ("evaluate-spline", || evaluate(Block::spline(NKNOTS))),
    ("evaluate-radial-spline", || evaluate(Block::radial_spline(60))),
    ("evaluate-cartesian", || evaluate(Block::cartesian(4))),
    ("evaluate-straps", || evaluate(Block::restricted_strap(2))),
    ("bases", || Loop::new(SIZE * SIZE, "pixel", matrices)),
    ("gram", || {
        let ([_, a2], weights) = (matrices()?, Array::full(&Cpu::new(), &[SIZE, SIZE], 1.0)?);
        Loop::new(SIZE * SIZE, "pixel", move || a2.gram(&weights))
    }),
    ("set-up", || Loop::new(SIZE * SIZE, "pixel", fitter)),
    ("fit", || {
        let (fitter, frames) = (fitter()?, frames()?);
        Loop::new(frames.len(), "pixel", move || fitter.fit(&frames))
    }),
    ("fit-with-average", || {
        let (mut fitter, frames) = (fitter()?, frames()?);
        fitter.set_average(&Array2::from_shape_fn((SIZE, SIZE), |(row, column)| {
            0.9 * pixel(row * SIZE + column)
        }))?;
        Loop::new(frames.len(), "pixel", move || fitter.fit(&frames))
    }),
    ("read", || read(Compression::None)),
    ("read-gzip-tiles", || read(Compression::Tiles)),
];

/// The matrices of the standard preset, with a tensor spline that fits the window.
fn matrices() -> backdrop::error::Result<[DesignMatrix<Cpu>; 2]> {
    let preset = Preset::default();
    let designs = [preset.design1(), preset.design2(NKNOTS)];
    DesignMatrix::several(&Cpu::new(), designs.each_ref(), &Window::cutout(4, SIZE)?)
}

/// All of the set-up, for a mask without a pattern.
fn fitter() -> backdrop::error::Result<FrameFitter<Cpu>> {
    let keep = Array2::from_shape_fn((SIZE, SIZE), |(row, column)| (row * 31 + column * 17) % 11 > 1);
    FrameFitter::new(&Cpu::new(), matrices()?, &keep)
}

fn frames() -> array_api::Result<Array<f32, Cpu>> {
    let pixels = (0..FRAMES * SIZE * SIZE).map(pixel).collect();
    Array::from_vec(&Cpu::new(), pixels, &[FRAMES, SIZE, SIZE])
}

/// A made up pixel: a smooth background, and noise.
fn pixel(index: usize) -> f32 {
    let (row, column) = (index / SIZE % SIZE, index % SIZE);
    let noise = (index as u32).wrapping_mul(2_654_435_769) >> 8;
    150.0 + 0.2 * row as f32 + 0.1 * column as f32 + noise as f32 / (1 << 24) as f32
}

/// A block alone.
fn matrix(block: Block) -> backdrop::error::Result<DesignMatrix<Cpu>> {
    DesignMatrix::new(&Cpu::new(), &Design::from(block), &Window::cutout(4, SIZE)?)
}

fn project(block: Block) -> Result<Loop> {
    let (matrix, frames) = (matrix(block)?, frames()?.astype::<f64>()?);
    Loop::new(frames.len(), "pixel", move || matrix.project(&frames))
}

fn evaluate(block: Block) -> Result<Loop> {
    let matrix = matrix(block)?;
    let weights = Array::full(&Cpu::new(), &[FRAMES, matrix.columns()], 0.5)?;
    Loop::new(FRAMES * SIZE * SIZE, "pixel", move || matrix.dot(&weights))
}

fn read(compression: Compression) -> Result<Loop> {
    let dir = tempfile::tempdir()?;
    let settings = SimulationSettings { frames: 1, size: READ_SIZE, stars: 0.0, ..Default::default() };
    let options = WriteOptions { compression, ..Default::default() };
    Simulation::new(SimulationSettings { flagged_frames: 0, blown_out_frame: None, ..settings })?.write(
        dir.path(),
        options,
        &Silent,
    )?;
    let source = FfiSource::open(find_ffis(dir.path(), &Filter::default())?, Some(READ_SIZE))?;
    let mut frame = vec![0.0; READ_SIZE * READ_SIZE];
    Loop::new(frame.len(), "pixel", move || {
        let _ = &dir;
        source.read(0, &mut frame)
    })
}
