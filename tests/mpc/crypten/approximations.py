"""Checks of approximated functions: CrypTen's formulas in double precision bound how far from torch they are.

A secret result may differ from the function by as much as the formula does without any rounding, and by the
roundings of fixed point, counted here for each formula.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from checking import UNIT, Table, close, grid, share

APPROXIMATIONS = Table()
same = APPROXIMATIONS.same


def exp_formula(x: torch.Tensor, squarings: int = 8) -> torch.Tensor:
    """(1 + x / 2^8)^(2^8)."""
    return (1 + x / 2**squarings) ** (2**squarings)


def exp_rounding(x: torch.Tensor, squarings: int = 8) -> torch.Tensor:
    """Each squaring doubles the relative error and adds a unit."""
    relative, base = torch.full_like(x, UNIT), 1 + x / 2**squarings
    for step in range(squarings):
        value = base ** (2.0 ** (step + 1))
        relative = 2 * relative + relative**2 + UNIT / value
    return relative * exp_formula(x, squarings)


def log_formula(x: torch.Tensor) -> torch.Tensor:
    """Two Householder iterations of order eight from x / 120 - 20 exp(-2 x - 1) + 3."""
    y = x / 120 - 20 * exp_formula(-(2 * x + 1)) + 3
    for _ in range(2):
        h = 1 - x * exp_formula(-y)
        y = y - sum(h**k / k for k in range(1, 9))
    return y


def inverse_root_formula(x: torch.Tensor) -> torch.Tensor:
    """Three Newton iterations from 2.2 exp(-(x / 2 + 0.2)) + 0.2 - x / 1024."""
    y = 2.2 * exp_formula(-(x / 2 + 0.2)) + 0.2 - x / 1024
    for _ in range(3):
        y = y * (3 - x * y * y) / 2
    return y


def compare(
    name: str, x: torch.Tensor, formula: torch.Tensor, truth: torch.Tensor, rounding: Any, **options: Any
) -> None:
    def run(crypten: Any) -> None:
        (secret,) = share(crypten, [x])
        close(getattr(secret, name)(**options), truth, (formula - truth).abs() + rounding)

    APPROXIMATIONS[f"{name} {options or ''}".strip()] = run


EXPONENTS = grid(40, seed=1, low=-6.0, high=3.0)
compare("exp", EXPONENTS, exp_formula(EXPONENTS), EXPONENTS.exp(), exp_rounding(EXPONENTS))

# Newton's iteration is self-correcting: what remains is the last step's own roundings, times x at most.
POSITIVE = grid(40, seed=2, low=0.25, high=60.0)
compare("reciprocal", POSITIVE, 1 / POSITIVE, 1 / POSITIVE, (4 + POSITIVE) * UNIT)
compare("reciprocal", -POSITIVE, -1 / POSITIVE, -1 / POSITIVE, (4 + POSITIVE) * UNIT)
same("division_by_a_secret", lambda x, y: x / y, grid(40, seed=3), POSITIVE, bound=(22 + 4 * POSITIVE) * UNIT)
same("reverse_division", lambda x: 2.0 / x, POSITIVE, bound=(10 + 2 * POSITIVE) * UNIT)

# "Accurate within 2% relative error on [0.0001, 250]" says CrypTen, which cannot mean values near log 1 = 0:
# there the error is absolute.
LOGS = torch.cat([grid(40, seed=4, low=0.0625, high=4.0), grid(40, seed=5, low=4.0, high=240.0)])
compare("log", LOGS, log_formula(LOGS), LOGS.log(), 0.02 * LOGS.log().abs().clamp(min=1.0))
SHARES = grid(40, seed=6, low=0.03125, high=1.0)
compare(
    "log",
    SHARES,
    log_formula(100 * SHARES) - 4.605170,
    SHARES.log(),
    0.02 * (100 * SHARES).log(),
    input_in_01=True,
)

ROOTS = grid(40, seed=7, low=0.5, high=60.0)
TWIN = inverse_root_formula(ROOTS)
# Two products, a sum and a halving in each step, the products times 3 x y^2 / 2 at most.
NOISE = (8 + 3 * ROOTS) * UNIT
compare("inv_sqrt", ROOTS, TWIN, ROOTS.rsqrt(), NOISE)
compare("sqrt", ROOTS, TWIN * ROOTS, ROOTS.sqrt(), NOISE * ROOTS + UNIT)

ANGLES = grid(40, seed=8, low=-6.0, high=6.0)
TURN = torch.complex(torch.ones_like(ANGLES), ANGLES / 2**10) ** (2**10)
# Ten doublings of an error of a unit or two in each part.
ROUNDING = 2**12 * UNIT
compare("cos", ANGLES, TURN.real, ANGLES.cos(), ROUNDING)
compare("sin", ANGLES, TURN.imag, ANGLES.sin(), ROUNDING)


@APPROXIMATIONS.add
def cossin(crypten: Any) -> None:
    (x,) = share(crypten, [ANGLES])
    bound = (TURN - torch.exp(1j * ANGLES)).abs() + ROUNDING
    close(x.cossin(), (ANGLES.cos(), ANGLES.sin()), bound)


LOGITS = grid(40, seed=9, low=-8.0, high=8.0)
MAGNITUDE = exp_formula(-LOGITS.abs())


def sigmoid_formula() -> torch.Tensor:
    """Three Newton iterations for 1 / (1 + e^-|x|) from 3 / 4."""
    y = torch.full_like(MAGNITUDE, 0.75)
    for _ in range(3):
        y = 2 * y - y * y * (1 + MAGNITUDE)
    return torch.where(LOGITS < 0, 1 - y, y)


SIGMOID = sigmoid_formula()
SIGMOID_ROUNDING = exp_rounding(-LOGITS.abs()) + 12 * UNIT
compare("sigmoid", LOGITS, SIGMOID, LOGITS.sigmoid(), SIGMOID_ROUNDING)
compare("tanh", LOGITS / 2, 2 * SIGMOID - 1, (LOGITS / 2).tanh(), 2 * SIGMOID_ROUNDING + 2 * UNIT)


@APPROXIMATIONS.add
def chebyshev(crypten: Any) -> None:
    """The other method, for arguments in [-1, 1]: sixteen polynomials with coefficients below 1 / 2."""
    inside = grid(40, seed=10, low=-1.0, high=1.0)
    (x,) = share(crypten, [inside])
    with crypten.cfg.temp_override({"functions.sigmoid_tanh_method": "chebyshev"}):
        # The recurrence of each next polynomial grows earlier roundings by up to its degree.
        close(x.tanh(), inside.tanh(), 2.0**-9)
        close(x.sigmoid(), inside.sigmoid(), 2.0**-9)


def erf_formula(x: torch.Tensor) -> torch.Tensor:
    """Taylor's series, eight terms after the first."""
    terms = (x ** (2 * n + 1) * (-1) ** n / (math.factorial(n) * (2 * n + 1)) for n in range(9))
    return sum(terms, torch.zeros_like(x)) * 2 / math.sqrt(math.pi)


