//! Which files are the frames of one series, and in which order.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::stamp::Stamp;
use super::unreadable::{Exposure, Unreadable};
use super::{FfiHeader, Layout};
use crate::error::{Error, Result, shown};
use crate::source::Target;

/// A file of the series.
#[derive(Debug)]
pub(super) enum Member {
    /// A frame that can be read.
    Frame(FfiHeader),
    /// One that cannot.
    Bad(Bad),
}

impl Member {
    pub fn path(&self) -> &Path {
        match self {
            Self::Frame(header) => &header.path,
            Self::Bad(bad) => &bad.path,
        }
    }

    fn tstart(&self) -> Option<f64> {
        match self {
            Self::Frame(header) => Some(header.tstart),
            Self::Bad(bad) => bad.times.map(|(tstart, _)| tstart),
        }
    }
}

/// A file that is no frame of the series, but has a place in it.
#[derive(Debug)]
pub(super) struct Bad {
    pub path: PathBuf,
    pub reason: String,
    /// Start and end of the exposure, in BTJD days, if they are known and those of no other frame.
    pub times: Option<(f64, f64)>,
    pub stamp: Stamp,
}

/// Sorts the frames by start time; any file that is no frame is an error.
///
/// # Errors
/// [`Error::TooSmall`], [`Error::MixedTargets`], [`Error::MixedLayouts`] (naming the first odd file) and
/// [`Error::DuplicateFrame`].
pub(super) fn strict(headers: Vec<FfiHeader>, size: usize) -> Result<Vec<Member>> {
    let mut sorted: Vec<FfiHeader> = Vec::with_capacity(headers.len());
    for header in headers {
        check_size(&header, size)?;
        if let Some(first) = sorted.first().filter(|first| first.target != header.target) {
            return Err(Error::MixedTargets {
                first: first.path.clone(),
                first_target: first.target,
                odd: header.path,
                odd_target: header.target,
            });
        }
        if let Some(first) = sorted.first().filter(|first| first.layout != header.layout) {
            return Err(Error::MixedLayouts {
                first: first.path.clone(),
                first_layout: first.layout,
                odd: header.path,
                odd_layout: header.layout,
            });
        }
        sorted.push(header);
    }
    sorted.sort_by(|a, b| a.tstart.total_cmp(&b.tstart));
    if let Some([a, b]) = sorted.array_windows().find(|[a, b]| a.tstart == b.tstart) {
        let (first, second, tstart) = (a.path.clone(), b.path.clone(), a.tstart);
        return Err(Error::DuplicateFrame { first, second, tstart });
    }
    Ok(sorted.into_iter().map(Member::Frame).collect())
}

fn check_size(header: &FfiHeader, size: usize) -> Result<()> {
    if header.largest_cutout() < size {
        let (path, rows, columns) = (header.path.clone(), header.rows, header.columns);
        return Err(Error::TooSmall { path, rows, columns, cutout_size: size });
    }
    Ok(())
}

