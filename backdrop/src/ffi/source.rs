//! Frames read from full frame images, as they are asked for.

use std::fs::File;
use std::io::{self, ErrorKind, IoSliceMut, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;

use array_api::host;

use super::header::ccd_shape;
use super::series::{Bad, Member, lenient, name_of, strict};
use super::unreadable::{Unreadable, of_each};
use super::{FIRST_SCIENCE_COLUMN, FfiHeader, SCIENCE_SIZE, Storage, gzip};
use crate::error::{Error, OneLine, Result};
use crate::fits::{Image, Reader, open_regular};
use crate::quality::UNREADABLE;
use crate::source::{FrameInfo, FrameSource, OnError, Target, check_read_rows};

/// Rows that are read at once: half a megabyte, which stays in a core's cache until
/// the science columns have been taken out of it.
const ROWS_AT_ONCE: usize = 64;

/// Bytes of pixels that are read at once and worked on where they are, so that they had better stay in the cache.
const STAYS_IN_CACHE: usize = 1 << 20;

/// How [`FfiSource::open_with`] opens files.
///
/// ```
/// use backdrop::ffi::OpenOptions;
/// use backdrop::source::OnError;
///
/// let options = OpenOptions { on_error: OnError::Skip, ..OpenOptions::default() };
/// assert!(!options.verify);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenOptions {
    /// What becomes of a file that is no frame: one whose headers cannot be read, whose image is too
    /// small, that is of another target or pipeline than most files, or that holds the same frame
    /// as another (of which the first by name is kept). By default it is an error.
    pub on_error: OnError,
    /// Whether frames are checked against the keywords `CHECKSUM` and `DATASUM` of their primary
    /// header and of their image, where they have them, as they are read. By default only the data
    /// of images in tiles are, which decode to wrong pixels otherwise.
    pub verify: bool,
}

/// The frames of one sector, camera and CCD in files, sorted by start time.
///
/// No file stays open between reads. See the [module](super) for an example.
#[derive(Debug)]
pub struct FfiSource {
    target: Target,
    shape: (usize, usize),
    headers: Vec<FfiHeader>,
    places: Vec<Place>,
    frames: Vec<FrameInfo>,
    verify: bool,
}

/// What is at a position of the series.
#[derive(Debug)]
enum Place {
    /// The frame with the header at this position among the headers.
    Frame(usize),
    Bad(Bad),
}

impl FfiSource {
    /// Reads the headers of `files`, which may come in any order, and sorts them by
    /// `TSTART`. The science area is `cutout_size` x `cutout_size` pixels, or the
    /// whole CCD if that is `None`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there are no files or the cut-out size is not
    /// within 1 and [`SCIENCE_SIZE`]; as [`FfiHeader::read`] for each file;
    /// [`Error::TooSmall`], [`Error::MixedTargets`] and [`Error::MixedLayouts`] (naming the first
    /// odd file) and [`Error::DuplicateFrame`] as they say.
    pub fn open(files: Vec<PathBuf>, cutout_size: Option<usize>) -> Result<Self> {
        Self::open_with(files, cutout_size, &OpenOptions::default())
    }

    /// As [`open`](Self::open). A file that is no frame may be skipped: it stays one of the
    /// [`frames`](FrameSource::frames), with the quality [`UNREADABLE`], and is
    /// [`unreadable`](FrameSource::unreadable). Its times are NaN unless they are known from its headers
    /// and no other frame's, as are those of a file that was cut short. With a time, it comes in its
    /// turn; without, directly behind the last frame with a time whose file name comes before
    /// its own, or first (the names of both pipelines sort by time).
    ///
    /// ```
    /// use backdrop::ffi::{FfiSource, Filter, OpenOptions, find_ffis};
    /// use backdrop::quality::UNREADABLE;
    /// use backdrop::simulate::{Simulation, SimulationSettings, WriteOptions};
    /// use backdrop::source::{FrameSource, OnError};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path();
    /// let settings = SimulationSettings { frames: 2, size: 16, flagged_frames: 0, ..Default::default() };
    /// let simulation = Simulation::new(settings)?;
    /// simulation.write(dir, WriteOptions::default(), &backdrop::progress::Silent)?;
    /// let files = find_ffis(dir, &Filter::default())?;
    /// std::fs::write(&files[1], "")?;
    ///
    /// let options = OpenOptions { on_error: OnError::Skip, verify: true };
    /// let source = FfiSource::open_with(files, Some(16), &options)?;
    /// assert_eq!(source.frames()[1].quality, UNREADABLE);
    /// assert_eq!(source.unreadable(1).as_deref(), Some("the file is empty; download or copy it again"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`open`](Self::open); if files are skipped, only [`Error::InvalidArgument`], and
    /// [`Error::AllUnreadable`] if none is left.
    pub fn open_with(files: Vec<PathBuf>, cutout_size: Option<usize>, options: &OpenOptions) -> Result<Self> {
        let size = science_size(cutout_size)?;
        match options.on_error {
            OnError::Fail => {
                let headers: Result<Vec<_>> = of_each(&files, FfiHeader::read).into_iter().collect();
                Self::of_members(strict(headers?, size)?, size, options)
            }
            OnError::Skip => {
                let headers = FfiHeader::read_all(&files);
                Self::from_headers(files, headers, cutout_size, options)
            }
        }
    }

