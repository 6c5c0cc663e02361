"""How good predictions are, computed on shares; only who opens the result learns anything.

All functions take columns: scores of shape (rows, outputs), and labels of shape (rows, 1) with entries 0 or 1
or one-hot of shape (rows, classes), both secret or both torch tensors. All return shape (1, 1), as secret as
the scores.
"""

from __future__ import annotations

from typing import Any

from mpc.tensors import is_secret, join, largest, positive, zeros_like

# Comparisons of one block of the AUC's pairs; bounds its memory to about 100 MB.
_PAIRS = 1 << 17
# log(1 + t) for 0 <= t <= 1 within 1e-5: Hastings, 1955, as in Abramowitz, Stegun, 4.1.43.
_LOG_1_PLUS = (0.03215845, -0.13606275, 0.28947478, -0.49190896, 0.99949556)


def accuracy(scores: Any, y: Any) -> Any:
    """The share of rows whose label the scores give: a positive score, or the largest of several."""
    rows = _check(scores, y)
    if scores.size(1) > 1:
        return _total(largest(scores) * y).div(rows)
    predicted = positive(scores)
    wrong = predicted + y - predicted * y * 2.0
    return 1.0 - _total(wrong).div(rows)


def log_loss(scores: Any, y: Any) -> Any:
    """The mean of -log p(label), from scores before the sigmoid or softmax, of magnitude below 128.

    log(sum of e^score) is built up pair by pair as max(a, b) + log(1 + e^-|a - b|), so that the logarithm is
    only ever taken of numbers from 1 to 2. Within 0.002 of the exact loss per level of pairs: what CrypTen's
    exponential (1 - d / 256)^256 is wrong by.
    """
    rows = _check(scores, y)
    if scores.size(1) == 1:
        scores, y = join([zeros_like(scores), scores], dim=1), join([1.0 - y, y], dim=1)
    return (_total(_log_sum_exp(scores)) - _total(scores * y)).div(rows)


def mse(predicted: Any, y: Any) -> Any:
    """The mean square error over rows and outputs."""
    rows = _check(predicted, y)
    error = predicted - y
    return _total(error * error).div(rows).div(int(y.size(1)))


def squared_hinge(scores: Any, y: Any) -> Any:
    """The mean of max(0, 1 - s t)^2 over rows and outputs, t = 1 for label 1 and -1 for label 0."""
    rows = _check(scores, y)
    short = (1.0 - (y * 2.0 - 1.0) * scores).relu()
    return _total(short * short).div(rows).div(int(y.size(1)))


def auc(scores: Any, y: Any) -> Any:
    """The area under the receiver operating characteristic, for scores and labels of shape (rows, 1).

    The share of pairs of a positive and a negative row that the scores order rightly, ties half (Mann,
    Whitney, 1947). Labels are secret, so every pair of rows is compared: rows^2 comparisons. Without rows
    of both classes it means nothing.
    """
    rows = _check(scores, y)
    if scores.size(1) != 1:
        raise ValueError(f"scores of shape (rows, 1) were expected, got {tuple(scores.size())}")
    height = max(1, _PAIRS // rows)
    above = join([positive(scores[i : i + height] - scores.t()) for i in range(0, rows, height)], dim=0)
    ordered = (above - above.t() + 1.0) * 0.5
    # Divided by the rows at each step, so that all numbers stay between 0 and 1.
    right = y.t().matmul(ordered.matmul(1.0 - y).div(rows)).div(rows)
    share = _total(y).div(rows)
    return right * (share * (1.0 - share)).reciprocal()


def r2(predicted: Any, y: Any) -> Any:
    """1 - (mean square error) / (variance of y), over all outputs; y of variance about 1 (0.01 to 50)."""
    rows = _check(predicted, y)
    error, spread = predicted - y, y - y.sum(dim=0, keepdim=True).div(rows)
    return 1.0 - _total(error * error).div(rows) * _total(spread * spread).div(rows).reciprocal()


def _check(scores: Any, y: Any) -> int:
    if tuple(scores.size()) != tuple(y.size()) or scores.dim() != 2 or scores.size(0) == 0:
        raise ValueError(
            f"scores and labels of one shape (rows, outputs) were expected, got {tuple(scores.size())} and "
            f"{tuple(y.size())}"
        )
    if is_secret(scores) != is_secret(y):
        raise TypeError("scores and labels must both be secret, or both be torch tensors")
    return int(scores.size(0))


def _total(x: Any) -> Any:
    return x.sum(dim=0, keepdim=True).sum(dim=1, keepdim=True)


def _log_sum_exp(x: Any) -> Any:
    """log of the sum of e^x over each row, shape (rows, 1)."""
    while x.size(1) > 1:
        even = x.size(1) // 2 * 2
        first, second = x[:, 0:even:2], x[:, 1:even:2]
        difference = second - first
        gain = positive(difference) * difference
        distance = gain + gain - difference
        both = first + gain + _log_one_plus((-distance).exp())
        x = join([both, x[:, even:]], dim=1) if even < x.size(1) else both
    return x


def _log_one_plus(t: Any) -> Any:
    result = zeros_like(t)
    for coefficient in _LOG_1_PLUS:
        result = (result + coefficient) * t
    return result
