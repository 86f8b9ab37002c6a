"""What NumPy, SciPy and fitsio take, for the table of backdrop's benchmarks.

Reads requests from standard input, one a line, and answers each with a line of JSON:

    versions             {"numpy": "2.4.6", ...}
    read PATH            {"seconds": 0.0031}: reading the first image extension by fitsio
    NAME SECONDS         {"seconds": 0.0102}: one go of the case NAME, the mean of as many as fit in SECONDS

Names are those of array-api/benches/cases/mod.rs. The number of threads is OPENBLAS_NUM_THREADS's.
"""

import json
import sys
import time

import fitsio
import numpy as np
import scipy
from scipy import linalg

SIZE = 2048
UNKNOWNS = 3122


def spread(shape, low, high, dtype=np.float64):
    """Numbers spread evenly over low..high, large and small ones in turns."""
    golden = 0.6180339887498949
    values = low + (high - low) * (np.arange(np.prod(shape)) * golden % 1.0)
    return values.astype(dtype).reshape(shape)


def positive_definite(n):
    a = spread((n, n), -1.0, 1.0)
    return a + a.T + 2.0 * n * np.eye(n)


def matmul():
    a, b = spread((SIZE, SIZE), -1.0, 1.0), spread((SIZE, SIZE), 0.0, 1.0)
    return lambda: a @ b


def cholesky():
    a = positive_definite(UNKNOWNS)
    return lambda: linalg.cholesky(a, lower=True, check_finite=False)


def cho_solve(columns):
    factor = linalg.cho_factor(positive_definite(UNKNOWNS), lower=True, check_finite=False)
    b = spread((UNKNOWNS, columns), -1.0, 1.0)
    return lambda: linalg.cho_solve(factor, b, check_finite=False)


def function(name, dtype):
    low, high = (1e-5, 1e3) if name == "log10" else (-3.0, 3.0)
    x = spread((SIZE, SIZE), low, high, dtype)
    # There is no np.exp10.
    return {"log10": lambda: np.log10(x), "exp10": lambda: np.power(10.0, x), "exp": lambda: np.exp(x)}[name]


def operands(views, dtype):
    """Two operands that lie in memory in some way, and a condition."""

    def image(rows, columns):
        return spread((rows, columns), -1.0, 1.0, dtype)

    condition = image(SIZE, SIZE) > 0
    if views == "strided":
        return image(SIZE, 2 * SIZE)[:, ::2], image(SIZE, 2 * SIZE)[:, ::2], condition
    if views == "transposed":
        return image(SIZE, SIZE).T, image(SIZE, SIZE), condition
    second = {"contiguous": (SIZE, SIZE), "broadcast row": (1, SIZE), "broadcast column": (SIZE, 1)}[views]
    return image(SIZE, SIZE), image(*second), condition


def elementwise(name, views, dtype):
    a, b, condition = operands(views, dtype)
    return {
        "add": lambda: np.add(a, b),
        "multiply": lambda: np.multiply(a, b),
        "where": lambda: np.where(condition, a, b),
    }[name]


def sums(axis, dtype):
    x = spread((SIZE, SIZE), -1.0, 1.0, dtype)
    return lambda: x.sum(axis=axis)


def prepare(case):
    """What a case does, its operands made."""
    match case.split(" ", 2):
        case ["matmul", _]:
            return matmul()
        case ["cholesky", _]:
            return cholesky()
        case ["cho_solve", _, times]:
            return cho_solve(int(times.removeprefix("x ")))
        case ["copy", dtype]:
            x = spread((SIZE, SIZE), -1.0, 1.0, dtype)
            return x.copy
        case ["sum", dtype, axis]:
            return sums(int(axis.removeprefix("axis ")), dtype)
        case [name, dtype, views]:
            return elementwise(name, views, dtype)
        case [name, dtype]:
            return function(name, dtype)


def once(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def mean(work, seconds):
    """The mean time of work, done once before, and then for at least so many seconds."""
    work()
    start, count = time.perf_counter(), 0
    while True:
        work()
        count += 1
        passed = time.perf_counter() - start
        if passed >= seconds:
            return passed / count


def main():
    prepared = (None, None)
    for line in sys.stdin:
        request = line.rstrip("\n")
        if request == "versions":
            answer = {"numpy": np.__version__, "scipy": scipy.__version__, "fitsio": fitsio.__version__}
        elif request.startswith("read "):
            answer = {"seconds": once(lambda: fitsio.read(request.removeprefix("read "), ext=1))}
        else:
            case, seconds = request.rsplit(" ", 1)
            if prepared[0] != case:
                prepared = (None, None)  # The operands of the case before are freed first.
                prepared = (case, prepare(case))
            answer = {"seconds": mean(prepared[1], float(seconds))}
        print(json.dumps(answer), flush=True)


main()
