"""CrypTen's validation mode: found wherever it was set, and doing what CrypTen does with it."""

from __future__ import annotations

from typing import Any

import pytest
from omegaconf import OmegaConf

import mpc
from mpc.settings import validating


class Config:
    """As CrypTen's: a field with OmegaConf's tree, and its entries as attributes."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.config = OmegaConf.create(content)

    @property
    def debug(self) -> Any:
        return self.config.debug


@pytest.mark.parametrize("mode", [True, False])
def test_the_mode_is_found(mode: bool) -> None:
    assert validating(Config({"debug": {"validation_mode": mode}})) is mode
    changed = Config({"debug": {"validation_mode": not mode}})
    changed.debug.validation_mode = mode
    assert validating(changed) is mode
    elsewhere = Config(
        {"debug": {"validation_mode": "${communicator.verbose}"}, "communicator": {"verbose": mode}}
    )
    assert validating(elsewhere) is mode


def validated(party: mpc.Party) -> dict[str, Any]:
    from mpc.engine import crypten

    asked: list[str] = []
    checked = crypten.debug.validate_correctness

    def record(tensor: Any, function: Any, name: str) -> Any:
        asked.append(name)
        return checked(tensor, function, name)

    crypten.debug.validate_correctness = record
    x = crypten.cryptensor([1.0, 2.0])
    total = x.sum()
    before = list(asked)
    with crypten.cfg.temp_override({"debug.validation_mode": True}):
        x.sum()
    inside = list(asked)
    x.sum()
    after = list(asked)
    crypten.cfg.debug.validation_mode = True
    x.sum()
    return {
        "before": before,
        "inside": inside,
        "after": after,
        "set": list(asked),
        "sum": total.get_plain_text(),
    }


def test_attributes_are_validated_while_the_mode_is_on() -> None:
    outcome = mpc.run_local(validated, 1)[0]
    assert outcome["before"] == []
    assert "sum" in outcome["inside"]
    assert outcome["after"] == outcome["inside"]
    assert outcome["set"].count("sum") == 2 * outcome["inside"].count("sum")
    assert outcome["sum"] == 3.0
