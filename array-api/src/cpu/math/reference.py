"""Writes reference.txt: values of the functions of this module, correctly rounded.

Needs mpmath: `python reference.py > reference.txt`. Each line is a type, a function, its arguments
and its value, numbers as the hexadecimal digits of their bits.
"""

import random
import struct

import mpmath
from mpmath import mp, mpf

mp.prec = 300
random.seed(20251122)

# Digits, least exponent of a last digit, exponent of the overflow, struct codes.
TYPES = {"f64": (53, -1074, 1024, "dQ", "016x"), "f32": (24, -149, 128, "fI", "08x")}
FUNCTIONS = {
    "exp": mpmath.exp, "exp2": lambda x: mpf(2) ** x, "exp10": lambda x: mpf(10) ** x, "expm1": mpmath.expm1,
    "ln": mpmath.log, "log2": lambda x: mpmath.log(x) / mpmath.log(2),
    "log10": lambda x: mpmath.log(x) / mpmath.log(10), "log1p": mpmath.log1p, "pow": lambda x, y: x**y,
}
# Arguments with the largest errors that sweeps over millions have found.
HARDEST = {
    "exp": ["-0x1.625a7b39410eap+9"], "exp2": ["-0x1.ff66a40dc1628p+9"], "exp10": ["-0x1.33de47bc824ecp+8"],
    "expm1": ["0x1.73938aa3da9a8p-2"], "ln": ["0x1.6a05466af034fp-1"], "log2": ["0x1.66237b699d8f1p+0"],
    "log10": ["0x1.5e5cc9440c19fp-1"], "log1p": ["-0x1.327c7ed8ec3d6p-2"], "pow": [],
}


def rounded(value, kind):
    """The number of a type nearest to `value`, halves to the even one."""
    digits, least, overflow, _, _ = TYPES[kind]
    if value == 0 or not mpmath.isfinite(value):
        return float(value)
    last = max(int(mpmath.floor(mpmath.log(abs(value), 2))) + 1 - digits, least)
    nearest = mpmath.ldexp(mpmath.nint(mpmath.ldexp(value, -last)), last)
    return float(nearest) if abs(nearest) < mpf(2) ** overflow else float("inf")


def bits(value, kind):
    code, spec = TYPES[kind][3:]
    return format(struct.unpack("<" + code[1], struct.pack("<" + code[0], value))[0], spec)


def log_uniform(low, high):
    return mpf(2) ** random.uniform(low, high)


def argument(function, kind):
    """A random argument: anywhere, near one or zero, or where results are subnormal."""
    digits, least, overflow, _, _ = TYPES[kind]
    choice = random.randrange(4)
    if function in ("exp", "exp2", "exp10", "expm1"):
        octave = {"exp2": 1, "exp10": mpmath.log(2, 10)}.get(function, mpmath.log(2))
        if choice == 0:
            return octave * random.uniform(least, overflow)
        if choice == 1:
            return octave * random.uniform(least, 1 - overflow)
        return random.choice([-1, 1]) * log_uniform(-digits - 2, 5)
    if function == "log1p":
        return [log_uniform(least, overflow), mpf(random.uniform(-1, 2)), log_uniform(-digits, 0) - 1,
                random.choice([-1, 1]) * log_uniform(-digits - 2, -1)][choice]
    return [log_uniform(least, overflow), log_uniform(-1, 1), 1 - log_uniform(-digits, -1),
            1 + log_uniform(-digits, -1)][choice]


for kind, (digits, least, overflow, _, _) in TYPES.items():
    for function, f in FUNCTIONS.items():
        points = [(float.fromhex(x),) for x in HARDEST[function]]
        while len(points) < 100:
            x = argument(function, kind)
            if function == "pow":
                x = mpf(rounded(x, kind))
                if x <= 0 or x == 1:
                    continue
                y = random.uniform(least, overflow) / (mpmath.log(x) / mpmath.log(2))
                points.append((x, mpmath.nint(y) if random.random() < 0.3 else y))
            else:
                points.append((x,))
        for point in points:
            point = [rounded(mpf(x), kind) for x in point]
            if all(map(mpmath.isfinite, point)) and (function[:2] == "ex" or point[0] > (function == "log1p") * -1.0):
                value = rounded(f(*map(mpf, point)), kind)
                print(kind, function, *(bits(v, kind) for v in [*point, value]))
