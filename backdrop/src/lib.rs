//! The BackDrop model of scattered light in TESS full frame images.
