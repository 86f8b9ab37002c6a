"""Writes reference/numpy.json: what NumPy and SciPy give for special values and small cases.

Usage: python reference.py    (needs numpy and scipy, on a machine with 80-bit long double)

Elements are written as their bits in hexadecimal. Functions like exp are computed in long double
and rounded once, so that the file does not depend on the vector unit of the machine; the script
checks that NumPy's own functions agree to 4 ULP.
"""

import json
import pathlib
import warnings

import numpy as np
import scipy
import scipy.interpolate
import scipy.linalg
import scipy.sparse

FLOATS = ("float32", "float64")
INTEGERS = ("int32", "int64", "uint8")

arrays, records = {}, []


def encode(x):
    x = np.asarray(x, order="C")
    raw = x.astype(np.uint8) if x.dtype == bool else x
    return {
        "dtype": str(x.dtype),
        "shape": list(x.shape),
        "bits": raw.astype(raw.dtype.newbyteorder(">")).tobytes().hex(),
    }


def store(name, x):
    arrays[name] = encode(x)
    return name


def record(op, inputs, output, **options):
    entry = {"op": op, "inputs": list(inputs), "output": encode(np.asarray(output))}
    if options:
        entry["options"] = options
    records.append(entry)


def canonical(x):
    """NaN with one pattern of bits; the payload and sign of a result are nobody's business."""
    return np.where(np.isnan(x), np.asarray(np.nan, x.dtype), x) if x.dtype.kind == "f" else x


# ---------------------------------------------------------------- elementwise, one argument

def specials(dtype):
    f = np.finfo(dtype)
    one_up, one_down = np.nextafter(dtype(1), dtype(2)), np.nextafter(dtype(1), dtype(0))
    positive = [0.0, np.inf, f.smallest_subnormal, f.tiny / 8, f.tiny, f.eps, 1e-5, 0.1, 0.25, 0.5,
                one_down, 1, one_up, 1.5, np.pi / 2, 2, 2.5, np.e, 3, np.pi, 3.5, 10, 22.5, 37.9, 38.6,
                44.9, 45.5, 87.5, 88.8, 100, 103.5, 127.5, 128, 148.5, 149.5, 307.5, 308.5, 323, 324.5, 700,
                709.5, 710.5, 745, 746, 1000, 1023.5, 1024, 1073.5, 1075.5, 8388607.5, 12345678.0,
                2.0**52 - 0.5, 1e22, f.max / 4, f.max]
    positive = np.unique(np.array([v for v in positive if v <= float(f.max) or v == np.inf], dtype=dtype))
    return np.concatenate([positive, -positive, np.array([np.nan], dtype=dtype)])


LONG = {  # computed in long double, rounded once
    "exp": np.exp, "exp2": np.exp2, "exp10": lambda x: np.power(np.longdouble(10), x),
    "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10, "log1p": np.log1p,
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh,
}
PLAIN = {
    "abs": np.abs, "negative": np.negative, "sign": np.sign, "square": np.square, "sqrt": np.sqrt,
    "reciprocal": np.reciprocal, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "round": np.rint,
    "isfinite": np.isfinite, "isinf": np.isinf, "isnan": np.isnan, "signbit": np.signbit,
    "logical_not": np.logical_not,
}
INTEGER_UNARY = {
    "abs": np.abs, "negative": np.negative, "sign": np.sign, "square": np.square,
    "bitwise_invert": np.invert, "logical_not": np.logical_not,
}
INTEGER_EDGES = {
    "int32": [0, 1, -1, 2, -2, 3, -3, 7, -7, 31, 32, 40, 2**31 - 1, -(2**31), -(2**31) + 1],
    "int64": [0, 1, -1, 2, -2, 3, -3, 7, -7, 63, 64, 70, 2**63 - 1, -(2**63), -(2**63) + 1],
    "uint8": [0, 1, 2, 3, 5, 7, 8, 9, 100, 127, 128, 254, 255],
}


def steps(a, b):
    """Numbers between a and b."""
    whole = np.int32 if a.dtype == np.float32 else np.int64
    low = np.iinfo(whole).min

    def place(x):
        bits = x.view(whole).astype(object)
        return np.where(bits < 0, low - bits, bits)

    return np.max(np.abs(place(a) - place(b))) if a.size else 0