SMALL = grid(40, seed=11, low=-1.5, high=1.5)
# Coefficients are rounded to units and multiply powers up to |x|^17.
compare("erf", SMALL, erf_formula(SMALL), torch.erf(SMALL), 8 * UNIT * (1 + SMALL.abs() ** 17))

ROWS = grid(6, 10, seed=12)


def softmax_bound() -> torch.Tensor:
    shifted = ROWS - ROWS.amax(1, keepdim=True)
    powers = exp_formula(shifted)
    formula = powers / powers.sum(1, keepdim=True)
    noise = exp_rounding(shifted)
    return (formula - ROWS.softmax(1)).abs() + noise + formula * noise.sum(1, keepdim=True) + 20 * UNIT


same("softmax", lambda x: x.softmax(1), ROWS, bound=softmax_bound())
# The logarithm's two percent of log 10.
same("log_softmax", lambda x: x.log_softmax(1), ROWS, bound=0.02 * math.log(10) + 0.02)
same("softmax_of_one", lambda x: x.softmax(1), grid(3, 1))

POWERS = grid(40, seed=13, low=-2.0, high=2.0)
for power in (0, 1, 2, 3, 4, 7):
    # p - 1 products, each cutting once, with cofactors up to 2^(p - 1).
    same(
        f"pow_{power}",
        lambda x, power=power: x.pow(power),
        POWERS,
        bound=max(power, 1) * 2.0 ** max(power - 1, 0) * UNIT,
    )
BASES = grid(40, seed=14, low=0.5, high=4.0)
same("pow_minus_one", lambda x: x**-1, BASES, bound=8 * UNIT)
same("pow_minus_two", lambda x: x.pow(-2), BASES, bound=64 * UNIT)


def pos_pow(x: Any) -> Any:
    return x**1.5 if torch.is_tensor(x) else x.pos_pow(1.5)


# Two percent of the logarithm times the exponent, and the exponential's x^2 / 2^9.
EXPONENT = 1.5 * BASES.log()
same(
    "pos_pow",
    pos_pow,
    BASES,
    bound=BASES**1.5 * (0.03 * BASES.log().abs().clamp(min=0.25) + EXPONENT**2 / 2**9 + 2**-7),
)


def cubic(x: Any) -> Any:
    return 0.5 * x - 2 * x**2 + 0.25 * x**3 if torch.is_tensor(x) else x.polynomial([0.5, -2.0, 0.25])


same("polynomial", cubic, POWERS, bound=20 * UNIT)

VECTORS = grid(4, 6, seed=15, low=0.5, high=3.0)
same("norm_1", lambda x: x.norm(p=1), VECTORS, bound=24 * UNIT)
same("norm_1_along", lambda x: x.norm(p=1, dim=1), VECTORS, bound=6 * UNIT)
same("norm_infinity", lambda x: x.norm(p=float("inf"), dim=1), VECTORS, bound=8 * UNIT)
SQUARES = VECTORS.square().sum(1)
same(
    "norm_2",
    lambda x: x.norm(p=2, dim=1),
    VECTORS,
    bound=(inverse_root_formula(SQUARES) * SQUARES - SQUARES.sqrt()).abs()
    + (8 + 3 * SQUARES) * SQUARES * UNIT,
)
PAIR = grid(4, 6, seed=16, low=0.5, high=3.0)
ROOT_ERROR = max(
    float((inverse_root_formula(q) * q.sqrt() - 1).abs().max()) for q in (SQUARES, PAIR.square().sum(1))
)
same(
    "cosine_similarity",
    lambda x, y: (
        x.cosine_similarity(y) if not torch.is_tensor(x) else torch.nn.functional.cosine_similarity(x, y)
    ),
    VECTORS,
    PAIR,
    bound=2 * ROOT_ERROR + 2.0**-7,
)
