"""Secret tensors among three parties without a helper: right, counted, and unseen by the third party."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mpc
from mpc.engine import crypten
from mpc.linear import LogisticRegression
from mpc.network import Network
from mpc.optimise import SGD
from mpc.processes import ProcessFailed
from mpc.protocols.compare_dcf import TUPLE_TESTS
from mpc.stock import Stock

UNIT = 2.0**-16
ENTRIES = 4096
SIZE = (4, 5)
# As in tests/mpc/test_replicated.py: below 2^-42 for a uniform byte, beside which 2^16 bytes are many.
CHI_SQUARE_OF_256 = 470.0


def inputs() -> list[torch.Tensor]:
    """Multiples of a unit, so that sharing them is exact."""
    generator = torch.Generator().manual_seed(1)
    return [
        (torch.randn(SIZE, generator=generator, dtype=torch.float64) / UNIT).round() * UNIT for _ in range(3)
    ]


A, B, C = inputs()
# For the layers.
MAPS = torch.arange(2 * 2 * 5 * 4, dtype=torch.float64).reshape(2, 2, 5, 4) / 64 - 0.5
KERNELS = torch.arange(3 * 2 * 2 * 2, dtype=torch.float64).reshape(3, 2, 2, 2) / 16 - 0.75
BITS = (A < B).double()

Case = tuple[Callable[[Any, Any, Any], Any], torch.Tensor, float]
# What is computed of secrets of parties 0, 1 and 2, the clear value, and the largest error in units: one for
# each truncation, whatever the size of a matrix product.
CASES: dict[str, Case] = {
    "sum": (lambda a, b, c: a + c - 2.5, A + C - 2.5, 0),
    "product": (lambda a, b, c: a * c, A * C, 1),
    "broadcast product": (lambda a, b, c: a * c[0], A * C[0], 1),
    "two products": (lambda a, b, c: a * b * c, A * B * C, 1 + float(C.abs().max())),
    "matrix product": (lambda a, b, c: c.matmul(b.t()), C @ B.t(), 1),
    "square": (lambda a, b, c: c.square(), C.square(), 1),
    "public factor": (lambda a, b, c: b * 0.5, B * 0.5, 1),
    "quotient": (lambda a, b, c: c / 3, C / 3, 2),
    "mean": (lambda a, b, c: c.mean(), C.mean(), 2),
    "negative": (lambda a, b, c: c < 0, (C < 0).double(), 0),
    "larger": (lambda a, b, c: c > a, (C > A).double(), 0),
    "equal": (lambda a, b, c: c == c + (a < b), 1 - BITS, 0),
    "bits": (lambda a, b, c: (a < b) * (c < b), BITS * (C < B), 0),
    "selected": (lambda a, b, c: (a < b) * c, BITS * C, 0),
    "rectified": (lambda a, b, c: c.relu(), C.relu(), 0),
    "absolute": (lambda a, b, c: c.abs(), C.abs(), 0),
    "largest": (lambda a, b, c: c.max(dim=1)[0], C.max(dim=1).values, 0),
    "place": (lambda a, b, c: c.argmax(dim=1), nn.functional.one_hot(C.argmax(1), SIZE[1]).double(), 0),
    "sigmoid": (lambda a, b, c: c.sigmoid(), C.sigmoid(), 2),
    "hyperbolic tangent": (lambda a, b, c: c.tanh(), C.tanh(), 2),
    "softmax": (lambda a, b, c: c.softmax(1), C.softmax(1), 6),
    "exponential": (lambda a, b, c: c.exp(), C.exp(), 16),
    "logarithm": (lambda a, b, c: (c.abs() + 0.5).log(), (C.abs() + 0.5).log(), 4),
    "root": (lambda a, b, c: (c.abs() + 0.5).sqrt(), (C.abs() + 0.5).sqrt(), 4),
    "reciprocal": (lambda a, b, c: (c.abs() + 0.5).reciprocal(), 1 / (C.abs() + 0.5), 6),
    "gelu": (lambda a, b, c: c.gelu(), nn.functional.gelu(C), 4),
    "by bits": (lambda a, b, c: c.to(crypten.mpc.binary).to(crypten.mpc.arithmetic), C, 0),
}


def compute(party: mpc.Party) -> dict[str, Any]:
    """Every case: the value, and what it cost but for opening it; then what is refused."""
    secrets = [party.secret(x if party.rank == k else None, k, SIZE) for k, x in enumerate(inputs())]
    results: dict[str, Any] = {}
    for name, (secret, _, _) in CASES.items():
        before, received = party.cost(), party._communicator.bytes_received
        value = secret(*secrets)
        spent = party.cost() - before
        # The first party tells the third one now and then how far it is.
        told = 16 * spent.dealer_rounds
        received, sent = party._communicator.bytes_received - received, spent.bytes_sent
        received, sent = (received - told, sent) if party.rank == 2 else (received, sent - told)
        results[name] = value.get_plain_text(), spent.rounds, sent, received
    results["layers"] = layers()
    results["to one"] = [None if party.reveal(secrets[0], to=k) is None else party.rank for k in range(3)]
    results["raw"] = secrets[0].reveal()
    results["watched"] = watched(party)
    results["refused"] = refused(secrets[0])
    results["dealt"] = sum(party.dealt().values())
    return results


def layers() -> list[torch.Tensor]:
    """A convolution and a matrix product with all gradients, and transposed ones."""
    maps, kernels = crypten.cryptensor(MAPS, src=2), crypten.cryptensor(KERNELS, src=1)
    x, w = maps.clone(), kernels.clone()
    x.requires_grad = w.requires_grad = True
    value = x.conv2d(w, padding=1)
    value.sum().backward()
    left, right = crypten.cryptensor(A, src=2), crypten.cryptensor(B.t(), src=0)
    left.requires_grad = right.requires_grad = True
    total = left.matmul(right)
    total.sum().backward()
    wide = kernels.transpose(0, 1).conv_transpose2d(kernels)
    opened = [value, x.grad, w.grad, total, left.grad, right.grad, wide]
    return [secret.get_plain_text() for secret in opened]


def clear_layers() -> list[torch.Tensor]:
    x, w, left, right = (t.clone().requires_grad_() for t in (MAPS, KERNELS, A, B.t()))
    value, total = torch.conv2d(x, w, padding=1), left @ right
    (value.sum() + total.sum()).backward()
    wide = torch.conv_transpose2d(KERNELS.transpose(0, 1), KERNELS)
    return [t.detach() for t in (value, x.grad, w.grad, total, left.grad, right.grad, wide)]


def watched(party: mpc.Party) -> list[np.ndarray[Any, Any]]:
    """All words that this party receives while one truncated number, often, is opened."""
    value = crypten.cryptensor(torch.full((1 << 16,), 3.25), src=0) * 0.5
    communicator, seen = party._communicator, []
    original = communicator._receive

    def receive(peer: int, like: torch.Tensor) -> torch.Tensor:
        seen.append(original(peer, like))
        return seen[-1]

    communicator._receive = receive
    opened = value.get_plain_text()
    communicator._receive = original
    assert float((opened - 1.625).abs().max()) <= UNIT
    return [words.numpy() for words in seen]


def refused(secret: Any) -> list[str]:
    said = []
    for setting, value in (("mpc.protocol", "replicated"), ("mpc.active_security", True)):
        with crypten.cfg.temp_override({setting: value}), pytest.raises(NotImplementedError) as error:
            secret * secret
        said.append(str(error.value))
    return said


@pytest.fixture(scope="module")
def computed() -> list[dict[str, Any]]:
    return mpc.run_local(compute, 3, sharing="replicated")


@pytest.mark.parametrize("name", CASES)
def test_value(computed: list[dict[str, Any]], name: str) -> None:
    _, clear, units = CASES[name]
    for own in computed:
        assert float((own[name][0] - clear).abs().max()) <= units * UNIT


@pytest.mark.parametrize("name", CASES)
def test_the_third_party_receives_nothing(computed: list[dict[str, Any]], name: str) -> None:
    """Nor does it wait; the other two open as many times as each other."""
    first, second, third = (own[name] for own in computed)
    assert third[1] == third[3] == 0
    assert first[1] == second[1] and first[2] == second[2]


def test_products_cost_a_word_a_factor_and_a_truncation(computed: list[dict[str, Any]]) -> None:
    """Rounds and bytes for 20 entries with 8 of framing a message, at parties 0, 1 and 2.

    An opening of factors has a word more, for which of them it is.
    """

    def costs(name: str) -> list[tuple[int, int]]:
        return [own[name][1:3] for own in computed]

    factors, truncation, dealt = 8 + 8, 160 + 8, 20 * 10 + 8
    assert costs("sum") == [(0, 0)] * 3
    assert costs("product") == [(2, 2 * 160 + factors + truncation)] * 2 + [(0, dealt)]
    # a is known by now; a row of c is another value than c.
    assert costs("broadcast product") == [(2, 40 + factors + truncation)] * 2 + [(0, dealt)]
    # Neither their product nor b is known, and one is opened after the other.
    assert costs("two products") == [(4, 2 * (160 + factors + truncation))] * 2 + [(0, 2 * dealt)]
    # All is known but the result, of 16 entries.
    assert costs("matrix product") == [(1, 16 * 8 + 8)] * 2 + [(0, 16 * 10 + 8)]
    assert costs("square") == [(1, truncation)] * 2 + [(0, dealt)]
    # Without truncation, what the third party's keys have multiplied is handed over: a word.
    tests = [own["negative"][1:3] for own in computed]
    twice = [(2 * rounds, 2 * sent) for rounds, sent in tests]
    product = [(1, 2 * 160 + factors)] * 2 + [(0, 160 + 8)]
    assert costs("bits") == [(a + c, b + d) for (a, b), (c, d) in zip(twice, product, strict=True)]


def test_layers_and_their_gradients(computed: list[dict[str, Any]]) -> None:
    """Each entry is one truncated sum, but for a unit where the gradient itself was multiplied."""
    for own in computed:
        for value, clear in zip(own["layers"], clear_layers(), strict=True):
            assert float((value - clear).abs().max()) <= 2 * UNIT


def test_one_party_alone_can_be_told(computed: list[dict[str, Any]]) -> None:
    assert [own["to one"] for own in computed] == [[0, None, None], [None, 1, None], [None, None, 2]]
    assert torch.equal(computed[2]["raw"], (A / UNIT).long())


def test_what_the_third_party_is_told_of_an_output_is_covered(computed: list[dict[str, Any]]) -> None:
    """It knows what it dealt for the truncation: the shares it sees must not be those of the quotient."""
    assert [len(own["watched"]) for own in computed] == [1, 1, 2]
    for words in computed[2]["watched"]:
        for byte in (0, 1, 7):
            counts = np.bincount(words.view(np.uint8).reshape(-1, 8)[:, byte], minlength=256)
            assert float(((counts - 256.0) ** 2 / 256.0).sum()) < CHI_SQUARE_OF_256
    total = sum(words.view(np.uint64) for words in computed[2]["watched"])
    assert np.abs(total.view(np.int64) - 1.625 * 2**16).max() <= 1


def test_what_would_need_a_helper_or_show_shares_is_refused(computed: list[dict[str, Any]]) -> None:
    protocol, security = computed[2]["refused"]
    assert "protocol 'replicated' is CrypTen's" in protocol
    assert "active_security checks triples of a helper" in security


def test_comparisons_by_keys(computed: list[dict[str, Any]]) -> None:
    """Two parties open, so that distributed comparison functions serve them: one round, 8 bytes a test."""
    count = TUPLE_TESTS + 3

    def rectify(party: mpc.Party) -> tuple[torch.Tensor, Any]:
        x = torch.arange(count, dtype=torch.float64) - count // 2
        secret = party.secret(x if party.rank == 2 else None, 2, x.shape)
        before = party.cost()
        value = secret.relu()
        spent = party.cost() - before
        return value.get_plain_text(), (spent.rounds, spent.bytes_sent)

    results = mpc.run_local(rectify, 3, sharing="replicated", comparison="dcf")
    expected = (torch.arange(count) - count // 2).clamp(min=0)
    assert all(torch.equal(value.long(), expected) for value, _ in results)
    assert [cost for _, cost in results[:2]] == [(1, 8 * count + 8)] * 2


def train(party: mpc.Party) -> dict[str, Any]:
    """A logistic regression and a network with convolution, pooling and ReLU; data of parties 1 and 2."""
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(24, 6)), (rng.random((24, 1)) < 0.5).astype(float)
    table = party.secret(x if party.rank == 1 else None, 1, x.shape)
    labels = party.secret(y if party.rank == 2 else None, 2, y.shape)
    before = party.cost()
    model = LogisticRegression(steps=4, learning_rate=0.5, batch_size=12).fit(table, labels)
    spent = party.cost() - before
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(1, 2, 2),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2, 4),
        nn.ReLU(),
        nn.Linear(4, 1),
    )
    images = party.secret(np.tile(x, 2)[:, :9] if party.rank == 1 else None, 1, (24, 9))
    network = Network.share(party, layers, owner=0)
    network.fit(images.reshape(24, 1, 3, 3), labels, optimiser=SGD(0.1), steps=3, batch_size=8)
    opened = {
        f"{name} of layer {place}": tensor.get_plain_text()
        for place, tensors in enumerate(network._tensors)
        for name, tensor in tensors.items()
    }
    opened["coefficients"] = model.coef_.get_plain_text()
    return {"opened": opened, "cost": (spent.rounds, spent.bytes_sent), "entries": entries(party)}


def entries(party: mpc.Party) -> dict[str, tuple[int, float]]:
    """Rounds, and bytes an entry that this party sends, of the operations in docs/reference."""
    values = torch.arange(ENTRIES, dtype=torch.float64) / ENTRIES
    x, y, z = (party.secret(values if party.rank == k else None, k, (ENTRIES,)) for k in range(3))
    costs = {}
    for name, use in {
        "product": lambda: x * y,
        "product with a factor that was in one before": lambda: x * z,
        "square of such a factor": lambda: x.square(),
        "sign or ReLU": lambda: x.relu(),
        "sigmoid": lambda: x.sigmoid(),
    }.items():
        before = party.cost()
        _ = use().share
        spent = party.cost() - before
        costs[name] = spent.rounds, spent.bytes_sent / ENTRIES
    return costs


@pytest.fixture(scope="module")
def trained() -> dict[str, list[dict[str, Any]]]:
    return {sharing: mpc.run_local(train, 3, sharing=sharing) for sharing in ("additive", "replicated")}


def test_a_training_ends_where_that_with_a_helper_does(trained: dict[str, list[dict[str, Any]]]) -> None:
    """Truncations round at random; what a step rounds adds up to less than 4 units in each training."""
    for name, expected in trained["additive"][0]["opened"].items():
        for own in trained["replicated"]:
            assert float((own["opened"][name] - expected).abs().max()) <= 32 * UNIT, name


def test_a_training_takes_as_many_rounds_and_fewer_bytes(trained: dict[str, list[dict[str, Any]]]) -> None:
    additive, replicated = (
        [own["cost"] for own in trained[sharing]] for sharing in ("additive", "replicated")
    )
    assert [rounds for rounds, _ in replicated] == [additive[0][0], additive[0][0], 0]
    assert 2 * replicated[0][1] == additive[0][1] and replicated[1] == replicated[0]


def test_the_documentation_has_what_they_cost(trained: dict[str, list[dict[str, Any]]]) -> None:
    """Of 4096 entries the framing and the word for which factors are opened are less than 0.05 bytes each."""
    additive, replicated = trained["additive"], trained["replicated"]
    lines = (Path(__file__).parents[2] / "docs/reference/mpc.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines if line.startswith("|")]
    table = {row[0].split(" (")[0]: row[1:] for row in rows}
    for name, (rounds, sent) in additive[0]["entries"].items():
        own = [party["entries"][name][1] for party in replicated]
        told = [float(cell.split()[0]) for cell in table[name]]
        assert told[0] == rounds
        for expected, counted in zip([*told[1:2], *told[3:4], *told[3:]], (sent, *own), strict=True):
            assert abs(expected - counted) < 0.05, name


def test_a_stock_is_refused(tmp_path: Any) -> None:
    def stock(party: mpc.Party) -> None:
        Stock.deal(party, {}, tmp_path, limit_bytes=1)

    with pytest.raises(ProcessFailed, match="a stock is dealt by the helper"):
        mpc.run_local(stock, 3, sharing="replicated")
