"""CrypTen with its unsafe parts out of reach, and its own attack on the default dealer failing here."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch

import mpc
from mpc.choice import TREE, Comparing
from mpc.processes import ProcessFailed


def refusals(party: mpc.Party) -> list[str]:
    """What each attempt to bring the unsafe parts back says."""
    from mpc import engine

    crypten = engine.crypten

    def choose(provider: str) -> None:
        with crypten.cfg.temp_override({"mpc.provider": provider}):
            crypten.cryptensor([1.0]) * crypten.cryptensor([1.0])

    keys = engine.SharedKeys(bytes(32), bytes(32), bytes(32), bytes(32))
    complaints = []
    for attempt in (
        lambda: choose("TFP"),
        lambda: choose("TTP"),
        lambda: choose("HE"),
        crypten.mpc.provider.TrustedFirstParty,
        crypten.mpc.provider.TTPServer,
        lambda: crypten.mpc.run_multiprocess(2),
        lambda: engine.start(party._communicator, party._dealer, keys, Comparing(TREE, 1)),
    ):
        try:
            attempt()
        except (ValueError, RuntimeError) as error:
            complaints.append(str(error))
        else:
            complaints.append("nothing")
    return complaints


def test_unsafe_parts_cannot_be_brought_back() -> None:
    expected = [
        "provider 'TFP' is not safe",
        "provider 'TTP' is not safe",
        "provider 'HE' is not safe",
        "insecure dealer",
        "insecure dealer",
        "connect parties in the clear",
        "a party already",
    ]
    (complaints,) = mpc.run_local(refusals, 1)
    for complaint, words in zip(complaints, expected, strict=True):
        assert words in complaint


def test_crypten_does_not_start_by_itself() -> None:
    """Without parties and without mpc.install, CrypTen's own way in is closed."""
    from mpc import engine

    engine.prepare()
    with pytest.raises(RuntimeError, match=r"or call mpc.install first"):
        engine.crypten.init()


def test_crypten_is_as_installed() -> None:
    from mpc import engine

    assert engine.crypten.__version__ == "0.4.1"
    assert "torch.randint" in inspect.getsource(engine.crypten.common.rng)


def draws(party: mpc.Party) -> list[torch.Tensor]:
    from mpc import engine

    shared = engine.ArithmeticSharedTensor.PRZS((1000,)).share
    private = engine.ArithmeticSharedTensor.PRSS((1000,)).share
    bits = engine.BinarySharedTensor.PRZS((1000,)).share
    return [shared, private, bits]


@pytest.mark.parametrize("parties", [2, 3])
def test_sharings_of_zero_add_up_and_masks_are_private(parties: int) -> None:
    results = mpc.run_local(draws, parties)
    zero = sum(own[0] for own in results)
    assert torch.equal(torch.as_tensor(zero), torch.zeros(1000, dtype=torch.long))
    assert len({tuple(own[1].tolist()) for own in results}) == parties
    exclusive = results[0][2]
    for own in results[1:]:
        exclusive = exclusive ^ own[2]
    assert not exclusive.any()
    # The whole range is used: the top two bits take all four values.
    assert {int(word) >> 62 for word in results[0][1]} == {-2, -1, 0, 1}


def replicated(party: mpc.Party) -> list[Any]:
    """Values under CrypTen's three-party protocol, and shares of the same product made twice."""
    from mpc import engine

    primitives = engine.crypten.mpc.primitives
    x = party.secret(
        np.arange(6.0).reshape(2, 3) if party.rank == party.world_size - 1 else None,
        owner=party.world_size - 1,
        size=(2, 3),
    )
    y = party.secret(np.full((2, 3), -0.5) if party.rank == 1 else None, owner=1, size=(2, 3))
    with engine.crypten.cfg.temp_override({"mpc.protocol": "replicated"}):
        results = [x * y, x.matmul(y.t()), x.square(), (x - 2).relu(), (x / 3).sum()]
        opened = [party.reveal(result) for result in results]
        one, other = (primitives.replicated.mul(x._tensor, y._tensor).share for _ in range(2))
        bits = [
            primitives.replicated.AND(binary, binary).share
            for binary in [engine.BinarySharedTensor(torch.arange(6), src=0)] * 2
        ]
    return [opened, one, other, *bits]


def test_products_of_three_parties_have_fresh_shares() -> None:
    outcome = mpc.run_local(replicated, 3)
    x = torch.arange(6.0).reshape(2, 3)
    expected = [-x / 2, -x.sum(1, keepdim=True).expand(2, 2) / 2, x.square(), (x - 2).relu(), (x / 3).sum()]
    for opened, *_ in outcome:
        for value, right in zip(opened, expected, strict=True):
            assert float((value - right).abs().max()) <= 12 * 2**-16
    product = x.long() * -(2**31)
    for which in (1, 2):
        assert torch.equal(sum(result[which] for result in outcome), product)
    for which in (3, 4):
        assert torch.equal(outcome[0][which] ^ outcome[1][which] ^ outcome[2][which], torch.arange(6))
    for _, one, other, bits, same_bits in outcome:
        assert not (one == other).any()
        assert not (bits == same_bits).any()


def test_two_parties_cannot_replicate() -> None:
    with pytest.raises(ProcessFailed, match="< 3 parties"):
        mpc.run_local(replicated, 2)


def dropout(party: mpc.Party) -> torch.Tensor:
    x = party.secret(np.ones(64) if party.rank == 0 else None, owner=0, size=(64,))
    dropped = party.reveal(x.dropout(p=0.5, training=True))
    assert dropped is not None
    return dropped


def test_coins_are_common() -> None:
    one, other = mpc.run_local(dropout, 2)
    assert torch.equal(one, other)
    assert set(one.round().tolist()) == {0.0, 2.0}
