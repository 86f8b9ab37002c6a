//! What fitting a batch of frames costs on the emulator: launches, copies, waits, and the bytes of
//! global memory that each kernel reads and writes, for each pixel.
//!
//! `cargo run -p conformance-tests --example cost -- 128 8` (pixels a side, frames), in a shell in
//! which `cargo xtask env` was evaluated.

use array_api::{Array, Cuda};
use backdrop::design::{DesignMatrix, Preset};
use backdrop::fit::FrameFitter;
use backdrop::geometry::Window;
use cuda_emulator::client::Emulator;
use ndarray::Array2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(Ok(default), |text| text.parse::<usize>());
    let (size, frames) = (number(128)?, number(8)?);
    let cuda = Cuda::new(0)?;
    let emulator = Emulator::find().ok_or("a real device has no meter; evaluate `cargo xtask env` first")?;

    let window = Window::new(1, (0..size).collect(), (0..size).collect())?;
    let preset = Preset::default();
    let (design1, design2) = (preset.design1(), preset.design2(preset.nknots()));
    let matrices = DesignMatrix::several(&cuda, [&design1, &design2], &window)?;
    let mut fitter = FrameFitter::new(&cuda, matrices, &Array2::from_elem((size, size), true))?;
    fitter.set_average(&Array2::from_elem((size, size), 20.0))?;

    // A wait, so that what is still to be done of the average frame is not counted.
    fitter.average()?;

    let pixels: Vec<f32> = (0..frames * size * size).map(|i| 100.0 + (i % 17) as f32).collect();
    emulator.reset_meter();
    fitter.fit(&Array::from_vec(&cuda, pixels, &[frames, size, size])?)?;
    let meter = emulator.meter();

    let pixels = (frames * size * size) as f64;
    println!("{frames} frames of {size} x {size} pixels");
    println!("launches {}, library calls {:?}", meter.launches, meter.library_calls);
    println!("waits {}, allocations {}", meter.synchronisations, meter.allocations);
    println!(
        "up {} bytes in {}, down {} bytes in {}",
        meter.up.bytes, meter.up.copies, meter.down.bytes, meter.down.copies
    );
    println!("{:>10} {:>9} {:>14} {:>14} {:>18}", "launches", "", "read a pixel", "written", "instructions");
    let mut kernels: Vec<_> = meter.kernels.iter().collect();
    kernels.sort_by_key(|(_, kernel)| std::cmp::Reverse(kernel.bytes_read + kernel.bytes_written));
    let mut total = 0.0;
    for (name, kernel) in kernels {
        let [read, written, instructions] =
            [kernel.bytes_read, kernel.bytes_written, kernel.instructions].map(|count| count as f64 / pixels);
        total += read + written;
        println!("{:>10} {name:>9} {read:>14.1} {written:>14.1} {instructions:>18.1}", kernel.launches);
    }
    println!("{total:.0} bytes a pixel in all");
    Ok(())
}
