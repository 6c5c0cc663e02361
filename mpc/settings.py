"""CrypTen's `cfg.debug.validation_mode`, asked for at every attribute of a secret tensor, found faster.

Its way through OmegaConf takes 25 microseconds and a training step asks a thousand times: a third of the time
that a party computed for a step of a small network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def replace_settings(crypten: Any) -> None:
    """Put the shorter way in the place of CrypTen's; what the setting does stays as it is."""
    tensor = crypten.CrypTensor
    tensor.__getattribute__ = _attribute(crypten, tensor.__getattribute__.__wrapped__)


def _attribute(crypten: Any, plain: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def attribute(self: Any, name: str) -> Any:
        value = plain(self, name)
        return crypten.debug.validate_correctness(self, value, name) if validating(crypten.cfg) else value

    return attribute


def validating(cfg: Any) -> bool:
    """`cfg.debug.validation_mode`, read where OmegaConf keeps values that need no resolving."""
    try:
        value = cfg.config._content["debug"]._content["validation_mode"]._val
    except (AttributeError, KeyError, TypeError):
        value = None
    return value if type(value) is bool else bool(cfg.debug.validation_mode)
