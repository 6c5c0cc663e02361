"""Networks made of torch's layers, trained on shares; the same steps run in the clear as the twin."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Self

import torch
from torch import nn

from mpc import layers, metrics
from mpc.batches import batches, factor
from mpc.checkpoint import Checkpoints
from mpc.following import After, following
from mpc.optimise import SGD, Adam
from mpc.party import Party
from mpc.progress import Progress
from mpc.stopping import Best, EarlyStop, state_of
from mpc.tensors import is_secret, largest, positive, probabilities, tracked

LOSSES = ("cross-entropy", "mse")


@dataclass(frozen=True)
class _Course:
    """Which steps are taken on which loss."""

    loss: str
    steps: int
    batch_size: int | None
    schedule: str
    seed: int


class Network:
    """A torch.nn.Sequential with its parameters in the clear (the twin) or, by `share`, secret.

    Layers: Linear, Conv2d, BatchNorm1d, BatchNorm2d, ReLU, MaxPool2d, AvgPool2d, Flatten. The architecture is
    public. Nothing is revealed by training, predicting or scoring. No gradient is clipped or compared with
    anything on the way, because products are truncated rightly.
    """

    def __init__(self, model: nn.Sequential) -> None:
        layers.check(model)
        self._model = copy.deepcopy(model).double()
        self._tensors: list[dict[str, Any]] = [
            {name: tensor.detach().clone() for name, tensor in _named(layer)} for layer in self._model
        ]

    @classmethod
    def share(cls, party: Party, model: nn.Sequential, owner: str | int) -> Self:
        """The network with `owner`'s parameters as secret start; the others' models give the shapes alone."""
        network = cls(model)
        mine = party.names[party.rank] == owner or party.rank == owner
        network._tensors = [
            {
                name: party.secret(tensor if mine else None, owner=owner, size=tuple(tensor.shape))
                for name, tensor in tensors.items()
            }
            for tensors in network._tensors
        ]
        return network

    def fit(
        self,
        x: Any,
        y: Any,
        *,
        optimiser: SGD | Adam,
        loss: str = "cross-entropy",
        steps: int = 100,
        batch_size: int | None = 32,
        schedule: str = "constant",
        seed: int = 0,
        stop: EarlyStop | None = None,
        checkpoints: Checkpoints | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Train on x of shape (rows, ...) and y of shape (rows, outputs), both secret or both torch tensors.

        Cross-entropy wants one-hot labels, or 0 and 1 in one column; mse wants numbers of size about 1. The
        loss itself is computed for a `progress` that shows it only, else its derivative alone. Batches come
        from the public `seed`. `stop` watches the accuracy on held-out rows, for mse R^2 (y of variance about
        1). With `checkpoints` of secret tensors a training that was cut off goes on where it was.
        """
        self._check(x, y, loss)
        course = _Course(loss, steps, batch_size, schedule, seed)
        data, best, first = [x, y, None if stop is None else [stop.x, stop.y]], None, 0
        if checkpoints is not None:
            settings = self._settings(course, optimiser, stop, data)
            settings["loss shown every"] = progress and progress.loss_every
            first, data, state = checkpoints.begin(settings, data, self._state(optimiser, None))
            best = self._restore(optimiser, *state)
        with following(steps, first, checkpoints, progress) as after:
            best = self._train(course, optimiser, data, stop, best, first, after)
        if checkpoints is not None:
            checkpoints.end()
        if best is not None:
            self._tensors = best.weights
        return self

    def _train(
        self,
        course: _Course,
        optimiser: SGD | Adam,
        data: list[Any],
        stop: EarlyStop | None,
        best: Best | None,
        first: int,
        after: After,
    ) -> Best | None:
        """Take the steps from number `first` on."""
        x, y, held_out = data
        order = batches(x.size(0), course.batch_size, course.steps, course.seed)
        for step, rows in islice(enumerate(order), first, None):
            if best is not None and stop is not None and best.checks_since == stop.patience:
                break
            chosen, rate = torch.from_numpy(rows), factor(course.schedule, step, course.steps)
            now_x, now_y = x[chosen], y[chosen]
            self._step(now_x, now_y, course.loss, optimiser, rate)
            if stop is not None and (step + 1) % stop.check_every == 0:
                score = self._held_out_score(course.loss, *held_out)
                best = Best.after(best, score, self._weights(), stop.tol)
            loss = partial(self._loss, course.loss, now_x, now_y)
            after(step + 1, partial(self._state, optimiser, best), loss)
        return best

    def _settings(
        self, course: _Course, optimiser: SGD | Adam, stop: EarlyStop | None, data: list[Any]
    ) -> dict[str, object]:
        return {
            "network": str(self._model),
            "optimiser": optimiser,
            "course": course,
            "stop": None if stop is None else (stop.patience, stop.check_every, stop.tol),
            "shapes": [tuple(table.size()) for table in data[:2]],
        }

    def scores(self, x: Any) -> Any:
        """The last layer's output, shape (rows, outputs), as secret as the network or x is."""
        return self._forward(x, [dict(tensors) for tensors in self._tensors], training=False)

    def predict_proba(self, x: Any) -> Any:
        """Sigmoid of one output, softmax of several, as secret as the scores."""
        return probabilities(self.scores(x))

    def predict(self, x: Any) -> Any:
        """Classes of shape (rows, 1), as secret as the scores."""
        scores = self.scores(x)
        if scores.size(1) == 1:
            return positive(scores)
        return largest(scores).matmul(torch.arange(scores.size(1), dtype=torch.float64).reshape(-1, 1))

    def score(self, x: Any, y: Any) -> Any:
        """The accuracy, shape (1, 1), as secret as the scores."""
        return metrics.accuracy(self.scores(x), y)

    def reveal(self, party: Party, *, to: Sequence[str | int]) -> nn.Sequential | None:
        """The trained torch model, in evaluation mode, at the parties named in `to`; None at all others."""
        if isinstance(to, str) or not to:
            raise ValueError(f"to must be a list of the parties that get the network, got {to!r}")
        shown = [
            [{name: party.reveal(t, one) for name, t in tensors.items()} for tensors in self._tensors]
            for one in to
        ]
        mine = [one for one in to if one in (party.rank, party.name)]
        return self._torch_model(shown[list(to).index(mine[0])]) if mine else None

    def in_the_clear(self) -> nn.Sequential:
        """The twin as a torch model in evaluation mode; TypeError for a secret network."""
        if any(is_secret(tensor) for tensors in self._tensors for tensor in tensors.values()):
            raise TypeError("the network is secret: reveal(party, to=[...]) opens it")
        return self._torch_model(self._tensors)

    def _check(self, x: Any, y: Any, loss: str) -> None:
        if loss not in LOSSES:
            raise ValueError(f"loss must be one of {list(LOSSES)}, got {loss!r}")
        if y.dim() != 2 or y.size(0) != x.size(0):
            raise ValueError(f"y of shape ({x.size(0)}, outputs) was expected, got {tuple(y.size())}")
        secret = is_secret(next(iter(next(tensors for tensors in self._tensors if tensors).values())))
        if not is_secret(x) == is_secret(y) == secret:
            raise TypeError("network, x and y must all be secret, or all be in the clear")

    def _forward(self, x: Any, tensors: list[dict[str, Any]], training: bool) -> Any:
        for layer, own in zip(self._model, tensors, strict=True):
            x = layers.LAYERS[type(layer)](layer, own, x, training)
        return x

    def _step(self, x: Any, y: Any, loss: str, optimiser: SGD | Adam, rate: float) -> None:
        trained = [[name for name, _ in layer.named_parameters()] for layer in self._model]
        leaves = [
            {name: tracked(tensor) if name in names else tensor for name, tensor in tensors.items()}
            for names, tensors in zip(trained, self._tensors, strict=True)
        ]
        scores = self._forward(x, leaves, training=True)
        if tuple(scores.size()) != tuple(y.size()):
            raise ValueError(f"the network gives {tuple(scores.size())} for labels of {tuple(y.size())}")
        known = scores.detach()
        if loss == "mse":
            slope, count = (known - y) * 2.0, y.size(0) * y.size(1)
        else:
            slope, count = probabilities(known) - y, y.size(0)
        # Divided at the end only, or small derivatives would lose their bits on the way back.
        scores.backward(slope)
        places = [(place, name) for place, names in enumerate(trained) for name in names]
        parameters = {
            f"{place}.{name}": (leaves[place][name].detach(), leaves[place][name].grad)
            for place, name in places
        }
        following = optimiser.step(parameters, int(count), rate)
        for place, name in places:
            leaves[place][name] = following[f"{place}.{name}"]
        self._tensors = leaves

    def _held_out_score(self, loss: str, x: Any, y: Any) -> Any:
        return metrics.r2(self.scores(x), y) if loss == "mse" else self.score(x, y)

    def _loss(self, loss: str, x: Any, y: Any) -> Any:
        return (metrics.mse if loss == "mse" else metrics.log_loss)(self.scores(x), y)

    def _weights(self) -> list[dict[str, Any]]:
        return [{name: tensor.detach() for name, tensor in tensors.items()} for tensors in self._tensors]

    def _state(self, optimiser: SGD | Adam, best: Best | None) -> list[Any]:
        return [self._weights(), optimiser.state(), state_of(best)]

    def _restore(
        self, optimiser: SGD | Adam, weights: list[dict[str, Any]], moments: dict[str, Any], best: Any
    ) -> Best | None:
        self._tensors = weights
        optimiser.restore(moments)
        return Best.restore(best)

    def _torch_model(self, tensors: list[dict[str, Any]]) -> nn.Sequential:
        model = copy.deepcopy(self._model)
        with torch.no_grad():
            for layer, own in zip(model, tensors, strict=True):
                for name, place in _named(layer):
                    place.copy_(own[name])
        return model.eval()


def _named(layer: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """Parameters and running statistics; a counter of batches is neither."""
    named = [*layer.named_parameters(), *layer.named_buffers()]
    return [(name, tensor) for name, tensor in named if tensor.is_floating_point()]
