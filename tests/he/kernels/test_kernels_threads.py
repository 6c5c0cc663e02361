"""Many callers at once: results stay exact, whatever shares the pools; and a forked child still computes."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from he import kernels
from he.kernels import Basis, Divider, Gadget

SEED = bytes(32)


def test_many_callers_share_the_pools(path: str, cases) -> None:
    n = 1024
    moduli = cases.primes(n, 40, 5) + cases.primes(n, 49, 2)
    one, many = Basis(n, moduli, path, 1), Basis(n, moduli, path, 4)
    x, key = cases.residues(one), cases.residues(one, 3, 2)

    def work(basis: Basis) -> list[np.ndarray]:
        gadget = Gadget(basis, 2, 2)
        return [
            kernels.intt(x, basis),
            kernels.key_switch(x[:5].copy(), key, gadget, 5),
            kernels.mod_down(x, Divider(basis, 1)),
            kernels.uniform(SEED, 3, basis),
            kernels.compose(x, 1.0, basis),
        ]

    expected = work(one)
    with ThreadPoolExecutor(6) as callers:
        for result in callers.map(work, [many] * 48):
            assert all(np.array_equal(a, b) for a, b in zip(result, expected, strict=True))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_computes(path: str, cases) -> None:
    """Again and again: helper threads are caught asleep, waking and at work. A child that hangs is killed."""
    basis = Basis(256, cases.primes(256, 40, 6), path, 3)
    x = cases.residues(basis)
    expected = kernels.ntt(x, basis)
    for _ in range(50):
        kernels.ntt(x, basis)
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            os._exit(0 if np.array_equal(kernels.ntt(x, basis), expected) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