    /// As [`open_with`](Self::open_with), with what [`FfiHeader::read_all`] found in each of the files,
    /// perhaps in several processes.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with), but [`Error::Unreadable`] for what has no header;
    /// [`Error::InvalidArgument`] if there is another number of files than of `headers`.
    pub fn from_headers(
        files: Vec<PathBuf>,
        headers: Vec<std::result::Result<FfiHeader, Unreadable>>,
        cutout_size: Option<usize>,
        options: &OpenOptions,
    ) -> Result<Self> {
        let size = science_size(cutout_size)?;
        if files.len() != headers.len() {
            let (files, headers) = (files.len(), headers.len());
            return Err(Error::InvalidArgument(format!("{headers} headers for {files} files")));
        }
        let read = files.into_iter().zip(headers).map(|(path, header)| {
            let header = header.map(|header| FfiHeader { path: path.clone(), ..header });
            (path, header)
        });
        let members = match options.on_error {
            OnError::Fail => {
                let headers: Result<Vec<_>> = read
                    .map(|(path, header)| {
                        header.map_err(|Unreadable { reason, .. }| Error::Unreadable { path, reason })
                    })
                    .collect();
                strict(headers?, size)?
            }
            OnError::Skip => lenient(read.collect(), size)?,
        };
        Self::of_members(members, size, options)
    }

    fn of_members(members: Vec<Member>, size: usize, options: &OpenOptions) -> Result<Self> {
        let mut headers: Vec<FfiHeader> = Vec::with_capacity(members.len());
        let mut places = Vec::with_capacity(members.len());
        let mut frames = Vec::with_capacity(members.len());
        for member in members {
            let ((tstart, tstop), quality) = match &member {
                Member::Frame(header) => ((header.tstart, header.tstop), header.quality),
                Member::Bad(bad) => (bad.times.unwrap_or((f64::NAN, f64::NAN)), UNREADABLE),
            };
            let name = OneLine(name_of(member.path()).to_string_lossy()).to_string();
            frames.push(FrameInfo { name, tstart, tstop, quality });
            match member {
                Member::Frame(header) => {
                    places.push(Place::Frame(headers.len()));
                    headers.push(header);
                }
                Member::Bad(bad) => places.push(Place::Bad(bad)),
            }
        }
        let Some(target) = headers.first().map(|header| header.target) else {
            return Err(Error::InvalidArgument("no files to read frames from".into()));
        };
        Ok(Self { target, shape: (size, size), headers, places, frames, verify: options.verify })
    }

    /// The headers of the readable files, in the order of [`frames`](FrameSource::frames).
    #[must_use]
    pub fn headers(&self) -> &[FfiHeader] {
        &self.headers
    }
}

/// Where in a file the pixels begin, if they can be read as they are there.
fn plain_at(header: &FfiHeader) -> Option<u64> {
    header.plain_at.filter(|_| header.storage == Storage::Plain)
}

/// Whether a byte of a file can be had without waiting for the disk.
#[cfg(target_os = "linux")]
fn is_in_memory(file: &File, at: u64) -> bool {
    let mut byte = [0];
    let flags = rustix::io::ReadWriteFlags::NOWAIT;
    rustix::io::preadv2(file, &mut [IoSliceMut::new(&mut byte)], at, flags).is_ok()
}

/// Rows and columns of the science area for a cut-out size.
fn science_size(cutout_size: Option<usize>) -> Result<usize> {
    let size = cutout_size.unwrap_or(SCIENCE_SIZE);
    if !(1..=SCIENCE_SIZE).contains(&size) {
        let message = format!("a cut-out of {size} pixels: give 1 to {SCIENCE_SIZE}");
        return Err(Error::InvalidArgument(message));
    }
    Ok(size)
}

impl FrameSource for FfiSource {
    fn target(&self) -> Target {
        self.target
    }

    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn frames(&self) -> &[FrameInfo] {
        &self.frames
    }

