//! What another mask takes: the Gram matrices of both designs and their factors, at full size.

use std::time::Instant;

use crate::Bench;
use crate::common::Result;
use crate::mask_change::{MaskChange, PIXELS};
use crate::report::{Aim, Row, median};

/// Measures a change of the mask: of the Gram matrices alone, and in all.
pub fn measure(bench: &Bench) -> Result<()> {
    if !bench.wants("mask", "mask change") {
        return Ok(());
    }
    let change = MaskChange::new()?;
    let mut fitter = change.fitter()?;
    // The Gram matrices that changes begin with are made when the first one comes.
    fitter.set_mask(&change.after)?;
    let [mut full, mut update, mut factor, mut total] = [const { Vec::new() }; 4];
    for _ in 0..bench.rounds {
        let start = Instant::now();
        let grams = change.grams()?;
        full.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        change.updated(&grams)?;
        update.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        change.factors(grams)?;
        factor.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        fitter.set_mask(&change.after)?;
        total.push(start.elapsed().as_secs_f64());
    }
    let (full, factor) = (median(full), median(factor));
    let row = |name: String, ours: f64, other: f64, aim: Aim| {
        Row { name, ours, other: Some(other), aim }.print();
    };
    let name = format!("mask change, Gram of {PIXELS} pixels / full Gram");
    row(name, median(update), full, Aim::Times(0.1, 0.1));
    let name = "mask change in all / 0.1 full Gram and a factor";
    row(name.into(), median(total), 0.1 * full + factor, Aim::Times(1.0, 1.0));
    Ok(())
}
