"""From layers and samples to slots and back, in the interleaved, periodic order that `he.plan` describes."""

import numpy as np
from numpy.typing import NDArray

from he.ckks import linear
from he.model.layers import Dense
from he.plan import Plan, Step, period


def spread(entries: NDArray[np.float64], plan: Plan) -> NDArray[np.float64]:
    """(entries,) or (samples, entries) values as slots (slots,): padded, repeated, interleaved."""
    table = np.zeros((plan.samples, period(entries.shape[-1])))
    table[: len(entries) if entries.ndim == 2 else None, : entries.shape[-1]] = entries
    return np.tile(table, plan.width // table.shape[1]).T.reshape(plan.params.slots)


def gather(slots: NDArray[np.float64], count: int, plan: Plan) -> NDArray[np.float64]:
    """The score vectors (count, outputs) of the first `count` samples in slots (slots,)."""
    return slots.reshape(plan.width, plan.samples)[: plan.outputs, :count].T.copy()


def diagonals(dense: Dense, step: Step, plan: Plan) -> linear.Diagonals:
    """The diagonals of a dense layer, split for baby steps and giant steps.

    With input period p, output period m and D = min(p, m) diagonals, entry i of diagonal k is
    W[i mod m, (i + k) mod p]: their sum is complete if D = p, and else after adding the rotations by
    D, 2 D, ..., p / 2, which `step.sums` lists.
    """
    outputs, inputs = dense.weights.shape
    padded = np.zeros((step.out_period, step.period))
    padded[:outputs, :inputs] = dense.weights
    i = np.arange(plan.width)
    table = {
        k * plan.samples: np.repeat(padded[i % step.out_period, (i + k) % step.period], plan.samples)
        for k in range(step.diagonals)
    }
    block = min(linear.balanced_block(step.diagonals), step.diagonals)
    return linear.split(table, block * plan.samples)
