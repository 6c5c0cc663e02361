"""Cross entropies: gradients without the value, which costs nothing until somebody reads it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

import mpc

UNIT = 2.0**-16
LOGITS = torch.linspace(-3, 3, 12).double().reshape(4, 3)
BITS = (torch.arange(12) % 2).double().reshape(4, 3)
CLASSES = functional.one_hot(torch.tensor([0, 2, 1, 1])).double()
# Two percent of a probability, spread over rows or entries, and the division.
PERCENT = 0.02


def rounds(party: mpc.Party, work: Any) -> tuple[Any, int]:
    before = party.cost()
    return work(), (party.cost() - before).rounds


def compute(party: mpc.Party) -> dict[str, Any]:
    from mpc.engine import crypten

    bits, classes = crypten.cryptensor(BITS), crypten.cryptensor(CLASSES)
    logits = crypten.cryptensor(LOGITS)
    losses = {
        "binary": (crypten.nn.BCEWithLogitsLoss(), bits),
        "classes": (crypten.nn.CrossEntropyLoss(), classes),
    }
    outcome: dict[str, Any] = {
        "sigmoid": rounds(party, logits.sigmoid)[1],
        "softmax": rounds(party, lambda: logits.softmax(1))[1],
    }
    for name, (loss, target) in losses.items():
        x = crypten.cryptensor(LOGITS, requires_grad=True)
        value, forward = rounds(party, lambda x=x, loss=loss, target=target: loss(x, target))
        _, backward = rounds(party, lambda x=x, value=value: (value.backward(), x.grad.share))
        text, asked = rounds(party, value.get_plain_text)
        again, once_more = rounds(party, value.get_plain_text)
        outcome[name] = x.grad.get_plain_text(), forward, backward, text, asked, again, once_more
    x = crypten.cryptensor(LOGITS, requires_grad=True)
    p = x.sigmoid()
    value, forward = rounds(party, lambda: crypten.nn.BCELoss()(p, bits))
    _, backward = rounds(party, lambda: (value.backward(), x.grad.share))
    outcome["after sigmoid"] = x.grad.get_plain_text(), forward, backward, value.get_plain_text()
    outcome["p"] = p.get_plain_text()
    x = crypten.cryptensor(LOGITS, requires_grad=True)
    p = x.sigmoid()
    (crypten.nn.BCELoss()(p, bits) * 2 + p.sum()).backward()
    outcome["sigmoid used twice"] = x.grad.get_plain_text()
    skipping = crypten.nn.BCEWithLogitsLoss(skip_forward=True)(logits, bits)
    outcome["skipped"] = rounds(party, skipping.get_plain_text)
    with pytest.raises(ValueError, match=r"shape \(4, 3\) and targets of \(4, 2\)"):
        logits.binary_cross_entropy_with_logits(bits[:, :2])
    return outcome


@pytest.fixture(scope="module", params=[1, 2, 3])
def outcome(request: pytest.FixtureRequest) -> tuple[int, dict[str, Any]]:
    return request.param, mpc.run_local(compute, request.param)[0]


@pytest.mark.parametrize(
    ("name", "clear", "target", "count", "probability"),
    [
        ("binary", functional.binary_cross_entropy_with_logits, BITS, 12, "sigmoid"),
        ("classes", functional.cross_entropy, CLASSES, 4, "softmax"),
    ],
)
def test_gradient_at_the_cost_of_a_division(
    outcome: tuple[int, dict[str, Any]], name: str, clear: Any, target: Any, count: int, probability: str
) -> None:
    leaf = LOGITS.clone().requires_grad_()
    expected = clear(leaf, target)
    expected.backward()
    parties, results = outcome
    gradient, forward, backward, text, asked, again, once_more = results[name]
    assert float((gradient - leaf.grad).abs().max()) < PERCENT / count + 2 * UNIT
    assert abs(float(text) - expected.item()) < 0.1
    assert torch.equal(text, again)
    several = int(parties > 1)
    assert forward == results[probability]
    assert (backward, once_more) == (several, several)
    if several:
        assert asked > 10


def test_a_loss_of_a_sigmoid_gives_p_minus_y(outcome: tuple[int, dict[str, Any]]) -> None:
    """Within a unit of the opened p: no reciprocal, whose error would be far larger, is in between."""
    parties, results = outcome
    gradient, forward, backward, value = results["after sigmoid"]
    assert float((gradient - (results["p"] - BITS) / 12).abs().max()) < 2 * UNIT
    assert (forward, backward) == (0, int(parties > 1))
    assert abs(float(value) - float(functional.binary_cross_entropy(LOGITS.sigmoid(), BITS))) < 0.1


def test_a_sigmoid_used_twice_gets_both_gradients(outcome: tuple[int, dict[str, Any]]) -> None:
    leaf = LOGITS.clone().requires_grad_()
    p = leaf.sigmoid()
    (functional.binary_cross_entropy(p, BITS) * 2 + p.sum()).backward()
    assert float((outcome[1]["sigmoid used twice"] - leaf.grad).abs().max()) < 2 * PERCENT


def test_a_skipped_value_is_zero(outcome: tuple[int, dict[str, Any]]) -> None:
    parties, results = outcome
    text, opened = results["skipped"]
    assert float(text) == 0
    assert opened == int(parties > 1)
