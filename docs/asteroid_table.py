"""Make the table of asteroids that `--asteroids` takes, with tess-ephem.

    python -m pip install tess-ephem
    python docs/asteroid_table.py SECTOR CAMERA CCD NAME... > asteroids.csv

A NAME is one that JPL Horizons knows, such as Ceres, 433 or "2004 MN4". Positions are asked for
every half hour, on which they are in a straight line, unless --step gives other days.
"""

import argparse
import csv
import sys

from tess_ephem import ephem

# tess-ephem counts the rows and columns of a whole CCD from 1; its first 44 columns see no sky.
FIRST_ROW, FIRST_COLUMN = 1, 45
BTJD_ZERO = 2457000.0
SECONDS_A_DAY = 86400.0


def positions(name, sector, camera, ccd, step):
    """Rows (name, time, row, column, vmag) of an asteroid while it is on a CCD."""
    table = ephem(name, sector=sector, time_step=step)
    if len(table) == 0:
        return
    table = table[(table["camera"] == camera) & (table["ccd"] == ccd)]
    for time, at in table.iterrows():
        # Times are in UT; those of the frames are in TDB.
        btjd = time.jd + at["tdb-ut"] / SECONDS_A_DAY - BTJD_ZERO
        yield name, btjd, at["row"] - FIRST_ROW, at["column"] - FIRST_COLUMN, at["vmag"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sector", type=int)
    parser.add_argument("camera", type=int, choices=range(1, 5))
    parser.add_argument("ccd", type=int, choices=range(1, 5))
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--step", type=float, default=1 / 48, help="days from one position to the next")
    arguments = parser.parse_args()
    table = csv.writer(sys.stdout)
    table.writerow(["name", "time", "row", "column", "vmag"])
    for name in arguments.names:
        rows = list(positions(name, arguments.sector, arguments.camera, arguments.ccd, arguments.step))
        print(f"{name}: {len(rows)} positions", file=sys.stderr)
        table.writerows((name, f"{btjd:.6f}", f"{row:.3f}", f"{column:.3f}", f"{vmag:.2f}")
                        for name, btjd, row, column, vmag in rows)


if __name__ == "__main__":
    main()
