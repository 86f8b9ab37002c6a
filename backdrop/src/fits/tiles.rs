//! What is in the tiles of a compressed image (FITS standard, section 10), looked at before CFITSIO
//! decodes it.
//!
//! CFITSIO believes what tiles say: it takes as much memory as one unpacks to, reads the numbers of a
//! larger type from a smaller tile, and follows a Rice code beyond its end. A file whose `DATASUM` is
//! right can still have been made so.

use std::ffi::c_int;
use std::io::Read;
use std::sync::OnceLock;

use fitsio::sys;
use flate2::{Decompress, FlushDecompress, Status};

use super::{Field, Reader};
use crate::error::{Error, Result};

/// Room for what a tile is unpacked to, part by part.
const PART: usize = 64 << 10;

unsafe extern "C" {
    /// Fills the table of random numbers for dithered tiles. CFITSIO does so at the first use, but
    /// lets other threads see the table before it is filled.
    fn fits_init_randoms() -> c_int;
}

/// How the tiles of an image are packed.
struct Packing {
    /// The lengths of the axes of the image and of its tiles, `ZNAXIS1` first.
    axes: Vec<(u64, u64)>,
    /// Bytes of a number, of Rice compression, and the numbers of a block; else gzip.
    rice: Option<(u32, u64)>,
    /// Bytes that a tile may have for each pixel once it is unpacked by gzip.
    gzip: Vec<u64>,
    /// Bytes of a real number that was not made an integer first.
    real: u64,
}

impl Packing {
    fn of(reader: &Reader) -> Self {
        let number = |keyword: &str| reader.number::<u64>(keyword);
        // The header was found sound, see `layout`.
        let axes = (1..=number("ZNAXIS").unwrap_or(0)).map(|axis| {
            let length = number(&format!("ZNAXIS{axis}")).unwrap_or(1).max(1);
            let default = if axis == 1 { length } else { 1 };
            (length, number(&format!("ZTILE{axis}")).unwrap_or(default).clamp(1, length))
        });
        let bitpix: i64 = reader.number("ZBITPIX").unwrap_or(8);
        let real = bitpix.unsigned_abs() / 8;
        let scaled = reader.text("ZQUANTIZ").as_deref() != Some("NONE")
            && ["ZSCALE", "ZZERO"].into_iter().any(|column| reader.column_number(column).is_some());
        let rice = (reader.text("ZCMPTYPE").as_deref() == Some("RICE_1")).then(|| {
            let old = reader.text("ZNAME2").as_deref() == Some("NOISEBIT");
            let bytes = if old { None } else { reader.number("ZVAL2") };
            (bytes.unwrap_or(4), number("ZVAL1").unwrap_or(32))
        });
        let gzip = if bitpix < 0 && !scaled { vec![real] } else { vec![1, 2, 4] };
        Self { axes: axes.collect(), rice, gzip, real }
    }

    /// Pixels of the tile in a row of the table, counted from 0.
    fn pixels(&self, mut row: u64) -> u64 {
        self.axes.iter().fold(1, |pixels, &(length, tile)| {
            let across = length.div_ceil(tile);
            let first = row % across * tile;
            row /= across;
            pixels * tile.min(length - first)
        })
    }

    fn tiles(&self) -> u64 {
        self.axes.iter().map(|(length, tile)| length.div_ceil(*tile)).product()
    }
}

impl Reader<'_> {
    /// Checks the tiles of the current HDU, a compressed image: each is found to unpack to its pixels,
    /// in memory that is no more than the tile is in the file.
    ///
    /// # Errors
    /// [`Error::Fits`] if one does not.
    pub fn check_tiles(&mut self) -> Result<()> {
        static RANDOMS: OnceLock<c_int> = OnceLock::new();
        // SAFETY: it takes nothing and may be called by any thread.
        RANDOMS.get_or_init(|| unsafe { fits_init_randoms() });
        let packing = Packing::of(self);
        let packed = self.field("COMPRESSED_DATA")?;
        let (unpacked, zipped) =
            (self.field("UNCOMPRESSED_DATA").ok(), self.field("GZIP_COMPRESSED_DATA").ok());
        for field in [Some(&packed), zipped.as_ref()].into_iter().flatten() {
            if field.kind != -(sys::TBYTE as c_int) {
                return Err(self.refused("its tiles are not of bytes"));
            }
        }
        let (mut bytes, mut unzip) = (Vec::new(), Unzip::new());
        for row in 0..packing.tiles() {
            let wrong = |what: &str| self.refused(&format!("tile {} {what}", row + 1));
            let pixels = packing.pixels(row);
            let sound = if self.tile(&packed, row, &mut bytes)? > 0 {
                match packing.rice {
                    Some((width, block)) => is_rice(&bytes, pixels, block, width),
                    None => {
                        let size = unzip.size(&bytes, 8 * pixels);
                        packing.gzip.iter().any(|width| size == width * pixels)
                    }
                }
            } else if let Some(unpacked) = &unpacked {
                // As many numbers as it says are read, room for the pixels or not.
                self.descriptor(unpacked, row)?.is_some_and(|count| count <= pixels)
            } else if let Some(zipped) = &zipped {
                self.tile(zipped, row, &mut bytes)?;
                unzip.size(&bytes, 8 * pixels) == packing.real * pixels
            } else {
                false
            };
            if !sound {
                return Err(wrong(
                    "does not hold its pixels; the file is damaged, download or copy it again",
                ));
            }
        }
        Ok(())
    }

    /// How many elements a row of a column of variable length says it has, if that is a number.
    fn descriptor(&self, field: &Field, row: u64) -> Result<Option<u64>> {
        let (mut length, mut offset) = (0, 0);
        let row = sys::LONGLONG::try_from(row + 1).unwrap_or(sys::LONGLONG::MAX);
        self.handle.call(&self.cannot("find a tile"), |file, status| {
            // SAFETY: addresses of 64-bit integers.
            unsafe { sys::ffgdesll(file, field.number, row, &mut length, &mut offset, status) };
        })?;
        Ok(u64::try_from(length).ok())
    }

    /// Reads the bytes of a tile, as many as are given back.
    fn tile(&self, field: &Field, row: u64, bytes: &mut Vec<u8>) -> Result<u64> {
        let claimed = self.descriptor(field, row)?;
        let Some(count) = claimed.filter(|count| *count <= self.size()) else {
            return Err(self.refused(&format!("tile {} has an impossible size", row + 1)));
        };
        bytes.clear();
        let room = usize::try_from(count).unwrap_or(usize::MAX);
        bytes.try_reserve_exact(room).map_err(|_| Error::out_of_memory(room))?;
        bytes.resize(room, 0);
        if count > 0 {
            self.handle.call(&self.cannot("read a tile"), |file, status| {
                let (row, count, mut any) = (row as sys::LONGLONG + 1, count as sys::LONGLONG, 0);
                let null = std::ptr::null_mut();
                // SAFETY: `bytes` has room for `count` bytes; the null pointer says that undefined
                // ones are not asked for.
                unsafe {
                    let out = bytes.as_mut_ptr().cast();
                    let kind = sys::TBYTE as c_int;
                    sys::ffgcv(file, kind, field.number, row, 1, count, null, out, &mut any, status);
                }
            })?;
        }
        Ok(count)
    }
}

