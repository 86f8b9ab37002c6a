//! The table, a line for each row as soon as it is measured.

/// What a row is to reach: a target, and what would be better still.
#[derive(Clone, Copy)]
pub enum Aim {
    /// At most so many seconds.
    Seconds(f64, f64),
    /// At most so many bytes.
    Bytes(f64, f64),
    /// At most so many times what the other side takes.
    Times(f64, f64),
    /// At least so many times as fast as the other side.
    Speed(f64, f64),
}

/// Something that was measured.
pub struct Row {
    /// What, and against what.
    pub name: String,
    /// Seconds or bytes.
    pub ours: f64,
    /// Seconds of the other side, if there is one and it could be measured.
    pub other: Option<f64>,
    /// What is to be reached.
    pub aim: Aim,
}

/// Prints what the columns mean.
pub fn print_head() {
    println!("ratio: ours / other side, to be at most; or speed of ours / other side, to be at least");
    println!("threads: ours / other side's");
    print_line("row", ["ours", "other side", "ratio", "target", "stretch", "met?"]);
}

impl Row {
    /// Prints the row.
    pub fn print(&self) {
        let &Self { ref name, ours, other, aim } = self;
        let number = |x: f64| format!("{x:.2}");
        let (goals, value, show): (_, _, fn(f64) -> String) = match aim {
            Aim::Seconds(target, stretch) => ([target, stretch], Some(ours), time),
            Aim::Bytes(target, stretch) => ([target, stretch], Some(ours), bytes),
            Aim::Times(target, stretch) => ([target, stretch], other.map(|other| ours / other), number),
            Aim::Speed(target, stretch) => ([target, stretch], other.map(|other| other / ours), number),
        };
        let least = matches!(aim, Aim::Speed(..));
        let reached = goals.map(|goal| value.map(|value| if least { value >= goal } else { value <= goal }));
        let met = match reached {
            [None, _] | [_, None] => "not measured",
            [_, Some(true)] => "stretch",
            [Some(true), _] => "yes",
            [Some(false), _] => "no",
        };
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let [target, stretch] =
            goals.map(|goal| format!("{} {}", if least { ">=" } else { "<=" }, show(goal)));
        let ratio = or_dash(other.and(value).map(number));
        let other = or_dash(other.map(time));
        let ours = if matches!(aim, Aim::Bytes(..)) { bytes(ours) } else { time(ours) };
        print_line(name, [&ours, &other, &ratio, &target, &stretch, met]);
    }
}

fn print_line(name: &str, [ours, other, ratio, target, stretch, met]: [&str; 6]) {
    println!("{name:48} | {ours:>8} | {other:>10} | {ratio:>6} | {target:>10} | {stretch:>10} | {met}");
}

fn time(seconds: f64) -> String {
    if seconds >= 1.0 { format!("{seconds:.2} s") } else { format!("{:.2} ms", 1e3 * seconds) }
}

fn bytes(bytes: f64) -> String {
    format!("{:.0} MB", 1e-6 * bytes)
}

/// The middle one of some numbers, or the upper of two.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
