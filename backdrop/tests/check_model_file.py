#!/usr/bin/env python3
"""Checks with astropy that a saved model is a FITS file as other programs expect it.

usage: check_model_file.py FILE

Exits with status 1 and one line when something is off: the file is malformed or a
checksum is wrong, a header-data unit is missing or has another name, an array has
another type or a shape that contradicts the others.
"""

import sys
import warnings

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

NAMES = ["PRIMARY", "TIME", "WEIGHTS1", "WEIGHTS2", "JITTER", "BKG", "AVGFRAME"]
OURS = ["JITPIX", "BKGPIX", "FILES", "MASKS", "NOISE"]
INTEGERS = ["SECTOR", "CAMERA", "CCD", "CUTSIZE", "STRPPOLY", "NKNOTS", "SEED"]
INTEGERS += ["QUALMASK", "AVGMASK", "NINPUTS"]
TEXTS = ["ORIGIN", "VERSION", "PRESET", "DESIGN1", "DESIGN2", "BACKEND"]


def require(condition, message):
    """Ends the program with `message` unless `condition` holds."""
    if not condition:
        sys.exit(f"{sys.argv[1]}: {message}")


def check(hdul):
    """Checks an open file against the layout."""
    hdul.verify("exception")
    names = [hdu.name for hdu in hdul]
    require(names == NAMES + OURS, f"the header-data units are {names}")
    for hdu in hdul:
        for keyword in ("CHECKSUM", "DATASUM"):
            require(keyword in hdu.header, f"{hdu.name} has no {keyword}")
        require(hdu.verify_checksum() == 1, f"{hdu.name} has a wrong CHECKSUM")
        require(hdu.verify_datasum() == 1, f"{hdu.name} has a wrong DATASUM")

    header = hdul[0].header
    for keyword, kind in [(k, int) for k in INTEGERS] + [(k, str) for k in TEXTS]:
        require(isinstance(header.get(keyword), kind), f"{keyword} is {header.get(keyword)!r}")
        require(header.comments[keyword], f"{keyword} has no comment")

    time = hdul["TIME"]
    require(time.columns.names == ["tstart", "tstop", "quality"], f"TIME has {time.columns.names}")
    require(time.columns.formats == ["D", "D", "D"], f"TIME has formats {time.columns.formats}")
    require(time.columns.units == ["d", "d", ""], f"TIME has units {time.columns.units}")
    frames = len(time.data)
    require(np.all(np.diff(time.data["tstart"]) >= 0), "TIME is not sorted by tstart")
    require(np.all(time.data["tstop"] >= time.data["tstart"]), "an exposure ends before it starts")

    for name in ["WEIGHTS1", "WEIGHTS2", "JITTER", "BKG", "AVGFRAME"]:
        require(hdul[name].header["BITPIX"] == -64, f"{name} is not f64")
        require(hdul[name].data.ndim == 2, f"{name} is no matrix")
    for name in ["WEIGHTS1", "WEIGHTS2", "JITTER", "BKG"]:
        rows = len(hdul[name].data)
        require(rows == frames, f"{name} has {rows} rows, TIME {frames}")
    frame = hdul["AVGFRAME"].data.shape
    require(frame[0] == header["CUTSIZE"], f"AVGFRAME has {frame}, CUTSIZE is {header['CUTSIZE']}")
    require(hdul["AVGFRAME"].header["BUNIT"] == "electrons/s", "AVGFRAME has another unit")
    masks = hdul["MASKS"]
    require(masks.data.shape == frame, f"MASKS has {masks.data.shape}, AVGFRAME {frame}")
    require(masks.header["BITPIX"] == 8 and masks.data.max(initial=0) <= 3, "MASKS has unknown bits")

    for name in ["JITPIX", "BKGPIX"]:
        table = hdul[name]
        require(table.columns.names == ["row", "column"], f"{name} has {table.columns.names}")
        for axis, column in enumerate(["row", "column"]):
            values = table.data[column]
            require(np.all((values >= 0) & (values < frame[axis])), f"{name} has a pixel outside")
    noise = hdul["NOISE"]
    require(noise.columns.names == ["scatter"], f"NOISE has {noise.columns.names}")
    require(noise.columns.units == ["electrons/s"], f"NOISE has units {noise.columns.units}")
    require(len(noise.data) == frames, f"NOISE has {len(noise.data)} rows, TIME {frames}")
    files = hdul["FILES"].data["name"]
    require(len(files) == header["NINPUTS"], f"FILES has {len(files)} names")

    fitted = np.isfinite(hdul["WEIGHTS1"].data).all(axis=1).sum()
    return f"sector {header['SECTOR']}, camera {header['CAMERA']}, CCD {header['CCD']}: " \
        f"{frames} frames, {fitted} fitted"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    # A wrong checksum is a warning to astropy, and so is a header that is not quite right.
    warnings.simplefilter("error", AstropyWarning)
    try:
        with fits.open(sys.argv[1], checksum=True) as hdul:
            print(f"{sys.argv[1]}: {check(hdul)}")
    except (OSError, ValueError, KeyError, TypeError, AstropyWarning, fits.VerifyError) as error:
        sys.exit(f"{sys.argv[1]}: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
