"""One operation between parties as the duels run it: on three of ours, checked against torch."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
import torch

if not find_spec("crypten"):
    pytest.skip("needs crypten", allow_module_level=True)
from benchmarks.crypten_steps import OPERATIONS
from benchmarks.peers import PEERS, steps
from benchmarks.peers.cases import SMALL, cases_for
from benchmarks.peers.worker import Wrong


@pytest.fixture(scope="module")
def product() -> Iterator[steps.Course]:
    course = steps.Course("matrix_product", 3, None)
    yield course
    course.stage.__exit__()
    steps.atexit.unregister(course.stage.__exit__)


def test_an_operation_of_three_parties(product: steps.Course) -> None:
    step = product.step()
    assert step.rounds > 0 and step.octets > 0
    precision = product.check(step)
    assert precision is not None and precision > 11  # 32 products of 2^-16 each


def test_a_wrong_result_is_refused(product: steps.Course) -> None:
    step: Any = product.step()
    step.weights[0][0, 0] += 0.1
    with pytest.raises(Wrong, match="a number is off by"):
        product.check(step)


def test_comparisons_in_the_clear_have_both_answers() -> None:
    x = torch.tensor([-1.0, 0.0, 2.0])
    assert OPERATIONS["comparison"](x).tolist() == [False, False, True]


def test_every_case_names_known_peers() -> None:
    named = {name for case in SMALL for name in case.peers or ()}
    assert named <= set(PEERS)
    assert [case.name for case in cases_for("small", "mpc", "mpyc")] == ["parties=3"]
    assert [case.name for case in cases_for("small", "mpc", "spu")] == ["parties=2"]
