#!/usr/bin/env python3
"""Checks that `backdrop correct` takes the model off cut-outs at the right pixels and times.

usage: check_cut_outs.py BACKDROP DIR

DIR holds simulated frames of sector 12, camera 1, CCD 3 in `frames`, and the model fitted to
them. astrocut makes a cube and cut-outs of them; what BACKDROP, the program, makes of these is
compared with the frames and with the model as `backdrop model` gives it, to the last bit but
one of single precision, and opened with lightkurve.

Exits with status 1 and one line when something is off.
"""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS, FITSFixedWarning

with warnings.catch_warnings():
    # They warn of optional packages and of parts of astropy that will go.
    warnings.simplefilter("ignore")
    import astrocut
    import lightkurve
    from astrocut import CubeFactory, CutoutFactory

MODEL = "tessbackdrop_sector12_camera1_ccd3.fits"
# The first column of an FFI with sky, counted from 0.
FIRST_COLUMN = 44
SIZE = 128
# Centres (column and row of the FFI, counted from 0) and sizes (columns, rows): within the
# frame, over its lower edge, and over the margin on its left.
CUT_OUTS = {
    "within": ((104, 50), (11, 11)),
    "edge": ((164, 3), (9, 13)),
    "margin": ((46, 100), (10, 10)),
}
# What a correction changes.
COLUMNS = {"FLUX", "FLUX_BKG"}
KEYWORDS = {"BACKAPP", "BKGMODEL", "CHECKSUM", "DATASUM", "HISTORY"}


def require(condition, message):
    """Ends the program with `message` unless `condition` holds."""
    if not condition:
        sys.exit(f"check_cut_outs.py: {message}")


def same(a, b):
    """Whether two arrays are the same up to a rounding in single precision."""
    a, b = np.float32(a), np.float32(b)
    nans = np.isnan(a)
    if not np.array_equal(nans, np.isnan(b)):
        return False
    return bool(np.all(np.abs(a - b)[~nans] <= np.spacing(np.abs(b))[~nans]))