/// Sorts the frames of the target and pipeline that most files are of by start time, and puts the other
/// files where they belong: by their time if that is known, else behind the last of those with a time whose name
/// comes before theirs. The order of the files does not matter.
///
/// # Errors
/// [`Error::AllUnreadable`] if there is no frame.
pub(super) fn lenient(
    mut read: Vec<(PathBuf, std::result::Result<FfiHeader, Unreadable>)>,
    size: usize,
) -> Result<Vec<Member>> {
    read.sort_by(|(a, _), (b, _)| by_name(a, b));
    let headers = || read.iter().filter_map(|(_, header)| header.as_ref().ok());
    let target = most(headers().map(|header| header.target));
    let layout = most(headers().filter(|header| Some(header.target) == target).map(|header| header.layout));
    let count = read.len();

    let mut frames: Vec<FfiHeader> = Vec::with_capacity(count);
    let mut others: Vec<(Bad, Option<Exposure>)> = Vec::new();
    for (path, header) in read {
        match header {
            Ok(header) => match refusal(&header, target, layout, size) {
                None => frames.push(header),
                Some(reason) => {
                    let exposure = Some(Exposure::from(&header));
                    others.push((Bad { path, reason, times: None, stamp: header.stamp }, exposure));
                }
            },
            Err(Unreadable { reason, exposure, stamp }) => {
                others.push((Bad { path, reason, times: None, stamp }, exposure));
            }
        }
    }
    // Stable, so that of the same frame the file comes first whose name does.
    frames.sort_by(|a, b| a.tstart.total_cmp(&b.tstart));
    let mut unique: Vec<FfiHeader> = Vec::with_capacity(frames.len());
    for header in frames {
        match unique.last().filter(|last| last.tstart == header.tstart) {
            None => unique.push(header),
            Some(last) => {
                let (tstart, kept) = (last.tstart, shown(&last.path));
                let reason = format!("it is the same frame as {kept} (TSTART {tstart}): remove one of them");
                others.push((Bad { path: header.path, reason, times: None, stamp: header.stamp }, None));
            }
        }
    }
    others.sort_by(|(a, _), (b, _)| by_name(&a.path, &b.path));
    if unique.is_empty() {
        return Err(match others.into_iter().next() {
            Some((Bad { path, reason, .. }, _)) => Error::AllUnreadable { count, path, reason },
            None => Error::InvalidArgument("no files to read frames from".into()),
        });
    }
    let mut taken: Vec<(f64, f64)> = unique.iter().map(|header| (header.tstart, header.tstop)).collect();
    for (bad, exposure) in &mut others {
        let own = |exposure: &Exposure| Some(exposure.target) == target && Some(exposure.layout) == layout;
        let Some(exposure) = exposure.take().filter(own) else { continue };
        let middle = (exposure.tstart + exposure.tstop) / 2.0;
        let after = taken.partition_point(|&(tstart, _)| tstart <= middle);
        // A target pixel file asks for the frame of a time, which has to be the one that was fitted.
        if after.checked_sub(1).is_none_or(|before| taken[before].1 < middle) {
            taken.insert(after, (exposure.tstart, exposure.tstop));
            bad.times = Some((exposure.tstart, exposure.tstop));
        }
    }
    Ok(arrange(unique, others.into_iter().map(|(bad, _)| bad)))
}

/// Why a sound file is no frame of the series.
fn refusal(
    header: &FfiHeader,
    target: Option<Target>,
    layout: Option<Layout>,
    size: usize,
) -> Option<String> {
    if let Some(target) = target.filter(|target| *target != header.target) {
        return Some(format!(
            "it is of {}, but the frames are of {target}: select with --sector, --camera and --ccd",
            header.target
        ));
    }
    if let Some(layout) = layout.filter(|layout| *layout != header.layout) {
        let own = header.layout;
        return Some(format!("it is of {own}, but the frames are of {layout}: keep them apart"));
    }
    check_size(header, size).err().map(|error| error.reason(&header.path))
}

/// Puts the others, which come sorted by name, between the frames.
fn arrange(frames: Vec<FfiHeader>, others: impl Iterator<Item = Bad>) -> Vec<Member> {
    let (mut timed, others): (Vec<Member>, Vec<Member>) =
        others.map(Member::Bad).partition(|bad| bad.tstart().is_some());
    timed.extend(frames.into_iter().map(Member::Frame));
    timed.sort_by(|a, b| {
        let time = |member: &Member| member.tstart().unwrap_or(f64::NAN);
        time(a).total_cmp(&time(b))
    });
    // How many of those with a time come before each.
    let mut others: Vec<(usize, Member)> = others
        .into_iter()
        .map(|bad| {
            let earlier = timed.iter().rposition(|member| name_of(member.path()) < name_of(bad.path()));
            (earlier.map_or(0, |last| last + 1), bad)
        })
        .collect();
    // Stable, so that they stay sorted by name.
    others.sort_by_key(|(before, _)| *before);
    let mut members = Vec::with_capacity(timed.len() + others.len());
    let mut others = others.into_iter().peekable();
    for (position, member) in timed.into_iter().enumerate() {
        while let Some((_, bad)) = others.next_if(|(before, _)| *before <= position) {
            members.push(bad);
        }
        members.push(member);
    }
    members.extend(others.map(|(_, bad)| bad));
    members
}

/// The value that comes most often, the one that comes first of several.
fn most<T: PartialEq + Copy>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: Vec<(T, usize)> = Vec::new();
    for value in values {
        match counts.iter_mut().find(|(other, _)| *other == value) {
            Some((_, count)) => *count += 1,
            None => counts.push((value, 1)),
        }
    }
    // The last of several that are largest would be taken otherwise.
    counts.into_iter().rev().max_by_key(|&(_, count)| count).map(|(value, _)| value)
}

fn by_name(a: &Path, b: &Path) -> std::cmp::Ordering {
    name_of(a).cmp(name_of(b)).then_with(|| a.cmp(b))
}

/// The last part of a path.
pub(super) fn name_of(path: &Path) -> &OsStr {
    path.file_name().unwrap_or(path.as_os_str())
}
