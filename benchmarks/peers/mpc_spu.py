"""SPU with SEMI2K between two simulated parties of one process: the step of a logistic regression."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from worker import bits, serve

ROWS, FEATURES, RATE = 64, 30, 0.1


def set_up(case: dict[str, Any]) -> Any:
    """A step of logistic regression by SPU's simulator: parties are threads, without channels."""
    jnp: Any = importlib.import_module("jax.numpy")
    spu: Any = importlib.import_module("spu")
    simulation: Any = importlib.import_module("spu.utils.simulation")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(ROWS, FEATURES)).astype(np.float32)
    y = (rng.random(ROWS) < 0.5).astype(np.float32)
    start = (rng.normal(size=FEATURES) / FEATURES).astype(np.float32)

    def step(x: Any, y: Any, w: Any) -> Any:
        return w - RATE * (x.T @ (1 / (1 + jnp.exp(-(x @ w))) - y)) / ROWS

    simulator = simulation.Simulator.simple(2, spu.ProtocolKind.SEMI2K, spu.FieldType.FM64)
    secure = simulation.sim_jax(simulator, step)
    exact = start - RATE * (x.T @ (1 / (1 + np.exp(-(x @ start))) - y)) / ROWS
    facts = {"dealer": "a trusted first party's", "parties": "threads of one process, no channels"}
    return facts, {"lr_step": lambda: secure(x, y, start)}, {"lr_step": lambda got: bits(got, exact)}


if __name__ == "__main__":
    serve(set_up)
