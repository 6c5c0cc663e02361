import pytest

import he
from he import messages
from he.ckks.frame import Kind, seal
from he.engines.native import NativeEngine

ENGINE = NativeEngine()


def test_counts_and_ciphertexts_come_back(mlp: he.Model) -> None:
    message = messages.pack(Kind.REQUEST, mlp.plan, ENGINE, 65, [b"one", b"two"])
    count, parts = messages.unpack(Kind.REQUEST, mlp.plan, ENGINE, message)
    assert (count, [bytes(part) for part in parts]) == (65, [b"one", b"two"])


@pytest.mark.parametrize(
    ("count", "parts", "problem"),
    [
        (0, [], "0 samples given, expected 1 to"),
        (2**60, [b""], "samples given, expected 1 to"),
        (64, [b"", b""], "the body has 16 bytes, expected 8 for 1 parts"),
        (65, [b""], "part 2 of 2 is missing"),
        (1, [bytes(10**6)], "part 1 has 1000000 bytes, expected at most"),
    ],
)
def test_counts_that_do_not_fit_are_refused(
    count: int, parts: list[bytes], problem: str, mlp: he.Model
) -> None:
    message = messages.pack(Kind.REQUEST, mlp.plan, ENGINE, count, parts)
    with pytest.raises(ValueError, match=problem):
        messages.unpack(Kind.REQUEST, mlp.plan, ENGINE, message)
    short = seal(Kind.REQUEST, ENGINE.name, mlp.plan.id, b"abc")
    with pytest.raises(ValueError, match="the body has 3 bytes, expected at least 8"):
        messages.unpack(Kind.REQUEST, mlp.plan, ENGINE, short)
