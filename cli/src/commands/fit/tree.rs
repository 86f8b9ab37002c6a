//! `backdrop fit --tree`: all CCDs below a directory.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use array_api::Device;
use backdrop::ffi::target_of_name;
use backdrop::file::{Format, file_name};
use backdrop::fit::{Checkpoint, FitOptions};
use backdrop::source::Target;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Ccd, find_files};
use crate::args::Fit;
use crate::failure::Failure;
use crate::interrupt;
use crate::output;
use crate::progress::Bar;
use crate::ranks::World;

/// What became of a CCD.
#[derive(Serialize, Deserialize)]
struct Outcome {
    sector: u32,
    camera: u8,
    ccd: u8,
    /// Files that were found.
    files: usize,
    /// Frames that were fitted.
    fitted: usize,
    /// Frames that could not be read.
    skipped: usize,
    seconds: f64,
    what: What,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// The model is at this path.
    Done(PathBuf),
    /// A model was there already.
    There(PathBuf),
    /// Why there is none.
    Failed(String),
    /// The program was asked to stop before.
    NotDone,
}

/// Fits all CCDs. Ranks form groups, each of which fits one CCD after another.
pub(super) fn run(
    args: &Fit,
    dir: &Path,
    options: &FitOptions,
    (device, world, bar): (&Device, &World, &Bar),
) -> Result<(), Failure> {
    let files = find_files(args, dir, world)?;
    let ccds = longest_first(files);
    let (rank, size) = (world.ranks().rank(), world.ranks().size());
    let groups = ccds.len().min(size);
    let number = rank * groups / size;
    let outcomes = {
        // Gone before all ranks come together again.
        let group = world.split(number)?;
        let mut outcomes = Vec::new();
        for (target, files) in share(ccds, groups).swap_remove(number) {
            let ccd = Ccd { args, options, device, world: &group, bar };
            outcomes.push(outcome(&ccd, target, files));
        }
        if group.is_first() { outcomes } else { Vec::new() }
    };
    let mut outcomes: Vec<Outcome> = world.all_of(outcomes)?.into_iter().flatten().collect();
    outcomes.sort_by_key(|done| (done.sector, done.camera, done.ccd));
    world.agree(if world.is_first() { print(args, &outcomes) } else { Ok(()) })?;
    world.agree(end(&outcomes))
}

/// The files of each CCD, that with most files first.
fn longest_first(files: Vec<PathBuf>) -> Vec<(Target, Vec<PathBuf>)> {
    let mut ccds: BTreeMap<Target, Vec<PathBuf>> = BTreeMap::new();
    for path in files {
        // Only names that tell are found.
        if let Some(target) = target_of_name(&path) {
            ccds.entry(target).or_default().push(path);
        }
    }
    let mut ccds: Vec<_> = ccds.into_iter().collect();
    // Stable: those with as many files stay in order.
    ccds.sort_by_key(|(_, files)| Reverse(files.len()));
    ccds
}

/// Which CCDs each group fits: each goes to the group that has fewest files so far (Graham's rule of
/// the longest processing time first).
fn share(ccds: Vec<(Target, Vec<PathBuf>)>, groups: usize) -> Vec<Vec<(Target, Vec<PathBuf>)>> {
    let mut shares: Vec<(usize, Vec<_>)> = (0..groups.max(1)).map(|_| (0, Vec::new())).collect();
    for ccd in ccds {
        if let Some((files, share)) = shares.iter_mut().min_by_key(|(files, _)| *files) {
            *files += ccd.1.len();
            share.push(ccd);
        }
    }
    shares.into_iter().map(|(_, share)| share).collect()
}

