//! The BackDrop model of scattered light in TESS full frame images.

pub mod background;
pub mod cube;
pub mod design;
pub mod error;
pub mod ffi;
pub mod file;
pub mod fit;
mod fits;
pub mod geometry;
pub mod mask;
pub mod normal;
pub mod output;
pub mod progress;
pub mod quality;
pub mod simulate;
pub mod source;
pub mod straps;
mod stream;
