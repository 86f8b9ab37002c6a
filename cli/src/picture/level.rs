//! The level of the background against time, with the frames that were left out.

use std::ops::Range;

use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{
    BLANK, BLUE, CAPTION, Canvas, Drawn, FONT, GREEN, LABEL_SIZE, LABELS, ORANGE, PALE, PURPLE, Page,
    Picture, Placed, SKY, VERMILION, anchored, axis, draw_caption, text,
};

/// Sizes in points: the whole width, the column with the legend, the room left of the axis, and the
/// heights of the chart and of a lane of flags.
const WIDTH: u32 = 2400;
const KEY: u32 = 560;
const LEFT: u32 = 210;
const CHART: u32 = 760;
const LANE: u32 = 56;
const MARGIN: u32 = 16;

/// The quotient of the highest and the lowest level beyond which their axis is logarithmic.
const LOGARITHMIC: f64 = 15.0;

/// The colours of the lanes, in turn.
const LANES: [RGBColor; 5] = [VERMILION, PURPLE, ORANGE, GREEN, SKY];

/// The level of each frame, the whole CCD together, in electrons/s; NaN for a frame that was not
/// fitted.
#[derive(Debug)]
pub(crate) struct LevelChart<'a> {
    pub(crate) caption: [String; 2],
    /// Start and end of each frame, in BTJD days.
    pub(crate) tstart: &'a [f64],
    pub(crate) tstop: &'a [f64],
    /// The level that half of the pixels, 5 % and 95 % of them lie below.
    pub(crate) median: &'a [f32],
    pub(crate) low: &'a [f32],
    pub(crate) high: &'a [f32],
    pub(crate) lanes: Vec<FlagLane>,
}

/// Why some frames were left out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FlagLane {
    pub(crate) name: String,
    pub(crate) frames: Vec<usize>,
}

impl Picture for LevelChart<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH, CAPTION + CHART + LANE * self.lanes.len() as u32 + LABELS + MARGIN)
    }

    fn draw<DB: Canvas>(&self, page: &Page<DB>) -> Drawn<Vec<Placed>> {
        let (top, rest) = page.split_vertically(CAPTION);
        draw_caption(&top, &self.caption, LEFT)?;
        let (charts, key) = rest.split_horizontally(WIDTH - KEY);
        if self.lanes.is_empty() {
            self.draw_levels(&charts, LABELS)?;
        } else {
            let (levels, lanes) = charts.split_vertically(CHART);
            self.draw_levels(&levels, 0)?;
            self.draw_lanes(&lanes)?;
        }
        self.draw_key(&key)?;
        Ok(Vec::new())
    }
}