def rounded(op, function, dtype, *args):
    """The function in long double rounded to dtype, checked against NumPy's own."""
    with np.errstate(all="ignore"):
        value = canonical(np.asarray(function(*(np.asarray(x, np.longdouble) for x in args)), dtype))
        own = np.asarray(function(*args)) if op != "exp10" else np.power(dtype(10), *args)
    assert own.dtype == value.dtype, op
    assert np.array_equal(np.isnan(own), np.isnan(value)), op
    good = ~np.isnan(own) & (value != 0)
    assert steps(own[good], value[good]) <= 4, (op, dtype, steps(own[good], value[good]))
    return value


def elementwise_unary():
    for dtype in map(np.dtype, FLOATS):
        x = specials(dtype.type)
        name = store(f"special_{dtype}", x)
        for op, function in LONG.items():
            record(op, [name], rounded(op, function, dtype.type, x))
        for op, function in PLAIN.items():
            with np.errstate(all="ignore"):
                record(op, [name], canonical(function(x)))
        clips = [(-1, 2), (2, -1), (np.nan, 1), (-1, np.nan), (-np.inf, np.inf)]
        for low, high in clips:
            bounds = store(f"clip_{dtype}_{low}_{high}", np.array([low, high], dtype))
            record("clip", [name, bounds], canonical(np.clip(x, dtype.type(low), dtype.type(high))))
        nan, posinf, neginf = 0.5, 9, -9
        replacements = store(f"replacements_{dtype}", np.array([nan, posinf, neginf], dtype))
        record("nan_to_num", [name, replacements], np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf))
    for dtype in INTEGERS:
        x = np.array(INTEGER_EDGES[dtype], dtype)
        name = store(f"edges_{dtype}", x)
        for op, function in INTEGER_UNARY.items():
            with np.errstate(all="ignore"):
                record(op, [name], function(x))
        bounds = store(f"clip_{dtype}", np.array([2, 9], dtype))
        record("clip", [name, bounds], np.clip(x, *np.array([2, 9], dtype)))
    store("truth", np.array([False, True]))
    record("logical_not", ["truth"], np.array([True, False]))


# ---------------------------------------------------------------- elementwise, two arguments

BINARY_LONG = {"pow": np.power, "atan2": np.arctan2, "hypot": np.hypot}
BINARY = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide,
    "floor_divide": np.floor_divide, "remainder": np.remainder, "maximum": np.maximum,
    "minimum": np.minimum, "copysign": np.copysign, "nextafter": np.nextafter, "logaddexp": np.logaddexp,
}
COMPARISONS = {
    "equal": np.equal, "not_equal": np.not_equal, "less": np.less, "less_equal": np.less_equal,
    "greater": np.greater, "greater_equal": np.greater_equal, "logical_and": np.logical_and,
    "logical_or": np.logical_or, "logical_xor": np.logical_xor,
}
INTEGER_BINARY = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "floor_divide": np.floor_divide,
    "remainder": np.remainder, "maximum": np.maximum, "minimum": np.minimum,
    "bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor,
    "bitwise_left_shift": np.left_shift, "bitwise_right_shift": np.right_shift,
}


def elementwise_binary():
    for dtype in map(np.dtype, FLOATS):
        f = np.finfo(dtype)
        b = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 2, -2, 0.5, 3, -3, 7.5, -7.5,
                      f.smallest_subnormal, -f.tiny, f.max, -f.max], dtype)
        a = b[:, None]
        names = [store(f"left_{dtype}", a), store(f"right_{dtype}", b)]
        for op, function in BINARY_LONG.items():
            record(op, names, rounded(op, function, dtype.type, a, b))
        for op, function in (BINARY | COMPARISONS).items():
            with np.errstate(all="ignore"):
                record(op, names, canonical(function(a, b)))
    for dtype in INTEGERS:
        b = np.array(INTEGER_EDGES[dtype], dtype)
        a = b[:, None]
        names = [store(f"left_{dtype}", a), store(f"right_{dtype}", b)]
        for op, function in (INTEGER_BINARY | COMPARISONS).items():
            with np.errstate(all="ignore"):
                record(op, names, function(a, b))
    b = np.array([False, True])
    names = [store("left_bool", b[:, None]), store("right_bool", b)]
    for op, function in COMPARISONS.items():
        record(op, names, function(b[:, None], b))


# ---------------------------------------------------------------- reductions, sorting, creation