/// Finds out what gzip streams unpack to.
struct Unzip {
    inflate: Decompress,
    part: Vec<u8>,
}

impl Unzip {
    fn new() -> Self {
        Self { inflate: Decompress::new(false), part: vec![0; PART] }
    }

    /// Bytes that a stream unpacks to, or 0 if it is damaged or they are more than `most`. Its own
    /// sum is left for CFITSIO to check.
    fn size(&mut self, stream: &[u8], most: u64) -> u64 {
        // The header without any of its options, as all that write tiles write it.
        let [0x1f, 0x8b, 8, 0, _, _, _, _, _, _, body @ ..] = stream else {
            let mut decoder = flate2::bufread::GzDecoder::new(stream).take(most + 1);
            let size = std::io::copy(&mut decoder, &mut std::io::sink());
            return size.ok().filter(|size| *size <= most).unwrap_or(0);
        };
        self.inflate.reset(false);
        loop {
            let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
            let rest = usize::try_from(read).ok().and_then(|read| body.get(read..)).unwrap_or_default();
            let status = self.inflate.decompress(rest, &mut self.part, FlushDecompress::None);
            let size = self.inflate.total_out();
            match status {
                Ok(_) if size > most => return 0,
                Ok(Status::StreamEnd) => return size,
                Ok(_) if (self.inflate.total_in(), size) != (read, written) => {}
                _ => return 0,
            }
        }
    }
}

/// Whether a Rice code (White & Becker 1998; FITS standard, section 10.4.1) of numbers of `width` bytes
/// has so many numbers, in blocks of `block`, before it ends.
fn is_rice(code: &[u8], numbers: u64, block: u64, width: u32) -> bool {
    rice(code, numbers, block, width).is_some()
}

fn rice(code: &[u8], numbers: u64, block: u64, width: u32) -> Option<()> {
    // Bits of the number that says how a block is coded, and its value for numbers as they are.
    let (selector, plain): (i64, i64) = match width {
        1 => (3, 6),
        2 => (4, 14),
        _ => (5, 25),
    };
    let mut rest = code.get(width as usize..)?.iter();
    let mut next = || rest.next().copied().map(u32::from);
    // The bits that were read but not used.
    let mut buffer = next()?;
    let mut bits: i64 = 8;
    let mut left = numbers;
    while left > 0 {
        bits -= selector;
        while bits < 0 {
            buffer = buffer << 8 | next()?;
            bits += 8;
        }
        let kind = i64::from(buffer >> bits) - 1;
        buffer &= (1 << bits) - 1;
        let count = block.min(left);
        left -= count;
        if kind == plain {
            for _ in 0..count {
                let mut wanted = i64::from(8 * width) - bits - 8;
                while wanted >= 0 {
                    next()?;
                    wanted -= 8;
                }
                buffer = if bits > 0 { next()? & ((1 << bits) - 1) } else { 0 };
            }
        } else if kind >= 0 {
            for _ in 0..count {
                while buffer == 0 {
                    buffer = next()?;
                }
                // The bits down to the first that is one, then as many as the kind says.
                bits = i64::from(buffer.ilog2());
                buffer ^= 1 << bits;
                bits -= kind;
                while bits < 0 {
                    buffer = buffer << 8 | next()?;
                    bits += 8;
                }
                buffer &= (1 << bits) - 1;
            }
        }
    }
    Some(())
}
