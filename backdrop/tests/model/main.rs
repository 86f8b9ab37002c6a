//! The model as a whole: its parts against plain definitions, fits against a textbook solution, and what they recover.
//!
//! One program for all, since to compile the model for each would take longer than its tests.

mod backends;
mod common;
mod design;
mod fit;
mod full_size;
mod in_parts;
mod memory;
mod real_frame;
mod recovery;
mod residuals;
mod shared_fit;
mod stored;
mod uncertainty;