/// Fits a CCD, whatever comes of it.
fn outcome(ccd: &Ccd, target: Target, files: Vec<PathBuf>) -> Outcome {
    let Target { sector, camera, ccd: number } = target;
    let (start, count) = (Instant::now(), files.len());
    let mut fitted = (0, 0);
    let path = ccd.args.out_dir.join(file_name(target, Format::from(ccd.args.format)));
    let there = ccd.world.of_first(|| {
        let unfinished = Checkpoint::beside(&path, ccd.args.restart).exists();
        Ok(!ccd.args.overwrite && !unfinished && path.symlink_metadata().is_ok())
    });
    let what = match there {
        Ok(true) => What::There(path),
        // The ranks of a group may not be told to stop all at the same time.
        Ok(false) => match ccd.world.agree(interrupt::check()).and_then(|()| ccd.fit(files)) {
            Ok(Some(done)) => {
                fitted = (done.report.fitted, done.report.unreadable.len());
                What::Done(done.path)
            }
            Ok(None) => What::Done(path),
            Err(Failure::Interrupted | Failure::Stopped(_)) => What::NotDone,
            Err(failure) => What::Failed(failure.to_string()),
        },
        Err(failure) => What::Failed(failure.to_string()),
    };
    let (fitted, skipped) = fitted;
    let seconds = start.elapsed().as_secs_f64();
    Outcome { sector, camera, ccd: number, files: count, fitted, skipped, seconds, what }
}

/// A table of what was done, skipped and failed.
fn print(args: &Fit, outcomes: &[Outcome]) -> Result<(), Failure> {
    let mut table = "  sector  camera  ccd   files  fitted  skipped  seconds\n".to_owned();
    for Outcome { sector, camera, ccd, files, fitted, skipped, seconds, what } in outcomes {
        let what = match what {
            What::Done(path) => path.display().to_string(),
            What::There(path) => format!("there already: {}", path.display()),
            What::Failed(reason) => format!("failed: {reason}"),
            What::NotDone => "interrupted: run the same command again to go on".to_owned(),
        };
        table += &format!(
            "  {sector:6}  {camera:6}  {ccd:3}  {files:6}  {fitted:6}  {skipped:7}  {seconds:7.1}  {what}\n"
        );
    }
    output::result(args.speech.json, &table, &json!({ "ccds": outcomes }))
}

/// How the program ends.
fn end(outcomes: &[Outcome]) -> Result<(), Failure> {
    let count = |which: fn(&What) -> bool| outcomes.iter().filter(|outcome| which(&outcome.what)).count();
    let failed = count(|what| matches!(what, What::Failed(_)));
    let not_done = count(|what| matches!(what, What::NotDone));
    let skipped: usize = outcomes.iter().map(|outcome| outcome.skipped).sum();
    if not_done > 0 {
        return Err(Failure::Stopped(format!(
            "interrupted; {} not done: run the same command again to go on",
            output::count(not_done, "CCD")
        )));
    }
    if failed > 0 {
        return Err(Failure::Data(format!("{} of {} failed", failed, output::count(outcomes.len(), "CCD"))));
    }
    if skipped > 0 { Err(Failure::Skipped(skipped)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_goes_to_the_group_with_least() {
        let target = |ccd| Target { sector: 1, camera: 1, ccd };
        let files = |count| vec![PathBuf::new(); count];
        let ccds =
            vec![(target(3), files(7)), (target(1), files(5)), (target(2), files(4)), (target(4), files(1))];
        let names = |groups| -> Vec<Vec<u8>> {
            let share = share(ccds.clone(), groups);
            share.into_iter().map(|group| group.into_iter().map(|(target, _)| target.ccd).collect()).collect()
        };
        assert_eq!(names(1), [vec![3, 1, 2, 4]]);
        assert_eq!(names(2), [vec![3, 4], vec![1, 2]]);
        assert_eq!(names(4), [vec![3], vec![1], vec![2], vec![4]]);
    }

    #[test]
    fn files_are_told_apart_by_their_names() {
        let file = |sector, ccd, time| {
            PathBuf::from(format!("a/tess{time:013}-s{sector:04}-1-{ccd}-0144-s_ffic.fits"))
        };
        let ccds = longest_first(vec![file(2, 1, 1), file(1, 3, 1), file(1, 3, 2), file(1, 2, 5)]);
        let found: Vec<(u32, u8, usize)> =
            ccds.iter().map(|(target, files)| (target.sector, target.ccd, files.len())).collect();
        assert_eq!(found, [(1, 3, 2), (1, 2, 1), (2, 1, 1)]);
    }
}
