//! `backdrop plot` as its users meet it.

use std::path::Path;

use backdrop::file::{Format, Model};
use ndarray::Array2;
use predicates::str::{contains, is_empty};

use super::common::{MODEL_NAME, backdrop, empty_dir, fit, json, names, one_error, process, with_frames};

const STEM: &str = "tessbackdrop_sector1_camera1_ccd4";

/// A directory with simulated frames and their model in `models`; frame 1 has a momentum dump,
/// frame 3 is in coarse point, frame 4 is blown out.
fn with_model() -> tempfile::TempDir {
    let dir = with_frames(&["--blown-out-frame", "4"]);
    fit(dir.path()).assert().success();
    dir
}

/// Changes the model in a directory and gives its path.
fn change(dir: &Path, change: impl FnOnce(&mut Model)) -> String {
    let path = dir.join("models").join(MODEL_NAME);
    let mut model = Model::load(&path).unwrap();
    change(&mut model);
    model.save(&path, Format::Fits, true).unwrap();
    format!("models/{MODEL_NAME}")
}

fn plot(dir: &Path, more: &[&str]) -> assert_cmd::assert::Assert {
    backdrop(dir).args(["plot", &format!("models/{MODEL_NAME}")]).args(more).assert()
}

/// Width, height and pixels of the first image in a PNG file, three bytes each.
fn decode(path: &Path) -> (usize, usize, Vec<u8>) {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let mut decoder = png::Decoder::new(file);
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (info.width as usize, info.height as usize, pixels)
}

#[test]
fn everything_that_there_is_to_draw_is_drawn() {
    let dir = with_model();
    let here = dir.path();
    let background: Vec<(u32, u32)> = vec![(3, 4), (60, 9)];
    change(here, |model| {
        (model.jitter, model.jitter_pixels) = (Array2::zeros((5, 0)), Vec::new());
        // Few frames: the series of the pixels themselves.
        model.background_pixels = background;
        model.background = Array2::from_shape_fn((5, 2), |(i, j)| (i + j) as f64);
    });
    let result = plot(here, &["--in-dir", "frames", "--out-dir", "pictures", "--json"]).success();
    let result = json(&result.get_output().stdout);
    // Frames 0 and 2 are fitted.
    let expected = ["frame0", "frame2", "level", "background", "masks"].map(|name| {
        let file = format!("pictures/{STEM}_{name}.png");
        assert!(here.join(&file).is_file(), "{file}");
        file
    });
    let files: Vec<_> = result["files"].as_array().unwrap().iter().map(|file| &file["file"]).collect();
    assert_eq!(files, expected.each_ref());
    assert_eq!(result["files"][1]["frame"], 2);
    assert_eq!(result["left_out"][0]["picture"], "jitter");
    assert_eq!(result["left_out"][0]["reason"], "the model has no jitter components");
    assert_eq!(names(&here.join("pictures")).len(), 5);
    // Three panels of 545 pixels with images, one without.
    assert_eq!(decode(&here.join(&expected[0])).0, 3 * 545);
    let alone = ["--frames", "2", "--pictures", "frames", "--out", "alone.png"];
    plot(here, &alone).success().stdout("alone.png: frame 2\n");
    assert_eq!(decode(&here.join("alone.png")).0, 545);
}

#[test]
fn the_model_is_drawn_with_row_zero_at_the_bottom() {
    let dir = with_model();
    let here = dir.path();
    plot(here, &["--frames", "0", "--pictures", "frames", "--out", "frame.png"]).success();
    let (width, _, pixels) = decode(&here.join("frame.png"));
    let model = Model::load(&here.join("models").join(MODEL_NAME)).unwrap();
    let background =
        model.evaluate(&array_api::Cpu::new(), &[0], &[0, 63], &(0..64).collect::<Vec<_>>()).unwrap();
    // Viridis gets lighter with the value: green says where it is brighter, the bottom or the top.
    // The image begins at column 75 and has 440 rows from line 161 on.
    let green =
        |line: usize| -> u32 { (75..515).map(|x| u32::from(pixels[(line * width + x) * 3 + 1])).sum() };
    let sum = |row: usize| background.slice(ndarray::s![0, row, ..]).sum();
    assert_ne!(green(600), green(161));
    assert_eq!(green(600) > green(161), sum(0) > sum(1), "{} {}", sum(0), sum(1));
}

#[test]
fn svg_has_text_and_embeds_images() {
    let dir = with_model();
    let here = dir.path();
    plot(here, &["--out-dir", "svg", "--format", "svg"]).success();
    let read = |name: &str| std::fs::read_to_string(here.join(format!("svg/{STEM}_{name}.svg"))).unwrap();
    let level = read("level");
    for text in ["background (electrons/s)", "time (BTJD, days)", "momentum dump (1)", "blown out (1)"] {
        assert!(level.contains(text), "{text}");
    }
    assert!(!level.contains("data:image"));
    let frame = read("frame0");
    // The image and its colour bar.
    assert_eq!(frame.matches("href=\"data:image/png;base64,").count(), 2);
    assert!(frame.len() < 400_000, "{}", frame.len());
}

