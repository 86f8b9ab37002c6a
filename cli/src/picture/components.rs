//! Components against time, one above the other, with their spectra.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::level::TIME;
use super::periodogram::Periodogram;
use super::{
    BLANK, BLUE, CAPTION, Canvas, Drawn, FONT, LABEL_SIZE, LABELS, PALE, Page, Picture, Placed, TITLE_SIZE,
    VERMILION, anchored, axis, draw_caption, text,
};

/// The most series that are drawn.
pub(crate) const MAX_DRAWN: usize = 10;

/// Sizes in points: the width of the times and of the spectra, the room for labels on both sides,
/// and the heights of the titles and of a lane, and a margin.
const TIMES: u32 = 1440;
const SPECTRA: u32 = 960;
const LEFT: u32 = 230;
const RIGHT: u32 = 50;
const TITLE: u32 = 150;
const LANE: u32 = 104;
const MARGIN: u32 = 16;

/// The lowest power that is drawn, as a power of ten.
const LOWEST_POWER: f64 = -4.0;

/// Series in lanes, each over its own range, and their spectra.
#[derive(Debug)]
pub(crate) struct ComponentChart<'a> {
    pub(crate) caption: [String; 2],
    /// What the title over the series says.
    pub(crate) title: &'a str,
    /// The middle of each frame, in BTJD days.
    pub(crate) times: Vec<f64>,
    pub(crate) series: Vec<Series>,
    /// None if there are too few points for one.
    pub(crate) spectra: Option<Periodogram>,
}

/// A series with a value for each frame, NaN where there is none.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) values: Vec<f64>,
}

impl Picture for ComponentChart<'_> {
    fn size(&self) -> (u32, u32) {
        (TIMES + SPECTRA, CAPTION + TITLE + LANE * self.series.len() as u32 + LABELS + MARGIN)
    }

    fn draw<DB: Canvas>(&self, page: &Page<DB>) -> Drawn<Vec<Placed>> {
        let (top, rest) = page.split_vertically(CAPTION);
        draw_caption(&top, &self.caption, LEFT)?;
        let (times, spectra) = rest.split_horizontally(TIMES);
        self.draw_times(&times)?;
        self.draw_spectra(&spectra)?;
        Ok(Vec::new())
    }
}

impl ComponentChart<'_> {
    /// The bottom of a lane, the first one being at the top.
    fn base(&self, lane: usize) -> f64 {
        (self.series.len() - 1 - lane) as f64
    }

    fn draw_times<DB: Canvas>(&self, area: &Page<DB>) -> Drawn {
        text(area, self.title, TITLE_SIZE, (LEFT as i32, 10))?;
        text(area, "each lane over its own range", LABEL_SIZE, (LEFT as i32, 76))?;
        for (lane, series) in self.series.iter().enumerate() {
            let middle = (TITLE + LANE * lane as u32 + LANE / 2) as i32;
            anchored(
                area,
                &series.name,
                LABEL_SIZE,
                (LEFT as i32 - 24, middle),
                (HPos::Right, VPos::Center),
            )?;
        }
        let times = axis::time_range(self.times.iter().copied());
        let length = times.end - times.start;
        let mut chart = ChartBuilder::on(area)
            .margin_top(TITLE)
            .margin_right(RIGHT)
            .margin_bottom(MARGIN)
            .x_label_area_size(LABELS)
            .y_label_area_size(LEFT)
            .build_cartesian_2d(times.clone(), 0.0..self.series.len() as f64)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(PALE.stroke_width(2))
            .disable_y_mesh()
            .y_labels(0)
            .x_labels(7)
            .x_label_formatter(&|&time| axis::label(time, length, 7))
            .x_desc(TIME)
            .label_style((FONT, LABEL_SIZE))
            .set_all_tick_mark_size(10)
            .draw()?;
        for (lane, series) in self.series.iter().enumerate() {
            let edge = [(times.start, self.base(lane) + 1.0), (times.end, self.base(lane) + 1.0)];
            chart.draw_series([PathElement::new(edge, BLANK.stroke_width(2))])?;
            let finite = series.values.iter().filter(|value| value.is_finite());
            let (low, high) =
                finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
            let at = |frame: usize| {
                let along = if high > low { (series.values[frame] - low) / (high - low) } else { 0.5 };
                (self.times[frame], self.base(lane) + 0.08 + 0.84 * along)
            };
            for run in axis::runs(&self.times, |frame| series.values[frame].is_finite()) {
                if run.len() == 1 {
                    chart.draw_series([Circle::new(at(run.start), 3, BLUE.filled())])?;
                }
                let line: Vec<_> = run.map(at).collect();
                let line = axis::thinned(&line, &times, TIMES as usize / 2);
                axis::line(&mut chart, &line, BLUE.stroke_width(3))?;
            }
        }
        Ok(())
    }

    fn draw_spectra<DB: Canvas>(&self, area: &Page<DB>) -> Drawn {
        text(area, "Spectrum", TITLE_SIZE, (0, 10))?;
        let Some(Periodogram { frequencies, powers }) = &self.spectra else {
            return text(area, "there are too few frames for one", LABEL_SIZE, (0, 76));
        };
        text(area, "Lomb-Scargle power, 0.0001 to 1 in each lane", LABEL_SIZE, (0, 76))?;
        let range = frequencies[0]..frequencies[frequencies.len() - 1].max(1.5 * frequencies[0]);
        let mut chart = ChartBuilder::on(area)
            .margin_top(TITLE)
            .margin_right(RIGHT)
            .margin_bottom(MARGIN)
            .x_label_area_size(LABELS)
            .build_cartesian_2d(
                range.clone().log_scale().with_key_points(axis::key_points(&range)),
                0.0..self.series.len() as f64,
            )?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(PALE.stroke_width(2))
            .disable_y_mesh()
            .disable_y_axis()
            .x_label_formatter(&|frequency| frequency.to_string())
            .x_desc("frequency (1/day)")
            .label_style((FONT, LABEL_SIZE))
            .set_all_tick_mark_size(10)
            .draw()?;
        for (lane, powers) in powers.iter().enumerate() {
            let edge = [(range.start, self.base(lane) + 1.0), (range.end, self.base(lane) + 1.0)];
            chart.draw_series([PathElement::new(edge, BLANK.stroke_width(2))])?;
            let finite = frequencies.iter().zip(powers).filter(|(_, power)| power.is_finite());
            let line: Vec<_> = finite
                .map(|(frequency, power)| {
                    let along = 1.0 - power.log10().clamp(LOWEST_POWER, 0.0) / LOWEST_POWER;
                    (frequency.log10(), self.base(lane) + 0.04 + 0.92 * along)
                })
                .collect();
            let logarithms = range.start.log10()..range.end.log10();
            let line = axis::thinned(&line, &logarithms, SPECTRA as usize / 2);
            let line: Vec<_> = line.into_iter().map(|(x, y)| (10_f64.powf(x), y)).collect();
            axis::line(&mut chart, &line, VERMILION.stroke_width(3))?;
        }
        Ok(())
    }
}
