//! Checkpoints of a fit.
//!
//! Arbitrary bytes seldom get past the check sums. So an input is either a whole file, or, behind a
//! first byte that is odd, records that are put behind a good beginning with the right sums: each a
//! length of two bytes (little-endian) and what it holds.

use std::path::Path;
use std::sync::OnceLock;

use array_api::Cpu;
use backdrop::communicator::Alone;
use backdrop::design::{Block, Design};
use backdrop::error::Error;
use backdrop::file::Model;
use backdrop::fit::{Checkpoint, FitOptions, Job, fit_on};
use backdrop::progress::Silent;
use backdrop::simulate::{Simulation, SimulationSettings};

use super::{check_line, note};
use crate::scratch;

pub(super) const WORDS: &[&str] = &["backdrop checkpoint 1\n", "\u{0}\u{0}\u{0}\u{0}", "frame 0"];

/// The fit that checkpoints are of, what it gives, and its checkpoint.
struct Known {
    sky: Simulation,
    options: FitOptions,
    model: Model,
    checkpoint: Vec<u8>,
}

fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let settings = SimulationSettings { frames: 3, size: 16, flagged_frames: 0, ..Default::default() };
        let sky = Simulation::new(settings).expect("a simulation");
        let options = FitOptions {
            preset: "custom".into(),
            design1: Design::from(Block::cartesian(2).prior(2.0, 100.0)),
            design2: Design::from(Block::spline(2).prior(0.0, 200.0)),
            sample_pixels: 5,
            ..FitOptions::default()
        };
        let path = scratch::path("known");
        let (model, _) = fitted(&sky, &options, &path).expect("a fit");
        let checkpoint = std::fs::read(Checkpoint::beside(&path, false).path()).expect("its checkpoint");
        Known { sky, options, model, checkpoint }
    })
}

/// A whole checkpoint.
pub(crate) fn seed() -> Vec<u8> {
    [&[0], &known().checkpoint[..]].concat()
}

/// The records of one.
pub(crate) fn seed_of_records() -> Vec<u8> {
    let checkpoint = &known().checkpoint;
    let mut input = vec![1];
    let mut rest = &checkpoint[beginning(checkpoint)..];
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let (record, after) = after.split_at(length);
        input.extend((length as u16).to_le_bytes());
        input.extend(record);
        rest = after;
    }
    input
}

/// The model of a fit with a checkpoint beside `path`, and how many frames were in that.
fn fitted(sky: &Simulation, options: &FitOptions, path: &Path) -> Result<(Model, usize), Error> {
    let checkpoint = Checkpoint::beside(path, false);
    let job = Job { ranks: &Alone, progress: &Silent, checkpoint: Some(&checkpoint) };
    let (model, report) = fit_on(&Cpu::new(), sky, options, &job)?;
    Ok((model.expect("rank 0 has the model").into_model()?, report.resumed))
}

pub(super) fn run(input: &[u8]) {
    let known = known();
    let path = scratch::path("fuzzed");
    let checkpoint = Checkpoint::beside(&path, false);
    let (whole, bytes) = match input.split_first() {
        Some((choice, records)) if choice % 2 == 1 => (false, with_sums(&known.checkpoint, records)),
        Some((_, file)) => (true, file.to_vec()),
        None => (true, Vec::new()),
    };
    std::fs::write(checkpoint.path(), bytes).expect("a temporary file");
    match fitted(&known.sky, &known.options, &path) {
        Ok((model, resumed)) => {
            note("fitted");
            // What has the right sums is believed; all else must not change the result.
            assert!(!whole || model == known.model, "{resumed} frames of a checkpoint give another model");
        }
        Err(error @ (Error::Checkpoint { .. } | Error::InvalidArgument(_))) => {
            check_line(&error.to_string());
            note(&error.to_string());
        }
        Err(error) => panic!("{error}"),
    }
}

/// Where the description of the run ends.
fn beginning(checkpoint: &[u8]) -> usize {
    let magic = checkpoint.iter().position(|&byte| byte == b'\n').expect("a first line") + 1;
    let length = checkpoint[magic..magic + 4].try_into().map(u32::from_le_bytes).expect("four bytes");
    magic + 8 + length as usize
}

/// Records behind the beginning of a checkpoint, with their sums.
fn with_sums(checkpoint: &[u8], mut records: &[u8]) -> Vec<u8> {
    let mut bytes = checkpoint[..beginning(checkpoint)].to_vec();
    while let Some((length, rest)) = records.split_first_chunk::<2>() {
        let (record, rest) = rest.split_at(rest.len().min(u16::from_le_bytes(*length).into()));
        bytes.extend((record.len() as u32).to_le_bytes());
        bytes.extend(crc32fast::hash(record).to_le_bytes());
        bytes.extend(record);
        records = rest;
    }
    bytes
}