    /// As the trait says; pixels that the file marks as undefined are NaN.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Fits`], [`Error::Truncated`] if the file cannot be
    /// read; [`Error::Checksum`] if it is damaged; [`Error::Changed`] if it is no longer what it was
    /// when it was opened; [`Error::Unreadable`] if that was not possible.
    fn read(&self, index: usize, out: &mut [f32]) -> Result<()> {
        self.read_rows(index, 0..self.shape.0, out)
    }

    /// As the trait says, and [`read`](Self::read); of a file that is not compressed, only these
    /// rows are read. Checksums that are to be [verified](OpenOptions::verify) are when the rows
    /// begin with the first, so that a frame that is read in parts is checked once.
    fn read_rows(&self, index: usize, rows: Range<usize>, out: &mut [f32]) -> Result<()> {
        check_read_rows(self, index, &rows, out)?;
        let header = match &self.places[index] {
            Place::Frame(position) => &self.headers[*position],
            Place::Bad(Bad { path, reason, .. }) => {
                return Err(Error::Unreadable { path: path.clone(), reason: reason.clone() });
            }
        };
        let verify = self.verify && rows.start == 0;
        let read = match plain_at(header).filter(|_| !verify) {
            Some(start) => read_plain(header, start, (rows, self.shape.1), out),
            None => {
                header.stamp.check(&header.path)?;
                let read = read_whole(header, (rows, self.shape.1), verify, out);
                header.stamp.check(&header.path)?;
                read
            }
        };
        if read.is_err() {
            // If the file is no longer what it was, that is the reason.
            header.stamp.check(&header.path)?;
        }
        read
    }

    /// Those of files that are not compressed are, unless checksums are to be [verified](OpenOptions::verify).
    fn reads_parts(&self, index: usize) -> bool {
        match self.places.get(index) {
            Some(Place::Frame(position)) => !self.verify && plain_at(&self.headers[*position]).is_some(),
            _ => false,
        }
    }