def run(program, *args):
    """What the program prints, which is JSON."""
    done = subprocess.run([program, *map(str, args), "--json"], capture_output=True, text=True)
    require(done.returncode == 0, f"backdrop {args[0]}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def cut(work, ffis):
    """Makes the cut-outs: the path of each, and its first FFI column and row."""
    cube = CubeFactory().make_cube([str(ffi) for ffi in ffis], str(work / "cube.fits"), sector=12, verbose=False)
    sky = WCS(fits.getheader(ffis[0], 1))
    cut_outs = {}
    for name, (centre, size) in CUT_OUTS.items():
        factory = CutoutFactory()
        path = factory.cube_cut(
            cube, sky.pixel_to_world(*centre), size, target_pixel_file=f"{name}.fits", output_path=str(work)
        )
        first = [int(limit) for limit in factory.cutout_lims[:, 0]]
        # Not only by its own word: the centre asked for is in the middle, up to rounding.
        for axis in range(2):
            middle = first[axis] + (size[axis] - 1) / 2
            require(abs(middle - centre[axis]) <= 1, f"{name}: astrocut cut from {first}")
        cut_outs[name] = Path(path), first
    return cut_outs


def at(image, first, shape):
    """The pixels of an image from a column and row on, NaN where it has none."""
    columns, rows = (np.arange(length) + start for length, start in zip(shape[::-1], first))
    inside = np.ix_((rows >= 0) & (rows < image.shape[-2]), (columns >= 0) & (columns < image.shape[-1]))
    result = np.full(image.shape[:-2] + shape, np.nan)
    taken = image[..., rows[(rows >= 0) & (rows < image.shape[-2])], :]
    result[..., inside[0], inside[1]] = taken[..., columns[(columns >= 0) & (columns < image.shape[-1])]]
    return result


def check_pixels(name, before, after, first, frames, model):
    """Checks the flux against frames and model, which both have the cadences of the cut-out."""
    shape = before["FLUX"].shape[1:]
    measured = at(frames, first, shape)
    require(same(before["FLUX"], measured), f"{name}: astrocut cut other pixels")

    def light(rows=0, columns=0, cadences=0):
        shifted = np.roll(model, cadences, axis=0)
        return at(shifted, (first[0] - FIRST_COLUMN + columns, first[1] + rows), shape)

    require(same(after["FLUX"], measured - light()), f"{name}: FLUX is not the frame minus the model")
    require(same(after["FLUX_BKG"], light()), f"{name}: FLUX_BKG is not the model")
    # The comparison would notice a neighbour, by much more than it lets pass.
    for shift in [{"rows": 1}, {"rows": -1}, {"columns": 1}, {"columns": -1}, {"cadences": 1}, {"cadences": -1}]:
        off = np.abs(after["FLUX_BKG"] - light(**shift))
        typical = np.nanmedian(off) / np.nanmedian(np.spacing(after["FLUX_BKG"]))
        require(typical > 100, f"{name}: {shift} differs by {typical:.0f} roundings only")
    fitted = np.isfinite(after["FLUX"]).any(axis=(1, 2))
    require(0 < fitted.sum() < len(fitted), f"{name}: {fitted.sum()} of {len(fitted)} cadences have a flux")
    return int(fitted.sum())


def check_rest(name, before, after):
    """Checks that all the rest of the file is as it was."""
    require([hdu.name for hdu in before] == [hdu.name for hdu in after], f"{name}: other HDUs")
    for one, other in zip(before, after):
        cards = [
            [card.image for card in hdu.header.cards if card.keyword not in KEYWORDS] for hdu in (one, other)
        ]
        require(cards[0] == cards[1], f"{name}: the header of {one.name} has changed")
        require(other.verify_checksum() == 1 and other.verify_datasum() == 1, f"{name}: checksum of {one.name}")
    for column in before[1].columns.names:
        if column not in COLUMNS:
            one, other = before[1].data[column], after[1].data[column]
            require(one.tobytes() == other.tobytes(), f"{name}: column {column} has changed")
    require(before[1].columns.formats == after[1].columns.formats, f"{name}: the columns have changed")
    require(before[2].data.tobytes() == after[2].data.tobytes(), f"{name}: the aperture has changed")
    require(after[1].header["BACKAPP"] is True, f"{name}: BACKAPP is not set")
    require(after[1].header["BKGMODEL"] == MODEL, f"{name}: the model is not named")
    history = " ".join(after[0].header["HISTORY"])
    require(f"Model: {MODEL}" in history and "10 of 12 cadences" in history, f"{name}: history {history}")


def check_lightkurve(name, corrected, light_curve):
    """Checks that lightkurve opens both files, and finds the same aperture and light curve."""
    with warnings.catch_warnings():
        # Of the star's name and the like, which cut-outs lack.
        warnings.simplefilter("ignore")
        tpf = lightkurve.read(str(corrected), quality_bitmask="none")
        require(type(tpf).__name__ == "TessTargetPixelFile", f"{name}: lightkurve reads {type(tpf)}")
        mask = tpf.create_threshold_mask(threshold=3)
        theirs = tpf.to_lightcurve(aperture_mask=mask)
        ours = lightkurve.read(str(light_curve), quality_bitmask="none")
    require(type(ours).__name__ == "TessLightCurve", f"{name}: lightkurve reads {type(ours)}")
    require(ours.sector == 12 and ours.camera == 1 and ours.ccd == 3, f"{name}: another target")
    with fits.open(light_curve, checksum=True) as hdul:
        require(np.array_equal(hdul["APERTURE"].data == 3, mask), f"{name}: another aperture")
        require(np.all(hdul["LIGHTCURVE"].data["RAW_FLUX"] > 0), f"{name}: no raw flux")
    require(np.array_equal(ours.time.value, theirs.time.value), f"{name}: other times")
    require(np.array_equal(ours["quality"], theirs["quality"]), f"{name}: other quality flags")
    for column in ["flux", "flux_err"]:
        one, other = (np.asarray(curve[column].value, dtype=float) for curve in (ours, theirs))
        finite = np.isfinite(one)
        # lightkurve adds up in single precision.
        close = np.allclose(one[finite], other[finite], rtol=1e-5)
        require(finite.any() and close, f"{name}: another {column}")
    return int(mask.sum())


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    program, work = sys.argv[1], Path(sys.argv[2])
    warnings.simplefilter("ignore", FITSFixedWarning)
    # astrocut's comments are longer than a card.
    warnings.simplefilter("ignore", VerifyWarning)
    ffis = sorted((work / "frames").glob("tess*_ffic.fits"))
    frames = np.array([fits.getdata(ffi, 1) for ffi in ffis], dtype=float)
    run(program, "model", work / MODEL, "--out", work / "model.fits", "--overwrite")
    model = fits.getdata(work / "model.fits")
    require(model.shape == (len(ffis), SIZE, SIZE), f"the model has shape {model.shape}")
    cut_outs = cut(work, ffis)

    # A wrong checksum is a warning to astropy.
    warnings.simplefilter("error", AstropyWarning)
    for name, (path, first) in cut_outs.items():
        column, row = first
        says = "1CRV5P" in fits.getheader(path, 1)
        # The cadences were cut from all of the frames.
        frame = [] if says else ["--frame", ffis[5]]
        report = run(
            program, "correct", path, "--model", work / MODEL, "--lightcurve", "--overwrite", *frame
        )["files"][0]
        # The same pixels, by number.
        corner = f"--corner={row},{column - FIRST_COLUMN}"
        again = work / f"{name}_again.fits"
        run(program, "correct", path, "--model", work / MODEL, "--overwrite", corner, "--out", again)
        require(again.read_bytes() == Path(report["corrected_file"]).read_bytes(), f"{name}: --corner differs")
        require((report["first_row"], report["first_column"]) == (row, column - FIRST_COLUMN), f"{name}: {report}")
        with fits.open(path) as before, fits.open(report["corrected_file"], checksum=True) as after:
            # Each cadence names its frame.
            names = [ffi.name for ffi in ffis]
            order = [names.index(ffi[: len("tess2019143074650-s0012-1-3-0120")] + "-s_ffic.fits")
                     for ffi in before[1].data["FFI_FILE"]]
            with np.errstate(invalid="ignore"):
                good = check_pixels(name, before[1].data, after[1].data, first, frames[order], model[order])
            check_rest(name, before, after)
            require(report["corrected"] == good == 10, f"{name}: {report}")
        pixels = check_lightkurve(name, report["corrected_file"], report["lightcurve"])
        place = "by its keywords" if says else "by a frame"
        print(f"astrocut {astrocut.__version__}, {name}: {good} of {len(order)} cadences, aperture of "
              f"{pixels} pixels, placed {place}: right")


if __name__ == "__main__":
    main()
