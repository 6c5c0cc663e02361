"""Key switching: that it switches keys, and every path against the reference."""

import numpy as np
import pytest

from he import kernels
from he.kernels import Basis, Gadget
from he.kernels.reference.ring import U64, add, column, intt, mul, neg, ntt
from he.kernels.reference.stream import lift
from he.kernels.reference.switching import digit_ranges


def _small(cases, n: int, moduli: tuple[int, ...]) -> U64:
    """A random ternary polynomial as NTT values, shape (limbs, N)."""
    return ntt(lift(cases.rng.integers(-1, 2, n), moduli), moduli)


def _noiseless_key(cases, full: Basis, special: int, digit_limbs: int, s: U64, target: U64) -> U64:
    """Encryptions (g_j target - a s, a) of the gadget, with no error, for the full chain: (digits, 2, L + K,
    N).
    """
    level = full.limbs - special
    p = np.prod([int(q) for q in full.moduli[level:]], dtype=object)
    key = []
    for first, last in digit_ranges(level, digit_limbs):
        a = cases.residues(full)
        factors = column([int(p % q) if first <= i < last else 0 for i, q in enumerate(full.moduli)])
        message = (target.astype(object) * factors % column(full.moduli)).astype(np.uint64)
        key.append(np.stack([add(message, neg(mul(a, s, full.moduli), full.moduli), full.moduli), a]))
    return np.stack(key)


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_reference_switches_keys_at_every_level(level: int, cases) -> None:
    """d0 + d1 s = x s' up to the rounding of the division: a few units, with P above every digit."""
    n, special, digit_limbs = 16, 2, 2
    full = Basis(n, cases.primes(n, 30, 5) + cases.primes(n, 32, 2), "reference")
    s, target = _small(cases, n, full.moduli), _small(cases, n, full.moduli)
    key = _noiseless_key(cases, full, special, digit_limbs, s, target)
    gadget = Gadget(full.select([*range(level), 5, 6]), special, digit_limbs)
    moduli = gadget.level.moduli
    x = cases.residues(gadget.level)
    d0, d1 = kernels.key_switch(x, key, gadget)
    phase = add(d0, mul(d1, s[:level], moduli), moduli)
    error = intt(kernels.sub(phase, mul(x, target[:level], moduli), gadget.level), moduli)[0].astype(np.int64)
    centred = np.where(error > moduli[0] // 2, error - moduli[0], error)
    assert 0 < np.abs(centred).max() <= (n + 1) // 2 + 1


GADGETS = [(1, 1, 1), (3, 1, 1), (5, 2, 2), (5, 1, 2), (4, 3, 4)]


@pytest.mark.parametrize("n", [16, 32, 128, 512])
@pytest.mark.parametrize(("level", "special", "digit_limbs"), GADGETS)
def test_every_call(path: str, n: int, level: int, special: int, digit_limbs: int, cases) -> None:
    moduli = cases.primes(n, 50, 1) + cases.primes(n, 41, 5) + cases.primes(n, 49, 3)[:special]
    fast, slow = cases.bases(n, moduli, path, threads=2)
    rows = [*range(level), *range(6, 6 + special)]
    one, other = (Gadget(b.select(rows), special, digit_limbs) for b in (fast, slow))
    key = cases.residues(slow, 6, 2)
    addend = cases.residues(other.level, 2)
    for x in cases.inputs(other.level):
        assert np.array_equal(kernels.decompose(x, one), kernels.decompose(x, other))
    x, worst = (
        cases.residues(other.level),
        np.zeros_like(key) + column(moduli).astype(np.uint64) - np.uint64(1),
    )
    digits = kernels.decompose(x, other)
    rescales = [False, True] if level > 1 else [False]
    for g in (1, 5, 2 * n - 1):
        for more in (None, addend[:1].copy(), addend):
            got = kernels.inner_product(digits, key, one, g, more)
            assert np.array_equal(got, kernels.inner_product(digits, key, other, g, more))
    for rescale in rescales:
        for k, g, more in ((key, 5, addend), (worst, 1, None), (key, 1, addend[:1].copy())):
            expected = kernels.key_switch(x, k, other, g, more, rescale)
            assert np.array_equal(kernels.key_switch(x, k, one, g, more, rescale), expected)
            many = [k, k, k, k, key]  # more than share one reading of the digits
            hoisted = kernels.key_switch_digits(digits, many, one, [g, g, g, g, 7], more, rescale)
            assert all(np.array_equal(h, expected) for h in hoisted[:4])
            assert np.array_equal(hoisted[4], kernels.key_switch(x, key, other, 7, more, rescale))


@pytest.mark.parametrize("n", [16, 256])
def test_keys_of_four_bytes_give_the_same_bits(path: str, n: int, cases) -> None:
    moduli = cases.primes(n, 32, 7)
    basis, slow = cases.bases(n, moduli, path, threads=2)
    gadget, reference = Gadget(basis, 2, 2), Gadget(slow, 2, 2)
    key, x = cases.residues(slow, 3, 2), cases.residues(reference.level)
    worst = np.zeros_like(key) + column(moduli).astype(np.uint64) - np.uint64(1)
    for wide in (key, worst):
        narrow = kernels.compact_key(wide, basis)
        assert narrow.itemsize == (8 if path.startswith("cuda") else 4)
        digits = kernels.decompose(x, gadget)
        got = kernels.inner_product(digits, narrow, gadget, 5)
        assert np.array_equal(got, kernels.inner_product(digits, wide, reference, 5))
        assert np.array_equal(kernels.key_switch(x, narrow, gadget), kernels.key_switch(x, wide, reference))
        several = kernels.key_switch_digits(digits, [narrow, wide], gadget, [3, 3])
        assert np.array_equal(several[0], several[1])
    large = Basis(n, cases.primes(n, 33, 7), path)
    assert kernels.compact_key(cases.residues(large, 3, 2), large).itemsize == 8
    with pytest.raises(TypeError, match="key: got dtype uint32, expected uint64"):
        kernels.inner_product(digits, key.astype(np.uint32), reference)


def test_bad_arguments_are_refused(cases) -> None:
    for path in kernels.paths():
        basis = Basis(128, cases.primes(128, 40, 5), path, 1)
        gadget = Gadget(basis, 2, 2)
        x, key = np.zeros((3, 128), dtype=np.uint64), np.zeros((2, 2, 5, 128), dtype=np.uint64)
        digits = np.zeros((2, 5, 128), dtype=np.uint64)
        with pytest.raises(
            ValueError, match=r"key: got shape \(1, 2, 5, 128\), expected \(>= 2, 2, >= 5, 128\)"
        ):
            kernels.key_switch(x, key[:1], gadget)
        with pytest.raises(ValueError, match="key: got shape"):
            kernels.inner_product(digits, np.zeros((2, 2, 4, 128), dtype=np.uint64), gadget)
        with pytest.raises(ValueError, match="addend: got 3 components, expected 1 or 2"):
            kernels.key_switch(x, key, gadget, addend=np.zeros((3, 3, 128), dtype=np.uint64))
        with pytest.raises(ValueError, match="addend: got shape"):
            kernels.key_switch(x, key, gadget, addend=x)
        with pytest.raises(ValueError, match="digits: got shape"):
            kernels.inner_product(digits[:1], key, gadget)
        with pytest.raises(ValueError, match="got 2 exponents for 1 keys"):
            kernels.key_switch_digits(digits, [key], gadget, [1, 5])
        with pytest.raises(ValueError, match="expected 2 or more"):
            kernels.key_switch(x[:1], key, Gadget(basis.select([0, 3, 4]), 2, 2), rescale=True)
        with pytest.raises(ValueError, match="digit_limbs: got 0"):
            Gadget(basis, 2, 0)