impl LevelChart<'_> {
    fn time_range(&self) -> Range<f64> {
        axis::time_range(self.tstart.iter().chain(self.tstop).copied())
    }

    /// From when to when a frame is marked: wide enough to be seen.
    fn span(&self, frame: usize) -> (f64, f64) {
        let range = self.time_range();
        let least = 4.0 / f64::from(WIDTH - KEY) * (range.end - range.start);
        (self.tstart[frame], self.tstop[frame].max(self.tstart[frame] + least))
    }

    /// The lowest and the highest level; none if no frame was fitted.
    fn extremes(&self) -> Option<(f64, f64)> {
        let finite = self.low.iter().chain(self.high).filter(|level| level.is_finite());
        finite.map(|&level| f64::from(level)).fold(None, |extremes, level| {
            let (low, high) = extremes.unwrap_or((level, level));
            Some((level.min(low), level.max(high)))
        })
    }

    /// The range of the axis of levels, and whether it is logarithmic: where they differ so much
    /// that on another the quiet frames would lie on the axis.
    fn level_range(&self) -> (Range<f64>, bool) {
        let Some((low, high)) = self.extremes() else { return (0.0..1.0, false) };
        if low > 0.0 && high > LOGARITHMIC * low {
            let room = (high / low).powf(0.06);
            (low / room..high * room, true)
        } else {
            let room = (high - low).max(1e-3 * high.abs()).max(1e-3) * 0.06;
            (low - room..high + room, false)
        }
    }

    fn draw_levels<DB: Canvas>(&self, area: &Page<DB>, below: u32) -> Drawn {
        let (levels, logarithmic) = self.level_range();
        let height = levels.end - levels.start;
        if logarithmic {
            let axis = levels.clone().log_scale().with_key_points(axis::key_points(&levels));
            self.draw_levels_on(area, below, &levels, axis, ToString::to_string)
        } else {
            let label = |level: &f64| axis::label(*level, height, 7);
            self.draw_levels_on(area, below, &levels, levels.clone(), label)
        }
    }

    fn draw_levels_on<DB: Canvas, Y>(
        &self,
        area: &Page<DB>,
        below: u32,
        levels: &Range<f64>,
        axis: Y,
        level_label: impl Fn(&f64) -> String,
    ) -> Drawn
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let times = self.time_range();
        let length = times.end - times.start;
        let mut chart = ChartBuilder::on(area)
            .margin_left(MARGIN)
            .margin_bottom(if below == 0 { 0 } else { MARGIN })
            .x_label_area_size(below)
            .y_label_area_size(LEFT - MARGIN)
            .build_cartesian_2d(times, axis)?;
        let time_label = |time: &f64| axis::label(*time, length, 8);
        let mut mesh = chart.configure_mesh();
        mesh.light_line_style(TRANSPARENT)
            .bold_line_style(PALE.stroke_width(2))
            .y_labels(7)
            .y_label_formatter(&level_label)
            .y_desc("background (electrons/s)")
            .label_style((FONT, LABEL_SIZE))
            .set_all_tick_mark_size(10);
        if below == 0 {
            mesh.x_labels(0);
        } else {
            mesh.x_desc(TIME).x_labels(8).x_label_formatter(&time_label);
        }
        mesh.draw()?;
        for frame in (0..self.median.len()).filter(|&frame| !self.median[frame].is_finite()) {
            let (start, stop) = self.span(frame);
            let bar = Rectangle::new([(start, levels.start), (stop, levels.end)], BLANK.mix(0.5).filled());
            chart.draw_series([bar])?;
        }
        for run in axis::runs(self.tstart, |frame| self.median[frame].is_finite()) {
            let at = |level: &[f32], frame: usize| {
                (0.5 * (self.tstart[frame] + self.tstop[frame]), f64::from(level[frame]))
            };
            if run.len() == 1 {
                let band = [at(self.low, run.start), at(self.high, run.start)];
                chart.draw_series([PathElement::new(band, BLUE.mix(0.3).stroke_width(8))])?;
                chart.draw_series([Circle::new(at(self.median, run.start), 6, BLUE.filled())])?;
                continue;
            }
            let lower = run.clone().map(|frame| at(self.low, frame));
            let upper = run.clone().rev().map(|frame| at(self.high, frame));
            let band: Vec<_> = lower.chain(upper).collect();
            chart.draw_series([Polygon::new(band, BLUE.mix(0.25).filled())])?;
            let median: Vec<_> = run.map(|frame| at(self.median, frame)).collect();
            axis::line(&mut chart, &median, BLUE.stroke_width(4))?;
        }
        Ok(())
    }

    fn draw_lanes<DB: Canvas>(&self, area: &Page<DB>) -> Drawn {
        let times = self.time_range();
        let length = times.end - times.start;
        let lanes = self.lanes.len() as f64;
        let mut chart = ChartBuilder::on(area)
            .margin_left(MARGIN)
            .margin_bottom(MARGIN)
            .x_label_area_size(LABELS)
            .y_label_area_size(LEFT - MARGIN)
            .build_cartesian_2d(times.clone(), 0.0..lanes)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(PALE.stroke_width(2))
            .disable_y_mesh()
            .y_labels(0)
            .x_labels(8)
            .x_label_formatter(&|&time| axis::label(time, length, 8))
            .x_desc(TIME)
            .label_style((FONT, LABEL_SIZE))
            .set_all_tick_mark_size(10)
            .draw()?;
        for (i, lane) in self.lanes.iter().enumerate() {
            let base = lanes - 1.0 - i as f64;
            let edge = [(times.start, base + 1.0), (times.end, base + 1.0)];
            chart.draw_series([PathElement::new(edge, BLANK.stroke_width(2))])?;
            let colour = LANES[i % LANES.len()];
            chart.draw_series(lane.frames.iter().map(|&frame| {
                let (start, stop) = self.span(frame);
                Rectangle::new([(start, base + 0.15), (stop, base + 0.85)], colour.filled())
            }))?;
        }
        Ok(())
    }

    /// The legend beside the chart, where it hides nothing, and the names of the lanes beside them.
    fn draw_key<DB: Canvas>(&self, area: &Page<DB>) -> Drawn {
        let (swatch, name) = (30, 110);
        let entry = |y: i32, colour: RGBAColor, half: i32, what: &str| -> Drawn {
            area.draw(&Rectangle::new([(swatch, y - half), (swatch + 60, y + half)], colour.filled()))?;
            anchored(area, what, LABEL_SIZE, (name, y), (HPos::Left, VPos::Center))
        };
        entry(30, BLUE.to_rgba(), 2, "median of the pixels")?;
        entry(90, BLUE.mix(0.25), 20, "5 % to 95 % of them")?;
        if !self.lanes.is_empty() || self.median.iter().any(|level| !level.is_finite()) {
            entry(150, BLANK.mix(0.5), 20, "frame not fitted")?;
        }
        if !self.lanes.is_empty() {
            text(area, "flags of those frames:", LABEL_SIZE, (swatch, CHART as i32 - 62))?;
        }
        for (i, lane) in self.lanes.iter().enumerate() {
            let y = (CHART + LANE * i as u32 + LANE / 2) as i32;
            entry(
                y,
                LANES[i % LANES.len()].to_rgba(),
                18,
                &format!("{} ({})", lane.name, lane.frames.len()),
            )?;
        }
        Ok(())
    }
}

