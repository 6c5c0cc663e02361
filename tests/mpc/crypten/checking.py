"""Many checks of CrypTen's interface in one set of parties, against torch; all failures are kept."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from typing import Any

import torch

import mpc

# One unit in the last place of CrypTen's fixed point with 16 fractional bits.
UNIT = 2.0**-16
# Opened values come as float32.
FLOAT32 = 2.0**-23

Bound = float | torch.Tensor
Run = Callable[[Any], None]


def grid(*size: int, seed: int = 0, low: float = -4.0, high: float = 4.0) -> torch.Tensor:
    """Random multiples of 2^-8 in [low, high), which the fixed point holds exactly."""
    uniform = torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return ((low + uniform * (high - low)) * 2**8).floor() / 2**8


def close(actual: Any, expected: Any, bound: Bound = 0.0) -> None:
    """Fail unless `actual`, secret or clear, is within `bound` of `expected` (entries, shapes, tuples)."""
    if isinstance(expected, tuple | list):
        assert len(actual) == len(expected), f"{len(actual)} results, expected {len(expected)}"
        for one, other in zip(actual, expected, strict=True):
            close(one, other, bound)
        return
    opened = actual.get_plain_text() if hasattr(actual, "get_plain_text") else actual
    expected = torch.as_tensor(expected).detach().double()
    assert opened.shape == expected.shape, f"shape {tuple(opened.shape)}, expected {tuple(expected.shape)}"
    excess = (opened.double() - expected).abs() - FLOAT32 * expected.abs() - bound
    if not excess.nelement() or bool((excess <= 0).all()):
        return
    worst = int(torch.where(excess.isnan(), torch.inf, excess).argmax())
    raise AssertionError(
        f"{opened.reshape(-1)[worst]:.7g} where {expected.reshape(-1)[worst]:.7g} was expected, "
        f"{float(excess.reshape(-1)[worst]):.3g} above the bound, in {int((excess > 0).sum())} of "
        f"{excess.nelement()} entries"
    )


class Table(dict[str, Run]):
    """Checks by name; each takes the module crypten and raises if something is wrong."""

    def add(self, run: Run) -> Run:
        """Decorator: the function is the check, under its own name."""
        assert run.__name__ not in self, f"two checks named {run.__name__}"
        self[run.__name__] = run
        return run

    def same(
        self, name: str, function: Callable[..., Any], *inputs: torch.Tensor, bound: Bound = 0.0
    ) -> None:
        """The function on secret inputs, one from each party in turn, equals itself on clear ones."""

        def run(crypten: Any) -> None:
            close(function(*share(crypten, inputs)), function(*inputs), bound)

        assert name not in self, f"two checks named {name}"
        self[name] = run

    def gradient(
        self, name: str, function: Callable[..., Any], *inputs: torch.Tensor, bound: Bound, clear: Any = None
    ) -> None:
        """Value and gradients with respect to all inputs equal those of `clear` (default: the function)."""

        def run(crypten: Any) -> None:
            secrets = share(crypten, inputs, requires_grad=True)
            leaves = [x.clone().requires_grad_() for x in inputs]
            result = function(*secrets)
            expected = (clear or function)(*leaves)
            close(result, expected, bound)
            weights = grid(*expected.shape, seed=9, low=-1.0, high=1.0)
            expected.backward(weights)
            result.backward(crypten.cryptensor(weights))
            for secret, leaf in zip(secrets, leaves, strict=True):
                close(secret.grad, leaf.grad, bound)

        self["gradient of " + name] = run


def share(crypten: Any, inputs: Sequence[torch.Tensor], **options: Any) -> list[Any]:
    """Secret tensors of the inputs, the first from party 0, the next from party 1, and so on around."""
    parties = crypten.communicator.get().get_world_size()
    return [crypten.cryptensor(x, src=index % parties, **options) for index, x in enumerate(inputs)]


def run_table(party: mpc.Party, table: Table) -> dict[str, str]:
    """What failed at this party, by name."""
    from mpc import engine

    failures = {}
    for name, run in table.items():
        torch.manual_seed(0)
        try:
            run(engine.crypten)
        except Exception:
            failures[name] = traceback.format_exc(limit=-3)
        finally:
            engine.crypten.set_grad_enabled(True)
    return failures
