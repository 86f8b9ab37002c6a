//! The BackDrop model of scattered light in TESS full frame images.
//!
//! A [`source::FrameSource`] gives frames: [`ffi::FfiSource`] those of files,
//! [`source::MemorySource`] those in memory, [`simulate::Simulation`] made-up ones.
//! [`fit::fit`] turns them into a [`file::Model`], which is saved, loaded and evaluated for any
//! pixels, or taken off a target pixel file ([`tpf`]). The model itself is in [`design`] (what it is made of), [`normal`] (how weights follow
//! from pixels), [`mask`] and [`quality`] (which pixels and frames count).
//!
//! ```
//! use array_api::Cpu;
//! use backdrop::fit::{FitOptions, fit};
//! use backdrop::progress::Silent;
//! use backdrop::simulate::{Simulation, SimulationSettings};
//!
//! let settings = SimulationSettings { frames: 2, size: 64, flagged_frames: 0, ..Default::default() };
//! let source = Simulation::new(settings)?;
//! let (model, report) = fit(&Cpu::new(), &source, &FitOptions::default(), &Silent)?;
//! assert_eq!(report.fitted, 2);
//! let pixel = model.evaluate(&Cpu::new(), &[0, 1], &[10], &[20])?;
//! println!("the background went from {:.1} to {:.1} electrons/s", pixel[(0, 0, 0)], pixel[(1, 0, 0)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod asteroids;
pub mod background;
pub mod communicator;
pub mod components;
pub mod cube;
pub mod design;
pub mod error;
pub mod ffi;
pub mod file;
pub mod fit;
mod fits;
pub mod flags;
pub mod geometry;
pub mod mask;
pub mod normal;
pub mod output;
pub mod progress;
pub mod quality;
pub mod scene;
pub mod simulate;
pub mod source;
mod statistics;
pub mod straps;
mod stream;
mod table;
pub mod time;
pub mod tpf;
pub mod uncertainty;

/// The examples of the front page, compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