/// The axis of time.
pub(super) const TIME: &str = "time (BTJD, days)";

#[cfg(test)]
mod tests {
    use super::*;

    fn chart<'a>(tstart: &'a [f64], tstop: &'a [f64], levels: &'a [f32]) -> LevelChart<'a> {
        let caption = [String::new(), String::new()];
        LevelChart { caption, tstart, tstop, median: levels, low: levels, high: levels, lanes: Vec::new() }
    }

    #[test]
    fn ranges_hold_all_that_is_drawn_even_of_one_frame_or_none() {
        let one = chart(&[1325.3], &[1325.32], &[130.0]);
        assert!(one.time_range().contains(&1325.3) && one.time_range().contains(&1325.32));
        assert!(one.level_range().0.contains(&130.0));
        assert_eq!(chart(&[1325.3], &[1325.32], &[f32::NAN]).level_range(), (0.0..1.0, false));
    }

    #[test]
    fn levels_that_differ_much_are_on_a_logarithmic_axis() {
        let times = [1325.3, 1325.32];
        let range = |levels: &[f32; 2]| chart(&times, &times, levels).level_range();
        assert!(!range(&[100.0, 1400.0]).1 && range(&[100.0, 1600.0]).1);
        // There is no logarithm of what may be negative.
        let (levels, logarithmic) = range(&[-1.0, 1600.0]);
        assert!(!logarithmic && levels.contains(&-1.0) && levels.contains(&1600.0));
        let (levels, _) = range(&[100.0, 1600.0]);
        assert!(levels.contains(&100.0) && levels.contains(&1600.0) && levels.start > 50.0);
    }

    #[test]
    fn a_short_frame_in_a_long_series_is_still_seen() {
        let tstart: Vec<f64> = (0..10_000).map(f64::from).collect();
        let tstop: Vec<f64> = tstart.iter().map(|t| t + 0.01).collect();
        let levels = vec![1.0; 10_000];
        let (start, stop) = chart(&tstart, &tstop, &levels).span(17);
        assert_eq!(start, 17.0);
        // 4 points of the 1840 that the series has.
        assert!(stop - start > 10_000.0 * 4.0 / 1840.0);
    }
}
