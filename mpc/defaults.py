"""CrypTen's defaults that show secrets or make up for its errors, replaced by ones that do neither."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn


def replace_defaults(crypten: Any) -> None:
    """Hide shares in repr, and refuse what cannot be safe."""
    primitives = crypten.mpc.primitives
    for kind in (primitives.ArithmeticSharedTensor, primitives.BinarySharedTensor):
        kind.__repr__ = _describe_shares
    crypten.mpc.MPCTensor.__repr__ = _describe(crypten)
    crypten._setup_prng = _keep_streams
    crypten.manual_seed = _refuse_seeds
    crypten.init_thread = _refuse_threads


def _describe_shares(self: Any) -> str:
    return f"{type(self).__name__}(size={tuple(self.size())}, share=HIDDEN)"


def _describe(crypten: Any) -> Callable[[Any], str]:
    def describe(self: Any) -> str:
        """Shape and kind; the value too in CrypTen's debug mode, which opens it, never a share."""
        value = self.get_plain_text() if crypten.cfg.debug.debug_mode else "HIDDEN"
        return f"MPCTensor(size={tuple(self.size())}, plain_text={value}, ptype={self.ptype})"

    return describe


def _keep_streams() -> None:
    """CrypTen would set up Mersenne Twisters here; the parties' streams are in place already."""


def _refuse_seeds(*_: Any, **__: Any) -> NoReturn:
    raise ValueError("shares are drawn from secret keys of the run: seeds for them cannot be chosen")


def _refuse_threads(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError("a party is a process of its own: use crypten.init in processes, not init_thread")