#[test]
fn a_movie_shows_the_fitted_frames() {
    let dir = with_model();
    let here = dir.path();
    plot(here, &["--movie", "--fps", "4"]).success().stdout(contains("movie of 2 frames"));
    let file = std::fs::File::open(here.join(format!("{STEM}_movie.gif"))).unwrap();
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::Indexed);
    let mut decoder = options.read_info(file).unwrap();
    assert_eq!((decoder.width(), decoder.repeat()), (512, gif::Repeat::Infinite));
    let mut delays = Vec::new();
    while let Some(frame) = decoder.read_next_frame().unwrap() {
        delays.push(frame.delay);
    }
    // A quarter of a second, in hundredths.
    assert_eq!(delays, [25, 25]);

    plot(here, &["--movie", "apng", "--frames", "0..3", "--out", "film.png"]).success();
    let file = std::io::BufReader::new(std::fs::File::open(here.join("film.png")).unwrap());
    let reader = png::Decoder::new(file).read_info().unwrap();
    assert_eq!(reader.info().animation_control().unwrap().num_frames, 2);
    assert_eq!(reader.info().width, 512);
    one_error("none of them was fitted")(plot(here, &["--movie", "--frames", "1", "--overwrite"]).code(1));
}

#[test]
fn pictures_are_the_same_bytes_whatever_the_number_of_threads() {
    let dir = with_model();
    for (out, threads) in [("one", "1"), ("two", "2")] {
        plot(dir.path(), &["--in-dir", "frames", "--out-dir", out, "--threads", threads]).success();
    }
    let [one, two] = ["one", "two"].map(|out| dir.path().join(out));
    assert_eq!(names(&one), names(&two));
    for name in names(&one) {
        assert!(std::fs::read(one.join(&name)).unwrap() == std::fs::read(two.join(&name)).unwrap(), "{name}");
    }
}

#[test]
fn what_cannot_be_drawn_is_an_error_before_anything_is_written() {
    let dir = with_model();
    let here = dir.path();
    change(here, |model| (model.jitter, model.jitter_pixels) = (Array2::zeros((5, 0)), Vec::new()));
    for (args, message, code) in [
        // Two frames, level, background and masks.
        (&["--out", "all.png"][..], "--out takes one picture, and there would be 5", 2),
        (&["--pictures", "level", "--out", "a.jpg"], "--out a.jpg: give a name that ends in .png or .svg", 2),
        (&["--pictures", "level", "--out", "a.png", "--format", "svg"], "ends in .svg", 2),
        (&["--movie", "--out", "a.mp4"], "ends in .gif", 2),
        (&["--movie", "apng", "--out", "a.gif"], "ends in .png or .apng", 2),
        (&["--fps", "5"], "--movie", 2),
        (&["--frames", "5"], "there is no frame 5: they are 0 to 4", 2),
        (&["--pictures", "jitter"], "no picture of jitter: the model has no jitter components", 1),
        (&["--in-dir", "nowhere"], "nowhere: no such directory", 1),
        (&["--pictures", "level", "--out", "no/such/level.png"], "no/such/level.png: ", 1),
    ] {
        one_error(message)(plot(here, args).code(code));
    }
    // Frame 2 of the model is none of these.
    let frames = here.join("frames");
    let third = names(&frames).into_iter().filter(|name| name.starts_with("tess")).nth(2).unwrap();
    std::fs::remove_file(frames.join(third)).unwrap();
    one_error("frame 2 of the model")(plot(here, &["--in-dir", "frames", "--frames", "2"]).code(1));
    assert_eq!(names(here), ["frames", "models"]);

    std::fs::write(here.join("level.png"), "mine").unwrap();
    let again = ["--pictures", "level", "--out", "level.png"];
    one_error("level.png: exists already; use --overwrite")(plot(here, &again).code(1));
    assert_eq!(std::fs::read(here.join("level.png")).unwrap(), b"mine");
    plot(here, &again).code(1);
    plot(here, &["--pictures", "level", "--out", "level.png", "--overwrite"]).success().stderr(is_empty());
}

#[test]
fn images_of_another_ccd_are_refused() {
    let dir = with_model();
    let other = empty_dir();
    let simulate = ["simulate", "--frames", "2", "--size", "64", "--ccd", "3", "--out-dir"];
    backdrop(dir.path()).args(simulate).arg(other.path()).assert().success();
    let in_dir = other.path().to_str().unwrap();
    plot(dir.path(), &["--in-dir", in_dir]).code(1).stderr(contains("sector 1, camera 1, CCD 4"));
}

#[cfg(unix)]
#[test]
fn an_interrupted_movie_leaves_nothing() {
    let dir = with_model();
    let here = dir.path();
    change(here, |model| {
        // Enough frames to be still at it.
        let frames = 5000;
        let first = |weights: &Array2<f64>| {
            Array2::from_shape_fn((frames, weights.ncols()), |(i, j)| {
                weights[(0, j)] * (1.0 + 1e-3 * (i % 7) as f64)
            })
        };
        (model.weights1, model.weights2) = (first(&model.weights1), first(&model.weights2));
        model.tstart = (0..frames).map(|i| 1325.3 + i as f64 / 48.0).collect();
        model.tstop = model.tstart.iter().map(|start| start + 0.02).collect();
        model.quality = vec![0; frames];
        model.scatter = vec![f64::NAN; frames];
        (model.jitter, model.background) = (Array2::zeros((frames, 0)), Array2::zeros((frames, 0)));
    });
    let child = process()
        .current_dir(here)
        .args(["plot", &format!("models/{MODEL_NAME}"), "--movie", "--out-dir", "movie"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The film has been begun under its temporary name.
    let movie = here.join("movie");
    while !movie.exists() || names(&movie).is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "backdrop: error: interrupted\n");
    assert!(names(&movie).is_empty());
}
