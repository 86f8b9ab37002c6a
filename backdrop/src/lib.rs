//! The BackDrop model of scattered light in TESS full frame images.

pub mod error;
pub mod ffi;
pub mod file;
mod fits;
pub mod output;
pub mod progress;
pub mod simulate;
pub mod source;
pub mod straps;
