//! Times: BTJD days and the calendar.
//!
//! BTJD is the Julian date in Barycentric Dynamical Time (TDB) less 2457000 days. The `TSTART` and
//! `TSTOP` of full frame images are on that scale at the spacecraft, so that `DATE-OBS` follows from
//! them without the light travel time to the barycentre.

use jiff::Timestamp;

use crate::error::{Error, Result};

/// Julian date of BTJD zero less that of 1970-01-01T00:00 UTC, in days.
const BTJD_ZERO_SINCE_1970: f64 = 2_457_000.0 - 2_440_587.5;

/// TDB - UTC, in seconds: 32.184 between TT and TAI and 37 leap seconds since 2017.
const TDB_MINUS_UTC: f64 = 69.184;

/// The UTC instant of a BTJD time, to the millisecond, as file names and `DATE-OBS` give it.
///
/// ```
/// let start = backdrop::time::utc(1_325.313_100_604_524)?;
/// assert_eq!(start.to_string(), "2018-07-25T19:29:42.708Z");
/// # Ok::<(), backdrop::error::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidArgument`] if the time is beyond the calendar.
pub fn utc(btjd: f64) -> Result<Timestamp> {
    let milliseconds = ((btjd + BTJD_ZERO_SINCE_1970) * 86_400.0 - TDB_MINUS_UTC) * 1000.0;
    Timestamp::from_millisecond(milliseconds.round() as i64)
        .map_err(|_| Error::InvalidArgument(format!("BTJD {btjd} is beyond the calendar")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utc_is_the_time_in_the_name_of_a_real_file() {
        // TSTART and DATE-OBS of tess2018206192942-s0001-1-4-0120-s_ffic.fits.
        let time = utc(1_325.313_100_604_524).unwrap();
        assert_eq!(time.to_string(), "2018-07-25T19:29:42.708Z");
        assert_eq!(time.strftime("%Y%j%H%M%S").to_string(), "2018206192942");
    }

    #[test]
    fn a_time_beyond_the_calendar_is_refused() {
        assert!(utc(1e12).unwrap_err().to_string().contains("beyond the calendar"));
    }
}
