use ndarray::s;

use super::*;

/// The masks from their definitions, pixel by pixel.
fn plain_star_mask(image: &Array2<f32>) -> Array2<bool> {
    let (rows, columns) = image.dim();
    let slope =
        |low: f32, high: f32, steps: usize| if steps == 0 { 0.0 } else { (high - low) / steps as f32 };
    let masked = Array2::from_shape_fn((rows, columns), |(r, c)| {
        let (r0, r1) = (r.saturating_sub(1), (r + 1).min(rows - 1));
        let (c0, c1) = (c.saturating_sub(1), (c + 1).min(columns - 1));
        let dy = slope(image[(r0, c)], image[(r1, c)], r1 - r0);
        let dx = slope(image[(r, c0)], image[(r, c1)], c1 - c0);
        !((dx * dx + dy * dy).sqrt() < 25.0 && image[(r, c)] < 9e4)
    });
    Array2::from_shape_fn((rows, columns), |(r, c)| {
        let mut keep = !masked[(r, c)];
        keep &= r == 0 || !masked[(r - 1, c)];
        keep &= c == 0 || !masked[(r, c - 1)];
        keep &= r + 1 == rows || !masked[(r + 1, c)];
        keep & (c + 1 == columns || !masked[(r, c + 1)])
    })
}

#[test]
fn the_star_mask_is_its_definition() {
    let mut seed = 1_u32;
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 8
    };
    for (rows, columns) in [(1, 1), (1, 7), (7, 1), (2, 2), (31, 40)] {
        let image = Array2::from_shape_simple_fn((rows, columns), || match random() % 40 {
            0 => 500.0,
            1 => f32::NAN,
            2 => 1e5,
            n => 100.0 + n as f32,
        });
        assert_eq!(star_mask(&image), plain_star_mask(&image), "{rows} x {columns}");
    }
}

#[test]
fn a_single_saturated_pixel_grows_three_steps_up_down_left_and_right() {
    let mut image = Array2::from_elem((21, 21), 100.0);
    image[(10, 10)] = 1e5;
    let mask = saturation_mask(&image);
    // Growth where the gradient is not zero leaves a diamond, and R = 0.75 adds nothing.
    for ((row, column), &keep) in mask.indexed_iter() {
        let steps = row.abs_diff(10) + column.abs_diff(10);
        assert_eq!(keep, steps > 3, "({row}, {column})");
    }
}

#[test]
fn a_bleed_column_masks_its_halo_and_its_spike() {
    let mut image = Array2::from_elem((201, 201), 100.0);
    // 20 pixels: R = 15, spike half-width ceil(7.5) = 8, centre at row 100.5.
    image.slice_mut(s![91..111, 100]).fill(2e5);
    let mask = saturation_mask(&image);
    assert!(!mask[(100, 114)] && mask[(100, 116)], "inside and outside R");
    assert!(!mask[(100 + 58, 108)] && mask[(100 + 58, 109)], "inside and outside the spike");
    assert!(!mask[(160, 100)] && mask[(161, 100)], "the spike ends at 4 R = 60");
}

#[test]
fn halos_at_the_edge_stay_inside() {
    let mut image = Array2::from_elem((30, 30), 100.0);
    image.slice_mut(s![.., 0]).fill(2e5);
    let mask = saturation_mask(&image);
    assert!(!mask[(0, 0)] && !mask[(29, 5)]);
    assert!(saturation_mask(&Array2::zeros((0, 5))).is_empty());
}

/// The saturation mask from its definition, pixel by pixel.
fn plain_saturation_mask(image: &Array2<f32>) -> Array2<bool> {
    let (rows, columns) = image.dim();
    let saturated = image.mapv(|flux| flux > 9e4);
    let mut masked = saturated.clone();
    for _ in 0..3 {
        let before = masked.clone();
        masked = Array2::from_shape_fn((rows, columns), |(r, c)| {
            let [r0, r1] = [r.saturating_sub(1), (r + 1).min(rows - 1)];
            let [c0, c1] = [c.saturating_sub(1), (c + 1).min(columns - 1)];
            before[(r, c)] || before[(r0, c)] != before[(r1, c)] || before[(r, c0)] != before[(r, c1)]
        });
    }
    for column in 0..columns {
        for first in 0..rows {
            let starts = saturated[(first, column)] && (first == 0 || !saturated[(first - 1, column)]);
            let length = (first..rows).take_while(|&row| saturated[(row, column)]).count();
            let (radius, centre) = (0.75 * length as f64, first as f64 + 0.5 * (length as f64 - 1.0));
            if !starts || radius <= 1.0 {
                continue;
            }
            for ((r, c), masked) in masked.indexed_iter_mut() {
                let across = c.abs_diff(column) as f64;
                let distance = across.hypot(r as f64 - centre);
                let in_spike = distance < 4.0 * radius && across <= (radius / 2.0).min(15.0).ceil();
                *masked |= distance < radius || in_spike;
            }
        }
    }
    masked.mapv(|masked| !masked)
}

#[test]
fn the_saturation_mask_is_its_definition() {
    for (rows, columns) in [(1, 1), (1, 9), (9, 1), (40, 60)] {
        // Bleed columns of 1, 2, 3 and 6 pixels, one of which ends with the last row.
        for (first, length, column) in [(0, 1, 0), (2, 2, 0), (11, 3, 20), (34, 6, 45)] {
            let mut image = Array2::from_elem((rows, columns), 100.0);
            for row in first..first + length {
                if let Some(pixel) = image.get_mut((row, column)) {
                    *pixel = 2e5;
                }
            }
            assert_eq!(
                saturation_mask(&image),
                plain_saturation_mask(&image),
                "{rows} x {columns}, {length}"
            );
        }
    }
}
