"""Checks of saving and loading: shares, tensors and models of one party, and what is refused."""

from __future__ import annotations

import io
from typing import Any

import torch
from checking import UNIT, Table, close, grid, share

FILES = Table()
X = grid(3, 5, seed=1)


class Small(torch.nn.Module):
    """A class of its own, which the receiving parties must name."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.ReLU(), torch.nn.BatchNorm1d(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


@FILES.add
def shares(crypten: Any) -> None:
    """Each party saves its own shares and loads them again."""
    (x,) = share(crypten, [X])
    file = io.BytesIO()
    crypten.save(x, file)
    file.seek(0)
    close(crypten.load(file), X)


@FILES.add
def secret_models(crypten: Any) -> None:
    model = crypten.nn.from_pytorch(torch.nn.Linear(5, 2), torch.zeros(3, 5)).encrypt()
    (x,) = share(crypten, [X])
    expected = model(x).get_plain_text()
    state, whole = io.BytesIO(), io.BytesIO()
    crypten.save(model.state_dict(), state)
    crypten.save(model, whole)
    state.seek(0), whole.seek(0)
    other = crypten.nn.from_pytorch(torch.nn.Linear(5, 2), torch.zeros(3, 5)).encrypt()
    other.load_state_dict(crypten.load(state))
    close(other(x), expected, 2 * UNIT)
    close(crypten.load(whole)(x), expected, 2 * UNIT)


@FILES.add
def tensor_from_party(crypten: Any) -> None:
    communicator = crypten.communicator.get()
    for src in range(communicator.get_world_size()):
        file = io.BytesIO()
        crypten.save_from_party(X.float(), file, src=src)
        assert (file.tell() > 0) == (communicator.get_rank() == src)
        file.seek(0)
        loaded = crypten.load_from_party(file, src=src)
        close(loaded, X)
        assert loaded.src == src
    preloaded = X.float() if communicator.get_rank() == 0 else None
    close(crypten.load_from_party(preloaded=preloaded, src=0), X)


@FILES.add
def model_from_party(crypten: Any) -> None:
    """The others get the form of the model with zeros for weights; encrypted, all have the source's."""
    torch.manual_seed(4)
    rank, world_size = crypten.communicator.get().get_rank(), crypten.communicator.get().get_world_size()
    src = world_size - 1
    model = Small().eval()
    expected = model(X.float())
    loaded = crypten.load_from_party(preloaded=model if rank == src else None, src=src, model_class=Small)
    assert isinstance(loaded, Small)
    assert any(bool(weight.any()) for weight in loaded.parameters()) == (rank == src)
    secret = crypten.nn.from_pytorch(loaded, torch.zeros(3, 5)).encrypt(src=src)
    close(secret(crypten.cryptensor(X)), expected.detach(), 0.02)


@FILES.add
def unknown_classes_are_refused(crypten: Any) -> None:
    rank, world_size = crypten.communicator.get().get_rank(), crypten.communicator.get().get_world_size()
    model = Small() if rank == 0 else None
    if world_size == 1:
        return
    try:
        crypten.load_from_party(preloaded=model, src=0)
    except Exception as error:
        assert rank != 0
        assert "Small" in str(error)
        return
    assert rank == 0, "an unknown class was loaded from another party"


@FILES.add
def other_objects_are_refused(crypten: Any) -> None:
    rank = crypten.communicator.get().get_rank()
    for options in ({"preloaded": {"a": 1} if rank == 0 else None}, {"encrypted": True}, {"src": 7}):
        try:
            crypten.load_from_party(**options)
        except (TypeError, NotImplementedError, AssertionError):
            continue
        raise AssertionError(f"{options} was accepted")


@FILES.add
def refusals(crypten: Any) -> None:
    """What there is no safe way to do says so."""
    for call, words in [
        (crypten.trace, "no tuple cache"),
        (crypten.trace_once, "no tuple cache"),
        (crypten.fill_cache, "no tuple cache"),
        (lambda: crypten.manual_seed(1, 2, 3), "cannot be chosen"),
        (lambda: crypten.init_thread(0, 2), "process of its own"),
    ]:
        try:
            call()
        except (NotImplementedError, ValueError, RuntimeError) as error:
            assert words in str(error), error
            continue
        raise AssertionError(f"nothing said {words!r}")
