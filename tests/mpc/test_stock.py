"""Tuples dealt ahead: training without a word to the dealer, each tuple used once, also after a crash."""

from __future__ import annotations

import resource
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import torch

import mpc
from mpc import stock as module
from mpc.checkpoint import Checkpoints
from mpc.dealer.tuples import Request
from mpc.linear import LogisticRegression
from mpc.processes import ProcessFailed
from mpc.randomness import Stream
from mpc.stock import CLAIM, Stock, stock_bytes
from mpc.survival import Survival

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(20, 3)), (RNG.random((20, 1)) < 0.5).astype(float)
MODEL = LogisticRegression(steps=3, learning_rate=0.5)
LIMIT = 1 << 24


def train(party: mpc.Party, **more: Any) -> tuple[Any, mpc.Cost]:
    """The weights, opened, and what the training alone has cost."""
    x = party.secret(X if party.rank == 0 else None, owner=0, size=X.shape)
    y = party.secret(Y if party.rank == 0 else None, owner=0, size=Y.shape)
    before = party.cost()
    weights = MODEL.fit(x, y, **more).coef_
    spent = party.cost() - before
    return party.reveal(weights), spent


def watch_numbers() -> list[int]:
    """The number of every stocked tuple that this process uses from now on."""
    numbers: list[int] = []

    def watched(key: bytes, number: int) -> Stream:
        numbers.append(number)
        return Stream(key, number)

    module.Stream = watched  # type: ignore[assignment, misc]
    return numbers


def offline_then_online(party: mpc.Party, folder: Path) -> dict[str, Any]:
    own, kept = folder / party.name, Survival(folder / f"{party.name}-kept")
    begun = party.dealt()
    trained = [train(party)]
    wanted = party.dealt() - begun
    Stock.deal(party, wanted + wanted, own, limit_bytes=LIMIT)
    numbers, left = watch_numbers(), []
    for _ in range(2):
        with Stock.use(party, own) as stock:
            trained.append(train(party))
            left.append(stock.left())
    with Stock.use(party, own) as stock:
        train(party, checkpoints=Checkpoints(party, "kept", kept))
        trained.append(train(party))
        left.append(stock.left())
    files = {path.name: (path.stat().st_size, path.stat().st_mode & 0o777) for path in own.iterdir()}
    return {"trained": trained, "wanted": wanted, "numbers": numbers, "left": left, "files": files}


@pytest.mark.parametrize("parties", [2, 3])
def test_a_stock_serves_what_it_holds_and_the_dealer_the_rest(tmp_path: Path, parties: int) -> None:
    results = mpc.run_local(offline_then_online, parties, inputs=[tmp_path] * parties)
    exact = MODEL.fit(torch.from_numpy(X), torch.from_numpy(Y)).coef_
    for rank, result in enumerate(results):
        for weights, _ in result["trained"]:
            assert (weights - exact).abs().max() < 0.01
        live, stocked, *_ = (cost for _, cost in result["trained"])
        assert (stocked.dealer_rounds, stocked.dealer_bytes_sent, stocked.dealer_bytes_received) == (0, 0, 0)
        assert (stocked.rounds, stocked.bytes_sent) == (live.rounds, live.bytes_sent)
        numbers, wanted = result["numbers"], result["wanted"]
        assert len(numbers) == len(set(numbers)) <= 2 * wanted.total()
        assert numbers == results[0]["numbers"]
        assert result["left"][0] == wanted
        if rank == 0:
            assert live.dealer_bytes_received > 0
            assert result["files"]["stock.tuples"] == (stock_bytes(wanted + wanted), 0o600)
        else:
            assert "stock.tuples" not in result["files"]
        assert {mode for _, mode in result["files"].values()} == {0o600}
    # The second use begins behind whole blocks of claimed tuples; a rare kind is then used up.
    assert min(results[0]["left"][1].values()) == 0


SQUARE = Request("square", ((4,),))


def after_a_crash(party: mpc.Party, folder: Path) -> list[list[int]]:
    """Three computations that each use a few tuples and leave without a word about which."""
    own = folder / party.name
    Stock.deal(party, {SQUARE: 3 * CLAIM + 5}, own, limit_bytes=LIMIT)
    numbers = watch_numbers()
    x = party.secret(np.full(4, 3.0) if party.rank == 0 else None, owner=0, size=(4,))
    used = []
    for turn in range(4):
        if turn == 2 and party.rank == 1:
            # This party had come one block further than the others.
            vault = module.Vault(own, party.identity, "stock")
            identifier, (claimed,) = msgpack.unpackb(vault.load("stock.used"))
            vault.save("stock.used", msgpack.packb([identifier, [claimed + CLAIM]]))
        with Stock.use(party, own):
            for _ in range(2):
                assert party.reveal(x.square()).tolist() == [9.0] * 4  # type: ignore[union-attr]
        used.append(list(numbers))
        numbers.clear()
    return used


