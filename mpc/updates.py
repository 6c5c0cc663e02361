"""CrypTen's gradient steps, all parameters in one round: `crypten.optim.SGD` and `Module.update_parameters`.

CrypTen multiplies each gradient by the rate in a round of its own. Here the divisions of all parameters
travel together, and a gradient that waits for its own (mpc.waiting) is divided once, by its scale over the
rate. Security is that of mpc.protocols.truncate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from mpc.comparison import with_share
from mpc.sums import weighted_sums
from mpc.waiting import settle

# Fractional bits of the coefficients of a sum: numbers times coefficients must stay below 2^22.
_COEFFICIENT_BITS = 24
# A coefficient and what it stands before.
_Term = tuple[float, Any]


def replace_updates(crypten: Any) -> None:
    """Put them in the place of CrypTen's."""
    crypten.nn.Module.update_parameters = _update_parameters(crypten, crypten.nn.Module.update_parameters)
    crypten.optim.SGD.step = _step(crypten, crypten.optim.SGD.step)


def _update_parameters(crypten: Any, original: Callable[..., None]) -> Callable[..., None]:
    def update_parameters(self: Any, learning_rate: float, grad_threshold: float | None = None) -> None:
        """CrypTen's step, with a threshold only if one is asked for.

        CrypTen's default of 100 hides divisions gone wrong, and costs a square and a private comparison for
        every weight. Here divisions are right.
        """
        if not self.encrypted or not self.training or grad_threshold is not None:
            original(self, learning_rate, grad_threshold=grad_threshold)
            return
        with crypten.no_grad():
            moved = [parameter for parameter in self.parameters() if parameter.grad is not None]
            _descend(crypten, moved, [parameter.grad for parameter in moved], learning_rate)

    return update_parameters


def _step(crypten: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def step(self: Any, closure: Callable[[], Any] | None = None) -> Any:
        """As CrypTen's, with momentum, Nesterov's too, dampening and weight decay; see its constructor."""
        if self.square_threshold is not None:
            return original(self, closure)
        with crypten.no_grad():
            loss = None
            if closure is not None:
                with crypten.enable_grad():
                    loss = closure()
            for group in self.param_groups:
                moved = [parameter for parameter in group["params"] if parameter.grad is not None]
                if group["momentum"] or group["weight_decay"]:
                    _descend_with_momentum(crypten, moved, group, self.state)
                else:
                    _descend(crypten, moved, [parameter.grad for parameter in moved], group["lr"])
        return loss

    return step


def _descend(crypten: Any, parameters: Sequence[Any], gradients: Sequence[Any], rate: float) -> None:
    """Each parameter less `rate` times its gradient, in place."""
    if rate and parameters:
        steps = _sums(crypten, [[(rate, gradient)] for gradient in gradients], parameters)
        for parameter, step in zip(parameters, steps, strict=True):
            parameter.share.sub_(step)


def _descend_with_momentum(crypten: Any, parameters: Sequence[Any], group: Any, state: Any) -> None:
    """torch.optim.SGD's rule, which CrypTen follows: first all gradients are read, then all sums divided."""
    settle(crypten, [parameter.grad for parameter in parameters])
    rate, momentum, decay = group["lr"], group["momentum"], group["weight_decay"]
    sums: list[list[_Term]] = []
    for parameter in parameters:
        own = state[id(parameter)]
        kept = step = slope = [(1.0, parameter.grad), (decay, parameter)]
        if momentum:
            if "momentum_buffer" in own:
                kept = [(momentum, own["momentum_buffer"]), *_times(1 - group["dampening"], slope)]
            step = [*slope, *_times(momentum, kept)] if group["nesterov"] else kept
            sums.append(kept)
        sums.append([(1.0, parameter), *_times(-rate, step)])
    results = iter(_sums(crypten, sums, parameters))
    for parameter in parameters:
        if momentum:
            state[id(parameter)]["momentum_buffer"] = with_share(parameter.detach(), next(results))
        parameter.share.copy_(next(results))


def _times(factor: float, terms: Sequence[_Term]) -> list[_Term]:
    return [(factor * coefficient, tensor) for coefficient, tensor in terms]


def _sums(crypten: Any, wanted: Sequence[Sequence[_Term]], parameters: Sequence[Any]) -> list[torch.Tensor]:
    """Shares with the fractional bits of the parameters; one round."""
    return weighted_sums(crypten, wanted, parameters[0].encoder.scale, _COEFFICIENT_BITS) if wanted else []
