import dataclasses
import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import he
from he.ckks import frame, wire
from he.ckks.params import CkksSpec
from he.latency.choose import Planner
from he.latency.plan import Plan
from he.layouts import plan_from_bytes
from he.model.blocks import of_graph
from he.model.graph import Graph


def test_a_plan_comes_back_from_its_bytes(mlp: he.Model) -> None:
    back = plan_from_bytes(mlp.plan.to_bytes(), insecure=True)
    assert back == mlp.plan
    assert back.id == mlp.plan.id


def test_levels_and_scales_follow_the_blocks(residual: Graph, tiny: CkksSpec) -> None:
    plan = Planner(of_graph(residual), residual.input_shape).with_spec(tiny)
    assert [(step.level, step.out_level) for step in plan.steps] == [(5, 3), (3, 1), (1, 0)]
    for step in plan.steps:
        assert abs(step.out_scale / plan.params.scale - 1) < 2**-50
    assert plan.input_level == 5


def test_rotations_know_the_highest_level_they_are_used_at(residual: Graph, tiny: CkksSpec) -> None:
    """So that keys that only later layers need are small; the plan says how many bytes there are."""
    plan = Planner(of_graph(residual), residual.input_shape).with_spec(tiny)
    used = [
        (k * plan.samples % plan.params.slots, level)
        for step in plan.steps
        for t in step.shape.transforms
        for steps, level in ((t.babies, step.level), (t.giants, step.level), (t.sums, step.level - 1))
        for k in steps
        if k
    ]
    assert dict(plan.rotations) == {k: max(v for j, v in used if j == k) for k, _ in used}
    assert len(set(plan.rotations.values())) > 1
    full = dict.fromkeys(plan.rotations, 5)
    assert wire.evaluation_keys_bytes(plan.params, full.values()) > plan.evaluation_key_bytes
    keys = he.Client(plan, "native").evaluation_keys()
    assert len(keys) == plan.evaluation_key_bytes + frame.OVERHEAD_BYTES


def test_the_table_reads_well(mlp: he.Model) -> None:
    lines = str(mlp.plan).splitlines()
    assert re.fullmatch(
        r"latency plan: 5 features -> 3 scores, 64 samples a ciphertext, about \d+\.\d ms on one thread",
        lines[0],
    )
    assert "INSECURE" in lines[1]
    assert lines[2] == "moduli    50 + 3 x 40 bits, 2 x 50 special, 2 digits"
    assert re.fullmatch(r"keys      \d\.\d MB: relinearisation and \d+ rotations", lines[4])
    assert lines[7].split() == [
        "block",
        "packing",
        "levels",
        "products",
        "rotations",
        "activation",
        "ms",
        "bits",
    ]
    assert lines[8].split()[-6:-1] == ["6", "3-1", "8", "4", "square"]
    assert all(len(line) <= 100 for line in lines)


def test_a_long_plan_fits_a_screen() -> None:
    net = [he.Dense(np.eye(2)), he.Square()] * 35
    text = str(he.compile(net, spec=CkksSpec(log_n=10, depth=70, insecure=True)).plan)
    assert len(text.splitlines()) <= 40
    assert "... 5 more ..." in text


def test_samples_tell_the_precision_of_each_block(residual: Graph) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, size=(4, 32))
    planner = Planner(of_graph(residual), residual.input_shape)
    plan = planner.with_precision(samples, 10)
    assert [f.precision is not None and 5 < f.precision < 40 for f in plan.forecasts] == [True] * 3
    assert plan.forecasts[-1].precision is not None and plan.forecasts[-1].precision >= 10
    assert plan_from_bytes(plan.to_bytes()) == plan  # forecasts stay with whoever made them
    assert str(plan).splitlines()[8].split()[-1] == f"{plan.forecasts[0].precision:.1f}"


def test_a_plan_holds_no_weights(mlp: he.Model) -> None:
    assert len(mlp.plan.to_bytes()) < 900
    names = {
        "params",
        "width",
        "input_layout",
        "shapes",
        "last_bits",
        "steps",
        "ranges",
        "forecasts",
        "trade",
    }
    assert {field.name for field in dataclasses.fields(Plan)} == names


def test_a_network_that_is_too_deep_names_the_deepest_block(residual: Graph) -> None:
    spec = CkksSpec(log_n=10, depth=4, insecure=True)
    with pytest.raises(
        ValueError, match=r"needs 5 levels \(2 of them first .. square\), .* 4, which end in flatten .. last"
    ):
        Planner(of_graph(residual), residual.input_shape).with_spec(spec)


CHANGES: list[dict[str, Any]] = [
    {"width": 0},
    {"width": 48},
    {"width": 1 << 20},
    {"width": "64"},
    {"input": [1, 2]},
    {"input": [1, 1, 1, 1, 1, 1, [1, 1], 1, 3]},
    {"input": [1 << 24, 1 << 24, 1 << 24, 1, 1, 1, [1, 1], 1, 1]},
    {"blocks": []},
    {"blocks": [["a", [], 1, False, [1, 1, 1, 1, 1, 1, [1, 1], 1, 1], []]]},
    {"blocks": [["a", [0], 1, False, [1, 1, 1, 1, 1, 1, [1, 1], 1, 1], []]]},
    {"blocks": [["a", [-1], 1, 0, [1, 1, 1, 1, 1, 1, [1, 1], 1, 1], []]]},
    {"layout": "other"},
    {"last_bits": 0},
    {"last_bits": 99},
    {"last_bits": "20"},
    {"spec": {}},
    {"more": 1},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_body_with_a_misfit_is_refused(mlp: he.Model, change: dict[str, Any]) -> None:
    content = json.loads(mlp.plan.content()) | change
    with pytest.raises(ValueError, match="expected"):
        plan_from_bytes(
            frame.seal(frame.Kind.PLAN, "", bytes(16), json.dumps(content).encode()), insecure=True
        )


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"[" * 10000, b"\xff\xfe"])
def test_a_body_that_is_no_plan_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"expected|no plan"):
        plan_from_bytes(frame.seal(frame.Kind.PLAN, "", bytes(16), body))


def test_an_insecure_plan_is_taken_only_when_asked_for(mlp: he.Model) -> None:
    with pytest.raises(ValueError, match="the parameters given are insecure, expected 128 bits"):
        plan_from_bytes(mlp.plan.to_bytes())


def test_an_insecure_plan_cannot_pass_for_a_secure_one(mlp: he.Model) -> None:
    body = bytes(frame.unseal(mlp.plan.to_bytes(), frame.Kind.PLAN, "", bytes(16)))
    bad = body.replace(b'"insecure": true', b'"insecure": false')
    with pytest.raises(ValueError, match="expected at most 26 for 128-bit security"):
        plan_from_bytes(frame.seal(frame.Kind.PLAN, "", bytes(16), bad))


@given(st.binary(max_size=300))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        plan_from_bytes(data)


def test_a_huge_plan_is_refused_unread() -> None:
    with pytest.raises(ValueError, match="expected a plan of at most"):
        plan_from_bytes(bytes((1 << 22) + 1))