    /// Has Linux read the image of a file that is not compressed into the page cache, if it is not there.
    fn will_read(&self, index: usize) {
        #[cfg(target_os = "linux")]
        if let Some(Place::Frame(position)) = self.places.get(index)
            && let header = &self.headers[*position]
            && let Some(start) = plain_at(header)
            && let Ok((file, _)) = open_regular(&header.path)
        {
            let bytes = (self.shape.0 * header.columns * size_of::<f32>()) as u64;
            // To ask for all of a file that is in memory takes some percent of the time that reading it does.
            let places = [start, start + bytes / 2, start + bytes.saturating_sub(1)];
            if !places.into_iter().all(|at| is_in_memory(&file, at)) {
                let advice = rustix::fs::Advice::WillNeed;
                // Where it cannot, reading takes longer.
                let _ = rustix::fs::fadvise(file, start, std::num::NonZero::new(bytes), advice);
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = index;
    }

    fn unreadable(&self, index: usize) -> Option<String> {
        match self.places.get(index)? {
            Place::Frame(_) => None,
            Place::Bad(bad) => Some(OneLine(&bad.reason).to_string()),
        }
    }

    /// A hash of the file's size and time of modification when its header was read.
    fn stamp(&self, index: usize) -> u64 {
        match self.places.get(index) {
            Some(Place::Frame(position)) => self.headers[*position].stamp.hash(),
            Some(Place::Bad(bad)) => bad.stamp.hash(),
            None => 0,
        }
    }
}

/// Reads some rows and the first columns of the science area from a file that all of has to be read, or looked at.
fn read_whole(header: &FfiHeader, part: (Range<usize>, usize), verify: bool, out: &mut [f32]) -> Result<()> {
    if header.storage == Storage::Gzip {
        let length = usize::try_from(header.image_end).unwrap_or(usize::MAX);
        let bytes = gzip::intact_bytes(&header.path, length)?;
        read_science(&mut Reader::open_bytes(&header.path, &bytes)?, header, part, verify, out)
    } else {
        read_science(&mut Reader::open(&header.path)?, header, part, verify, out)
    }
}

/// Reads some rows and the first `columns` columns of the science area from a file whose pixels are
/// known to be single precision numbers from `start` on, as long as the file has not changed.
fn read_plain(
    header: &FfiHeader,
    start: u64,
    (rows, columns): (Range<usize>, usize),
    out: &mut [f32],
) -> Result<()> {
    let (mut file, metadata) = open_regular(&header.path)?;
    header.stamp.check_as(&metadata, &header.path)?;
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::UnexpectedEof => {
            Error::Truncated { path: header.path.clone(), declared: header.image_end, actual: metadata.len() }
        }
        _ => Error::io(&header.path)(error),
    };
    let row_bytes = header.columns * size_of::<f32>();
    file.seek(SeekFrom::Start(start + (rows.start * row_bytes) as u64)).map_err(failed)?;
    if size_of_val(out) <= STAYS_IN_CACHE {
        read_into_place(&mut file, header.columns, columns, out).map_err(failed)?;
    } else {
        let mut buffer = host::zeros(ROWS_AT_ONCE.min(rows.len()) * row_bytes)?;
        for out in out.chunks_mut(ROWS_AT_ONCE * columns) {
            let buffer = &mut buffer[..out.len() / columns * row_bytes];
            file.read_exact(buffer).map_err(failed)?;
            let science = FIRST_SCIENCE_COLUMN..FIRST_SCIENCE_COLUMN + columns;
            host::big_endian_columns(buffer, header.columns, science, out)?;
        }
    }
    if header.scale != 1.0 {
        out.iter_mut().for_each(|out| *out = scaled(*out, header.scale));
    }
    header.stamp.check_as(&file.metadata().map_err(failed)?, &header.path)
}

/// Reads the science columns of rows of `length` pixels to where they are wanted.
fn read_into_place(file: &mut File, length: usize, columns: usize, out: &mut [f32]) -> io::Result<()> {
    let before = FIRST_SCIENCE_COLUMN * size_of::<f32>();
    let between = (length - columns) * size_of::<f32>();
    file.seek_relative(before as i64)?;
    let mut rest = vec![0; ROWS_AT_ONCE.min(out.len() / columns) * between];
    for out in out.chunks_mut(ROWS_AT_ONCE * columns) {
        let ends = out.len() / columns;
        let rows = bytemuck::cast_slice_mut(out).chunks_mut(columns * size_of::<f32>());
        let parts = rows.zip(rest.chunks_mut(between)).flat_map(|(row, rest)| [row, rest]);
        let mut slices: Vec<IoSliceMut> = parts.take(2 * ends - 1).map(IoSliceMut::new).collect();
        let mut slices = &mut slices[..];
        while !slices.is_empty() {
            match file.read_vectored(slices) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => IoSliceMut::advance_slices(&mut slices, read),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        file.seek_relative(between as i64)?;
        host::big_endian_in_place(out);
    }
    Ok(())
}

/// A pixel in electrons/s.
fn scaled(value: f32, scale: f64) -> f32 {
    (f64::from(value) * scale) as f32
}

/// Reads some rows and the first `columns` columns of the science area from an open file.
fn read_science(
    reader: &mut Reader,
    header: &FfiHeader,
    (rows, columns): (Range<usize>, usize),
    verify: bool,
    out: &mut [f32],
) -> Result<()> {
    if verify && header.hdu > 0 {
        reader.select(0)?;
        reader.check_sums()?;
    }
    let same_shape = |image: &Image| ccd_shape(image) == Ok((header.rows, header.columns));
    let image = if header.hdu < reader.hdus() {
        reader.select(header.hdu)?;
        reader.image()?.filter(same_shape)
    } else {
        None
    };
    let Some(image) = image else {
        let change = "its image was replaced by another".into();
        return Err(Error::Changed { path: header.path.clone(), change });
    };
    if verify {
        reader.check_sums()?;
    } else if image.compressed {
        // Decoding does not notice wrong data, which give wrong pixels, so this has to.
        reader.check_sum()?;
    }
    if image.compressed {
        reader.check_tiles()?;
    }
    // A plain image of floating point numbers marks undefined pixels by NaN itself.
    let undefined = (!image.floating || image.compressed).then_some(f32::NAN);
    let mut buffer = host::zeros(ROWS_AT_ONCE.min(rows.len()) * header.columns)?;
    for (chunk, out) in out.chunks_mut(ROWS_AT_ONCE * columns).enumerate() {
        let first = (rows.start + chunk * ROWS_AT_ONCE) * header.columns;
        let buffer = &mut buffer[..out.len() / columns * header.columns];
        reader.pixels(first as u64, undefined, buffer)?;
        for (out, row) in out.chunks_exact_mut(columns).zip(buffer.chunks_exact(header.columns)) {
            let science = &row[FIRST_SCIENCE_COLUMN..][..columns];
            if header.scale == 1.0 {
                out.copy_from_slice(science);
            } else {
                for (out, &value) in out.iter_mut().zip(science) {
                    *out = scaled(value, header.scale);
                }
            }
        }
    }
    Ok(())
}