def test_tuples_claimed_before_a_crash_are_not_used_after_it(tmp_path: Path) -> None:
    first, second = mpc.run_local(after_a_crash, 2, inputs=[tmp_path] * 2)
    assert first == second
    assert first == [[0, 1], [CLAIM, CLAIM + 1], [3 * CLAIM, 3 * CLAIM + 1], []]


def keys_ahead(party: mpc.Party, folder: Path) -> dict[str, Any]:
    """ReLU by keys from a stock, one call more than it has tuples for."""
    own, count = folder / party.name, 6
    key = Request("dcf", ((count,),))
    Stock.deal(party, {key: 3, SQUARE: 2}, own, limit_bytes=LIMIT)
    numbers = watch_numbers()
    values = np.arange(count) - 3.0
    x = party.secret(values if party.rank == 0 else None, owner=0, size=values.shape)
    with Stock.use(party, own) as stock:
        before, spent = party.cost(), []
        for _ in range(4):
            assert party.reveal(x.relu()).tolist() == np.maximum(values, 0).tolist()  # type: ignore[union-attr]
            spent.append(party.cost() - before)
        left = stock.left()
    size = (own / "stock.tuples").stat().st_size
    expected = stock_bytes({key: 3, SQUARE: 2}, first=party.rank == 0)
    return {"numbers": numbers, "spent": spent, "left": left, "size": size, "expected": expected}


def test_keys_are_stocked_at_both_parties(tmp_path: Path) -> None:
    """Corrections at the first, what both know at both; each key is used once, then the dealer is asked."""
    results = mpc.run_local(keys_ahead, 2, inputs=[tmp_path] * 2, comparison="dcf")
    for result in results:
        assert result["numbers"] == results[0]["numbers"]
        assert len(set(result["numbers"])) == 3
        assert [left for _, left in sorted(result["left"].items(), key=str)] == [0, 2]
        third, fourth = (cost.dealer_bytes_received for cost in result["spent"][2:])
        assert third == 0 < fourth
        assert result["size"] == result["expected"]
    first, second = (result["size"] for result in results)
    # Squares are corrected at the first party alone.
    assert first - second == 3 * 8 * 2 * 6 + 2 * (8 * 4 + 16)


def one_tuple(party: mpc.Party, folder: Path) -> str:
    Stock.deal(party, {SQUARE: 2}, folder, limit_bytes=LIMIT)
    path = folder / "stock.tuples"
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    said = ""
    with Stock.use(party, folder) as stock:
        with pytest.raises(ValueError, match="no stock that nobody else uses"), Stock.use(party, folder):
            pass
        try:
            stock.take(SQUARE)
        except ValueError as error:
            said = str(error)
        a, square = stock.take(SQUARE) or []
        assert torch.equal(square, a * a)
        assert stock.take(SQUARE) is None
        clear = bytes(square.numpy().data)
        assert not any(clear[word : word + 8] in content for word in range(0, len(clear), 8))
    return said


def test_records_are_encrypted_and_checked(tmp_path: Path) -> None:
    (said,) = mpc.run_local(one_tuple, 1, inputs=[tmp_path])
    assert said == f"tuple 0 in {tmp_path / 'stock.tuples'} is damaged"


def full_disk(party: mpc.Party, folder: Path) -> None:
    """The system refuses to write more than 10,000 bytes, in the middle of the tuples."""
    own = folder / party.name
    if party.rank == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
    try:
        Stock.deal(party, {SQUARE: 1000}, own, limit_bytes=LIMIT)
    finally:
        if party.rank == 0:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def test_a_full_disk_is_an_error_and_leaves_no_part(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailed) as caught:
        mpc.run_local(full_disk, 2, inputs=[tmp_path] * 2)
    assert caught.value.name == "party-0"
    assert "File too large" in caught.value.summary
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def refused(party: mpc.Party, work: tuple[str, Path]) -> None:
    case, folder = work
    wanted, own = Counter({SQUARE: 3}), folder / party.name
    if case == "use":
        with Stock.use(party, own):
            return
    if case == "other":
        wanted[SQUARE] += party.rank
    Stock.deal(party, wanted, own, limit_bytes=100 if case == "limit" and party.rank else LIMIT)
    if case == "again":
        Stock.deal(party, wanted, own, limit_bytes=LIMIT)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("use", "no stock that nobody else uses at party-0, party-1"),
        ("other", "the parties do not want the same tuples"),
        ("limit", "144 bytes of tuples are more than the limit of party-1"),
        ("again", "there is a stock already in the folder of party-0, party-1"),
    ],
)
def test_stocks_that_cannot_be(tmp_path: Path, case: str, message: str) -> None:
    with pytest.raises(ProcessFailed, match=message):
        mpc.run_local(refused, 2, inputs=[(case, tmp_path)] * 2)
