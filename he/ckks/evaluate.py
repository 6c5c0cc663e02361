"""Arithmetic on ciphertexts: functions of ciphertexts that never change their arguments.

Levels and scales are tracked exactly; what would mix scales or run out of levels raises and says both.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from he import kernels
from he.ckks import keyswitch
from he.ckks.cipher import Ciphertext, Plaintext, expect_level, expect_scale
from he.ckks.keys import EvaluationKeys
from he.ckks.ring import Ring, Values


def add(ring: Ring, x: Ciphertext, y: Ciphertext) -> Ciphertext:
    """x + y."""
    _expect_alike(x, y)
    return _new(kernels.add(x.data, y.data, ring.basis(x.level)), x)


def sub(ring: Ring, x: Ciphertext, y: Ciphertext) -> Ciphertext:
    """x - y."""
    _expect_alike(x, y)
    return _new(kernels.sub(x.data, y.data, ring.basis(x.level)), x)


def neg(ring: Ring, x: Ciphertext) -> Ciphertext:
    """-x."""
    return _new(kernels.neg(x.data, ring.basis(x.level)), x)


def add_plain(ring: Ring, x: Ciphertext, y: Plaintext) -> Ciphertext:
    """x + y."""
    _expect_alike(x, y)
    basis = ring.basis(x.level)
    data = kernels.empty(x.data.shape, basis)
    kernels.add(x.data[0], y.poly, basis, out=data[0])
    kernels.copy(x.data[1], basis, out=data[1])
    return _new(data, x)


def multiply_plain(ring: Ring, x: Ciphertext, y: Plaintext) -> Ciphertext:
    """x y, not rescaled: the scales multiply."""
    expect_level("the plaintext", y.level, x.level)
    data = kernels.mul(x.data, y.poly, ring.basis(x.level))
    return Ciphertext(cast(Values, data), x.level, x.scale * y.scale)


def add_scalar(ring: Ring, x: Ciphertext, value: float) -> Ciphertext:
    """x + value in every slot; the NTT values of a constant polynomial are all that constant."""
    basis = ring.basis(x.level)
    data = kernels.empty(x.data.shape, basis)
    kernels.add_scalar(x.data[0], [round(value * x.scale)] * basis.limbs, basis, out=data[0])
    kernels.copy(x.data[1], basis, out=data[1])
    return _new(data, x)


def multiply_scalar(ring: Ring, x: Ciphertext, value: float, scale: float) -> Ciphertext:
    """x value, value rounded to an integer at `scale`, not rescaled: the scales multiply."""
    basis = ring.basis(x.level)
    data = kernels.mul_scalar(x.data, [round(value * scale)] * basis.limbs, basis)
    return Ciphertext(cast(Values, data), x.level, x.scale * scale)


def multiply(keys: EvaluationKeys, x: Ciphertext, y: Ciphertext) -> Ciphertext:
    """x y, relinearised and not rescaled: the scales multiply. Same levels; scales may differ."""
    data = keyswitch.relinearise(keys, _tensor(keys.ring, x, y), x.level)
    return Ciphertext(data, x.level, x.scale * y.scale)


def multiply_rescale(keys: EvaluationKeys, x: Ciphertext, y: Ciphertext) -> Ciphertext:
    """x y, relinearised and rescaled in one: faster, and a little more exact, than one after the other."""
    _expect_levels_left(x, 1)
    data = keyswitch.relinearise(keys, _tensor(keys.ring, x, y), x.level, rescale=True)
    return Ciphertext(data, x.level - 1, x.scale * y.scale / keys.ring.params.moduli[x.level])


def multiply_each(
    keys: EvaluationKeys, xs: Sequence[Ciphertext], ys: Sequence[Ciphertext]
) -> list[Ciphertext]:
    """`multiply_rescale` of each pair, all of one level: on a GPU in launches for all of them."""
    ring, level = keys.ring, xs[0].level
    basis, gadget = ring.basis(level), ring.gadget(level)
    for place, x in enumerate(xs):
        expect_level(f"factor {place}", x.level, level)
        _expect_levels_left(x, 1)
    parts = kernels.empty((len(xs), 3, basis.limbs, basis.n), basis)
    for part, x, y in zip(parts, xs, ys, strict=True):
        expect_level("the second factor", y.level, level)
        kernels.tensor(x.data, y.data, basis, out=part)
    data = kernels.relinearise_each(parts, keys.relinearisation.data, gadget, rescale=True)
    q = ring.params.moduli[level]
    pairs = zip(data, xs, ys, strict=True)
    return [Ciphertext(cast(Values, d), level - 1, x.scale * y.scale / q) for d, x, y in pairs]


def square(keys: EvaluationKeys, x: Ciphertext) -> Ciphertext:
    """x x, relinearised and rescaled."""
    return multiply_rescale(keys, x, x)


def rescale(ring: Ring, x: Ciphertext) -> Ciphertext:
    """x divided by q_level, rounded: one level down, the scale divided by it exactly."""
    _expect_levels_left(x, 1)
    data = kernels.mod_down(x.data, ring.rescaler(x.level))
    return Ciphertext(cast(Values, data), x.level - 1, x.scale / ring.params.moduli[x.level])


def drop(ring: Ring, x: Ciphertext, level: int) -> Ciphertext:
    """x at a lower level, same scale: the residues above are forgotten."""
    if not 0 <= level <= x.level:
        raise ValueError(f"level is {level}, expected 0 to {x.level}: levels only go down")
    if level == x.level:
        return x
    basis = ring.basis(level)
    data = kernels.empty((2, basis.limbs, basis.n), basis)
    for half, whole in zip(data, x.data, strict=True):
        kernels.copy(whole[: basis.limbs], basis, out=half)
    return Ciphertext(cast(Values, data), level, x.scale, x.seed)


def sum_slots(keys: EvaluationKeys, x: Ciphertext, count: int) -> Ciphertext:
    """Slot j becomes the sum of slots j .. j + count - 1, count a power of two: log2(count) rotations."""
    if count < 1 or count.bit_count() != 1:
        raise ValueError(f"count is {count}, expected a power of two")
    for i in range(count.bit_length() - 1):
        x = add(keys.ring, x, keyswitch.rotate(keys, x, 1 << i))
    return x


def _tensor(ring: Ring, x: Ciphertext, y: Ciphertext) -> Values:
    """(x_0 y_0, x_0 y_1 + x_1 y_0, x_1 y_1), shape (3, level + 1, N)."""
    expect_level("the second factor", y.level, x.level)
    return cast(Values, kernels.tensor(x.data, y.data, ring.basis(x.level)))


def _new(data: NDArray[np.uint64], x: Ciphertext) -> Ciphertext:
    return Ciphertext(cast(Values, data), x.level, x.scale)


def _expect_alike(x: Ciphertext, y: Ciphertext | Plaintext) -> None:
    expect_level("the second operand", y.level, x.level)
    expect_scale("the second operand", y.scale, x.scale)


def _expect_levels_left(x: Ciphertext, count: int) -> None:
    if x.level < count:
        raise ValueError(f"level is {x.level}, expected at least {count}: no levels are left")
