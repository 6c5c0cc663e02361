"""Base conversion and division by moduli. Meaning: `reference/basis.py`."""

from he.kernels.dispatch import U64, check_poly, native
from he.kernels.handles import Converter, Divider
from he.kernels.reference import basis as reference
from he.kernels.ring import empty


def convert(x: U64, converter: Converter) -> U64:
    """Centred base conversion of coefficients: (..., source limbs, N) in [0, q_i) -> (..., target limbs, N)
    in [0, p_j).
    """
    source, target = converter.source, converter.target
    check_poly(x, "x", source.limbs, source.n)
    if converter.handle is None:
        return reference.convert(x, source.moduli, target.moduli)
    out = empty((*x.shape[:-2], target.limbs, target.n), target)
    native(source.path).convert(converter.handle, x, out)
    return out


def mod_down(x: U64, divider: Divider) -> U64:
    """Divide by the product of the last `drop` moduli, rounding to nearest; NTT values: (..., limbs, N) ->
    (..., limbs - drop, N).

    With drop = 1 this is CKKS rescaling; with the special primes, the end of a key switch; with both, the two
    in one.
    """
    basis = divider.basis
    check_poly(x, "x", basis.limbs, basis.n)
    if divider.handle is None:
        return reference.mod_down(x, basis.moduli, divider.drop)
    out = empty((*x.shape[:-2], basis.limbs - divider.drop, basis.n), basis)
    native(basis.path).mod_down(divider.handle, x, out)
    return out