def reductions(rng):
    data = {
        "float32": rng.normal(1, 2, (2, 3, 4)).astype(np.float32),
        "float64": rng.normal(1, 2, (2, 3, 4)),
        "int32": rng.integers(-9, 9, (2, 3, 4)).astype(np.int32),
        "int64": rng.integers(-9, 9, (2, 3, 4)),
        "uint8": rng.integers(0, 255, (2, 3, 4)).astype(np.uint8),
        "bool": rng.integers(0, 2, (2, 3, 4)).astype(bool),
    }
    for dtype, x in data.items():
        cases = [store(f"cube_{dtype}", x)]
        if dtype in FLOATS:
            y = x.copy()
            y[0, 1, 2], y[1, 2, 1], y[1, 2, 3], y[1, 0, 0] = np.nan, np.nan, np.inf, -np.inf
            y[0, 2] = [0.0, -0.0, 0.0, 1.0]
            cases.append(store(f"holes_{dtype}", y))
        for name in cases:
            z = y if name.startswith("holes") else x
            for axis in (None, 0, 1, 2):
                where = {} if axis is None else {"axis": axis}
                reduce_one(name, z, axis, where)


def reduce_one(name, x, axis, where):
    def put(op, value, **more):
        record(op, [name], canonical(np.asarray(value)), **where, **more)

    with np.errstate(all="ignore"):
        for op, function in {"all": np.all, "any": np.any}.items():
            put(op, function(x, axis=axis))
        put("count_nonzero", np.asarray(np.count_nonzero(x, axis=axis), np.int64))
        if x.dtype == bool:
            return
        total = np.int64 if x.dtype.kind in "iu" else x.dtype
        wide = np.int64 if x.dtype.kind in "iu" else np.float64
        put("sum", np.sum(x, axis=axis, dtype=wide).astype(total))
        put("prod", np.prod(x, axis=axis, dtype=wide).astype(total))
        put("min", np.min(x, axis=axis))
        put("max", np.max(x, axis=axis))
        if axis is not None:
            put("cumulative_sum", np.cumsum(x, axis=axis, dtype=total))
            put("cumulative_prod", np.cumprod(x, axis=axis, dtype=total))
            put("argmin", np.argmin(x, axis=axis))
            put("argmax", np.argmax(x, axis=axis))
            put("sort", np.sort(x, axis=axis, kind="stable"))
            put("argsort", np.argsort(x, axis=axis, kind="stable"))
            put("diff", np.diff(x, axis=axis), order=1)
            put("diff", np.diff(x, n=2, axis=axis), order=2)
        if x.dtype.kind == "f":
            put("mean", np.mean(x.astype(np.float64), axis=axis).astype(x.dtype))
            put("median", np.median(x.astype(np.float64), axis=axis).astype(x.dtype))
            for correction in (0, 1, 2.5):
                wide = x.astype(np.float64)
                put("var", np.var(wide, axis=axis, ddof=correction).astype(x.dtype), correction=correction)
                put("std", np.std(wide, axis=axis, ddof=correction).astype(x.dtype), correction=correction)


def conversions():
    values = [0.0, -0.0, 0.4, -0.6, 1.5, 2.5, -2.5, 255.0, 1e-45, 16777217.0, 0.1, np.nan, np.inf, -np.inf]
    f64 = store("convert_float64", np.array(values))
    with np.errstate(all="ignore"):
        record("astype", [f64], np.array(values).astype(np.float32))
        record("astype", [f64], np.array(values).astype(bool))
    inside = np.array([0.0, -0.0, 0.9, -0.9, 2.5, 100.7])
    name = store("inside_float64", inside)
    for dtype in INTEGERS:
        record("astype", [name], inside.astype(dtype))
    for source in INTEGERS:
        x = np.array(INTEGER_EDGES[source], source)
        name = store(f"edges_{source}", x)
        for dtype in (*FLOATS, *INTEGERS, "bool"):
            record("astype", [name], x.astype(dtype))
    for dtype in (*FLOATS, *INTEGERS):
        record("astype", ["truth"], np.array([False, True]).astype(dtype))


def ranges():
    for dtype in FLOATS:
        for i, (start, stop, count, endpoint) in enumerate(
            [(0, 1, 5, True), (0, 1, 5, False), (-3, 7, 1, True), (2, 2, 3, True), (0.1, 0.7, 50, True),
             (1e6, -1e6, 17, False), (0, 1, 0, True)]):
            ends = np.array([start, stop], dtype)
            name = store(f"ends_{dtype}_{i}", ends)
            value = np.linspace(*ends.astype(np.float64), count, endpoint=endpoint).astype(dtype)
            record("linspace", [name], value, count=count, endpoint=int(endpoint))
    cases = [(0, 5, 1), (5, 0, -2), (0, 5, 2), (3, 3, 1), (5, 0, 1), (-7, 8, 3)]
    for dtype in (*FLOATS, "int32", "int64"):
        extra = [(0, 1, 0.1), (1, 0, -0.25)] if dtype in FLOATS else []
        for i, case in enumerate(cases + extra):
            limits = np.array(case, dtype)
            record("arange", [store(f"range_{dtype}_{i}", limits)], np.arange(*limits, dtype=dtype))


