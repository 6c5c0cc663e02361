import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

import he
from he.ckks import frame
from he.ckks.params import CkksSpec
from he.plan import Plan, Shape


def test_a_plan_comes_back_from_its_bytes(mlp: he.Model) -> None:
    back = Plan.from_bytes(mlp.plan.to_bytes(), insecure=True)
    assert back == mlp.plan
    assert back.id == mlp.plan.id


def test_levels_and_scales_follow_the_chain(mlp: he.Model) -> None:
    q = mlp.plan.params.moduli
    first, square, last = mlp.plan.steps
    assert [step.level for step in mlp.plan.steps] == [3, 2, 1]
    assert first.out_scale == square.scale == 2.0**40
    assert square.out_scale == last.scale == 2.0**80 / q[2]
    assert last.out_scale == 2.0**40


def test_the_table_reads_well(mlp: he.Model) -> None:
    lines = str(mlp.plan).splitlines()
    assert "INSECURE" in lines[0]
    assert lines[1].startswith("5 features, 3 scores, 64 samples a ciphertext")
    assert lines[3].split() == ["dense", "5", "->", "6", "3", "40.00", "8", "4"]


def test_a_plan_holds_no_weights(mlp: he.Model) -> None:
    assert len(mlp.plan.to_bytes()) < 400
    assert {field.name for field in dataclasses.fields(Plan)} == {"params", "shapes", "width", "steps"}


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([], "0 layers given"),
        ([Shape("dense", 2, 3), Shape("dense", 2, 3)], "takes 2 inputs, expected 3"),
        ([Shape("square", 2, 3)], "square layer of 2 -> 3"),
        ([Shape("dense", 0, 3)], "layer of 0 -> 3, expected 1 to 65536"),
        ([Shape("relu", 3, 3)], "layer kind is 'relu'"),  # type: ignore[arg-type]
        ([Shape("dense", 2, 600)], "the widest layer takes 1024 slots, expected at most 512"),
        ([Shape("square", 2, 2)] * 3, "3 layers need as many levels, expected at most 2"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shapes: list[Shape], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Plan.make(CkksSpec(log_n=10, depth=2, insecure=True), shapes)


BODIES = [
    b"",
    b"[]",
    b"{}",
    b'{"spec": {}, "layers": []}',
    b'{"spec": 3, "layers": [["dense", 1, 1]]}',
    b'{"spec": {}, "layers": [["dense", 1]]}',
    b"[" * 10000,
    b"\xff\xfe",
]


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_no_plan_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"expected|no plan"):
        Plan.from_bytes(frame.seal(frame.Kind.PLAN, "", bytes(16), body))


def test_an_insecure_plan_is_taken_only_when_asked_for(mlp: he.Model) -> None:
    with pytest.raises(ValueError, match="the parameters given are insecure, expected 128 bits"):
        Plan.from_bytes(mlp.plan.to_bytes())


def test_an_insecure_plan_cannot_pass_for_a_secure_one(mlp: he.Model) -> None:
    body = bytes(frame.unseal(mlp.plan.to_bytes(), frame.Kind.PLAN, "", bytes(16)))
    bad = body.replace(b'"insecure": true', b'"insecure": false')
    with pytest.raises(ValueError, match="expected at most 26 for 128-bit security"):
        Plan.from_bytes(frame.seal(frame.Kind.PLAN, "", bytes(16), bad))


@given(st.binary(max_size=300))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        Plan.from_bytes(data)


def test_a_huge_plan_is_refused_unread() -> None:
    with pytest.raises(ValueError, match="expected a plan of at most"):
        Plan.from_bytes(bytes(2**20 + 1))
