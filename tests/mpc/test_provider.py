"""The table of providers: the dealer, what stands in for CrypTen's insecure ones, and who gets an error."""

from __future__ import annotations

import pytest

from mpc import engine
from mpc.choice import TREE, Comparing
from mpc.dealer.client import deal_alone
from mpc.provider import NAME, DealerProvider, Providers


def provider() -> DealerProvider:
    return DealerProvider(engine.crypten, deal_alone(), Comparing(TREE, 1))


def test_the_dealer_goes_by_its_name() -> None:
    own = provider()
    assert Providers(own, substitute=False)[NAME] is own


@pytest.mark.parametrize("name", ["TFP", "TTP", "HE"])
def test_programs_for_plain_crypten_get_the_dealer_and_a_warning(name: str) -> None:
    own = provider()
    providers = Providers(own, substitute=True)
    with pytest.warns(UserWarning, match=f"'{name}' was asked for and replaced"):
        assert providers[name] is own


@pytest.mark.parametrize(("name", "substitute"), [("TFP", False), ("OTHER", True)])
def test_other_names_are_refused(name: str, substitute: bool) -> None:
    with pytest.raises(ValueError, match=f"provider '{name}' is not safe"):
        Providers(provider(), substitute)[name]


def test_secrets_stay_on_the_cpu() -> None:
    with pytest.raises(ValueError, match="on the CPU here, got device cuda"):
        provider().square((1,), device="cuda")