# ---------------------------------------------------------------- linear algebra, sparse, splines

def linear_algebra(rng):
    a, b = rng.normal(size=(6, 6)), rng.normal(size=(6, 3))
    spd = a @ a.T + np.eye(6)
    stack = rng.normal(size=(3, 4, 4))
    names = {k: store(k, v) for k, v in {"square": a, "sides": b, "spd": spd, "stack": stack}.items()}
    record("solve", [names["square"], names["sides"]], np.linalg.solve(a, b))
    record("inv", [names["square"]], np.linalg.inv(a))
    record("det", [names["square"]], np.linalg.det(a))
    record("det", [names["stack"]], np.linalg.det(stack))
    record("trace", [names["stack"]], np.trace(stack, axis1=1, axis2=2))
    record("cholesky", [names["spd"]], np.linalg.cholesky(spd))
    record("cho_solve", [names["spd"], names["sides"]],
           scipy.linalg.cho_solve(scipy.linalg.cho_factor(spd, lower=True), b))
    for lower in (0, 1):
        record("solve_triangular", [names["square"], names["sides"]],
               scipy.linalg.solve_triangular(a, b, lower=bool(lower)), lower=lower)
    record("matmul", [names["stack"], store("wide", rng.normal(size=(4, 7)))],
           stack @ np.frombuffer(bytes.fromhex(arrays["wide"]["bits"]), ">f8").reshape(4, 7))
    left, right = rng.normal(size=(2, 3, 4)), rng.normal(size=(3, 4, 5))
    names = [store("tensor_left", left), store("tensor_right", right)]
    record("tensordot", names, np.tensordot(left, right, axes=2), axes=2)


def sparse(rng):
    dense = rng.normal(size=(7, 5)) * (rng.random((7, 5)) < 0.4)
    x, w = rng.normal(size=(5, 3)), rng.random(7)
    a = scipy.sparse.csr_array(dense)
    names = [store("sparse", dense), store("sparse_x", x), store("sparse_w", w), store("sparse_y", rng.normal(size=(7, 2)))]
    record("csr_matmul", names[:2], a @ x)
    y = np.frombuffer(bytes.fromhex(arrays["sparse_y"]["bits"]), ">f8").reshape(7, 2)
    record("csr_transposed_matmul", [names[0], names[3]], a.T @ y)
    record("csr_weighted_gram", [names[0], names[2]], (a.T @ scipy.sparse.diags_array(w) @ a).toarray())


def splines():
    for degree in (1, 2, 3, 5):
        breakpoints = np.linspace(0, 1, 7) ** 0.5
        t = np.concatenate([np.full(degree, 0.0), breakpoints, np.full(degree, 1.0)])
        n = len(t) - degree - 1
        x = np.unique(np.concatenate([breakpoints, np.linspace(-0.05, 1.05, 23)]))
        value = scipy.interpolate.BSpline(t, np.eye(n), degree, extrapolate=True)(x)
        names = [store(f"spline_points_{degree}", x), store(f"breakpoints_{degree}", breakpoints)]
        record("design_matrix", names, value, degree=degree)


def main():
    warnings.filterwarnings("ignore", "Degrees of freedom")  # such cases are wanted
    rng = np.random.default_rng(2026)
    elementwise_unary()
    elementwise_binary()
    reductions(rng)
    conversions()
    ranges()
    linear_algebra(rng)
    sparse(rng)
    splines()
    lines = ["{", f' "made_with": {json.dumps({"numpy": np.__version__, "scipy": scipy.__version__})},', ' "arrays": {']
    lines.append(",\n".join(f"  {json.dumps(name)}: {json.dumps(array)}" for name, array in arrays.items()))
    lines += [" },", ' "records": [', ",\n".join(f"  {json.dumps(entry)}" for entry in records), " ]", "}"]
    target = pathlib.Path(__file__).parent / "reference" / "numpy.json"
    target.write_text("\n".join(lines) + "\n")
    print(f"{target}: {len(records)} records, {target.stat().st_size // 1000} kB")


main()
