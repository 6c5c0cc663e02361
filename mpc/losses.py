"""Cross entropies whose value is computed when somebody asks for it: a training needs their gradient alone.

CrypTen takes the logarithms of every loss, for the binary one 75 rounds of messages with its formula, also
where only `backward` is called on it. Here the gradient is (p - y) / n at once, with the p from the forward
pass, and the value stays a promise: it is computed when something reads the loss (get_plain_text, a sum with
another loss). All parties must read it at the same place of the program, as with every operation on shares.

Nothing new is opened: a value that is never asked for is left out, and the rest are CrypTen's operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpc.waiting import fold


def replace_losses(crypten: Any) -> None:
    """Put them in the place of CrypTen's."""
    deferred = _deferred(crypten.mpc.MPCTensor)
    gradients = crypten.gradients
    for function, forward, backward in (
        # With respect to probabilities the gradient stays CrypTen's.
        (gradients.AutogradBinaryCrossEntropy, _binary(crypten), None),
        (gradients.AutogradBinaryCrossEntropyWithLogits, _binary_with_logits(crypten), _by_entries),
        (gradients.AutogradCrossEntropy, _of_classes, _by_rows),
    ):
        function.forward = staticmethod(_forward(deferred, forward))
        if backward is not None:
            function.backward = staticmethod(backward)
    crypten.nn.BCELoss.forward = _after_sigmoid(crypten, crypten.nn.BCELoss.forward)


def _deferred(mpc_tensor: Any) -> Any:
    class Deferred(mpc_tensor):  # type: ignore[misc]
        """A secret number that is computed by `value` when its share is first read."""

        def __init__(self, value: Callable[[], Any]) -> None:
            super().__init__([])
            self._value: Callable[[], Any] | None = value

        @property
        def _tensor(self) -> Any:
            if self._value is not None:
                # Deferred in a context where nothing is recorded, so computed in one as well.
                with type(self).no_grad():
                    self._kept = self._value()._tensor
                self._value = None
            return self._kept

        @_tensor.setter
        def _tensor(self, tensor: Any) -> None:
            self._kept, self._value = tensor, None

        def backward(self, grad_input: Any = None, top_node: bool = True) -> None:
            """As CrypTen's; without a gradient to begin with it is the public number 1."""
            super().backward(1 if grad_input is None else grad_input, top_node)

    return Deferred


def _forward(deferred: Any, parts: Callable[..., tuple[list[Any], Callable[[], Any]]]) -> Callable[..., Any]:
    """From what is saved for the backward pass and the value's computation, `forward` as CrypTen calls it."""

    def forward(ctx: Any, pred: Any, target: Any, skip_forward: bool = False, **known: Any) -> Any:
        if pred.size() != target.size():
            raise ValueError(
                f"predictions of shape {tuple(pred.size())} and targets of {tuple(target.size())} differ"
            )
        saved, value = parts(pred, target, **known)
        ctx.mark_non_differentiable(target)
        ctx.save_multiple_for_backward(saved)
        return pred.new(0) if skip_forward else deferred(value)

    return forward


def _binary(crypten: Any) -> Callable[..., Any]:
    def parts(p: Any, target: Any) -> tuple[list[Any], Callable[[], Any]]:
        p, target = p.detach(), target.detach()
        return [p, target], lambda: _binary_value(crypten, p, target)

    return parts


def _binary_with_logits(crypten: Any) -> Callable[..., Any]:
    def parts(logit: Any, target: Any, p: Any = None) -> tuple[list[Any], Callable[[], Any]]:
        p, target = (logit.sigmoid() if p is None else p.detach()), target.detach()
        return [p, target], lambda: _binary_value(crypten, p, target)

    return parts


def _binary_value(crypten: Any, p: Any, target: Any) -> Any:
    log_p, log_rest = crypten.stack([p, 1.0 - p]).log(input_in_01=True).unbind(dim=0)
    return -(target * log_p + (1.0 - target) * log_rest).mean()


def _of_classes(logits: Any, target: Any) -> tuple[list[Any], Callable[[], Any]]:
    """One-hot targets, or probabilities, along dimension 1, or 0 if it is the only one."""
    p, target = logits.softmax(1 if logits.dim() > 1 else 0), target.detach()
    return [p, target], lambda: -(p.log(input_in_01=True) * target).sum().div(target.size(0))


def _by_entries(ctx: Any, grad_output: Any) -> Any:
    p, target = ctx.saved_tensors
    return _scaled(_over(p - target, target.nelement()), grad_output)


def _by_rows(ctx: Any, grad_output: Any) -> Any:
    p, target = ctx.saved_tensors
    return _scaled(_over(p - target, target.size(0)), grad_output)


def _over(slope: Any, count: int) -> Any:
    """Probabilities less targets, by a number; with the division that the probabilities wait for, if any.

    Targets are from 0 to 1, so that the difference is at most 1 in size, and fits under that division.
    """
    return fold(slope).div(count)


def _scaled(gradient: Any, grad_output: Any) -> Any:
    """The public number 1, with which a backward pass begins, needs no product."""
    return gradient if isinstance(grad_output, int) and grad_output == 1 else gradient.mul(grad_output)


def _after_sigmoid(crypten: Any, original: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    def forward(self: Any, x: Any, y: Any) -> Any:
        """As CrypTen's; for the output of a sigmoid the gradient goes straight to its argument.

        The reciprocals of p and 1 - p in the one derivative and p (1 - p) in the other cancel: p - y is left.
        """
        if getattr(x, "grad_fn", None) is not crypten.gradients.AutogradSigmoid:
            return original(self, x, y)
        return x.children[0].binary_cross_entropy_with_logits(y, skip_forward=self.skip_forward, p=x)

    return forward
