"""Correlated randomness in CrypTen's interface, from the dealer, in place of CrypTen's insecure providers."""

from __future__ import annotations

import warnings
from typing import Any, NoReturn, Protocol

import numpy as np
import torch

from mpc.choice import Comparing
from mpc.dealer.tuples import Request, Shape
from mpc.protocols.compare import ComparisonMask, QuotientMask
from mpc.protocols.compare_dcf import SignKey, tuples_for
from mpc.protocols.dcf import Corrections
from mpc.protocols.gate import GateMask, QuotientGateMask
from mpc.protocols.harmonics import HarmonicMask, Series
from mpc.protocols.lookup import TableMask
from mpc.protocols.opening import Array
from mpc.protocols.product import LayerMask
from mpc.protocols.truncate import TruncationMask

NAME = "DEALER"
CPU = torch.device("cpu")


class Dealer(Protocol):
    """Where tuples come from."""

    def deal(self, request: Request) -> list[torch.Tensor]:
        """This party's shares of all parts of one tuple."""
        ...


class DealerProvider:
    """CrypTen's interface for correlated randomness, served by the dealer.

    `crypten` is the module, from whose types the tuples are made. `comparing` says how numbers are compared.
    """

    deals = False
    """Whether this party deals itself, and holds zero of what is shared (mpc.third)."""

    def __init__(self, crypten: Any, dealer: Dealer, comparing: Comparing) -> None:
        self._dealer = dealer
        self.comparing = comparing
        self._arithmetic = crypten.mpc.primitives.ArithmeticSharedTensor
        self._binary = crypten.mpc.primitives.BinarySharedTensor

    def generate_additive_triple(
        self, size0: torch.Size, size1: torch.Size, op: str, device: Any = None, **options: Any
    ) -> tuple[Any, ...]:
        """Additive shares of a, b and op(a, b)."""
        settings = tuple(sorted((name, _plain(value)) for name, value in options.items()))
        return self._additive(Request("product", (tuple(size0), tuple(size1)), op, settings), device)

    def square(self, size: torch.Size, device: Any = None) -> tuple[Any, ...]:
        """Additive shares of r and r^2."""
        return self._additive(Request("square", (tuple(size),)), device)

    def generate_binary_triple(
        self, size0: torch.Size, size1: torch.Size, device: Any = None
    ) -> tuple[Any, ...]:
        """Bitwise shares of a, b and a & b."""
        require_cpu(device)
        parts = self._dealer.deal(Request("and", (tuple(size0), tuple(size1))))
        return tuple(self._binary.from_shares(part) for part in parts)

    def wrap_rng(self, size: torch.Size, device: Any = None) -> tuple[Any, ...]:
        """Additive shares of r and of the number of times that its shares wrap."""
        return self._additive(Request("wraps", (tuple(size),)), device)

    def B2A_rng(self, size: torch.Size, device: Any = None) -> tuple[Any, ...]:
        """One random bit, shared additively and bitwise."""
        require_cpu(device)
        bitwise, additive = self._dealer.deal(Request("bit", (tuple(size),)))
        return self._arithmetic.from_shares(additive, precision=0), self._binary.from_shares(bitwise)

    def summed(self, share: torch.Tensor) -> torch.Tensor:
        """A share of the same value where those who open it have all of it."""
        return share

    def truncation_mask(self, size: Shape, divisor: int, own: torch.Tensor | None = None) -> TruncationMask:
        """Shares of r, floor(r / divisor) and r's top bit, to cover a value of which this party has `own`."""
        return TruncationMask(*self._dealer.deal(Request("truncation", (tuple(size),), divisor=divisor)))

    def comparison(self, count: int) -> ComparisonMask:
        """What the signs of `count` numbers use up."""
        return ComparisonMask(*self._words(Request("comparison", ((count,),))))

    def quotient_comparison(self, count: int, divisor: int) -> tuple[ComparisonMask, QuotientMask]:
        """What the signs of `count` numbers and their quotients by `divisor` use up."""
        parts = self._words(Request("comparison", ((count,),), divisor=divisor))
        own = len(ComparisonMask._fields)
        return ComparisonMask(*parts[:own]), QuotientMask(*parts[own:])

    def sign_keys(self, count: int) -> list[SignKey]:
        """Keys for the signs of `count` numbers between two parties."""
        requests = [Request("dcf", ((part,),)) for part in tuples_for(count)]
        dealt = [self._words(one) for one in requests]
        # The third part is this party's share of the cipher's key, which all get with the corrections.
        return [SignKey(r, seed, offset, Corrections(*public)) for r, seed, _, offset, *public in dealt]

    def harmonics(self, count: int, series: Series, scale_bits: int) -> HarmonicMask:
        """What `count` values of the series use up, for numbers with `scale_bits` fractional bits."""
        options = (("count", series.count), ("period_bits", series.log_period + scale_bits))
        return HarmonicMask(*self._words(Request("harmonics", ((count,),), options=options)))

    def gate(self, count: int) -> GateMask:
        """What multiplying `count` numbers by bits shared bitwise uses up."""
        return GateMask(*self._words(Request("gate", ((count,),))))

    def quotient_gate(self, count: int, divisor: int) -> QuotientGateMask:
        """As `gate`, of the numbers over a divisor."""
        return QuotientGateMask(*self._words(Request("gate", ((count,),), divisor=divisor)))

    def table(self, count: int, entries: int) -> TableMask:
        """What telling `count` numbers below `entries` from a public one uses up."""
        return TableMask(*self._words(Request("table", ((count,),), options=(("count", entries),))))

    def layer(
        self, op: str, sizes: tuple[Shape, Shape], wanted: tuple[bool, bool], options: dict[str, Any]
    ) -> LayerMask:
        """Shares of masks for both factors and the gradient of their product, and of the products wanted.

        `wanted` says whether the first factor's gradient will be needed, and the second's.
        """
        settings = (*sorted(options.items()), ("wanted", wanted))
        a, b, g, forward, *gradients = self._dealer.deal(Request("layer", sizes, op, settings))
        rest = iter(gradients)
        left, right = (next(rest) if one else None for one in wanted)
        return LayerMask(a, b, g, forward, left, right)

    def trace(self, *_: Any, **__: Any) -> NoReturn:
        """There is no cache of tuples to fill by hand."""
        raise NotImplementedError(
            "there is no tuple cache: the dealer foresees what a loop asks for and deals it ahead by itself; "
            "remove the calls of crypten.trace, crypten.trace_once and crypten.fill_cache"
        )

    trace_once = fill_cache = save_cache = load_cache = trace

    def _words(self, request: Request) -> list[Array]:
        return [part.numpy().view(np.uint64) for part in self._dealer.deal(request)]

    def _additive(self, request: Request, device: Any) -> tuple[Any, ...]:
        require_cpu(device)
        return tuple(self._arithmetic.from_shares(part, precision=0) for part in self._dealer.deal(request))


class Providers(dict[str, DealerProvider]):
    """CrypTen's table of providers: the dealer under its own name.

    Programs written for plain CrypTen may ask for one of its insecure dealers; with `substitute` they get
    this one, and a warning, otherwise ValueError.
    """

    def __init__(self, provider: DealerProvider, substitute: bool) -> None:
        super().__init__({NAME: provider})
        self._substitute = substitute

    def __missing__(self, name: str) -> DealerProvider:
        if not self._substitute or name not in ("TFP", "TTP", "HE"):
            raise ValueError(f"provider {name!r} is not safe and not available; the only one is {NAME!r}")
        warnings.warn(f"CrypTen's provider {name!r} was asked for and replaced by the dealer", stacklevel=3)
        self[name] = self[NAME]
        return self[NAME]


def require_cpu(device: Any) -> None:
    """Raise ValueError unless `device` is the CPU or None."""
    if device is not None and torch.device(device) != CPU:
        raise ValueError(f"secret tensors live on the CPU here, got device {device}")


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | torch.Size) else value
