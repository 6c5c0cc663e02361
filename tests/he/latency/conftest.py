"""Parameters for networks small enough to encrypt in every test."""

import pytest

import he

TINY = he.CkksSpec(log_n=10, depth=5, special=2, insecure=True)


@pytest.fixture(scope="session")
def tiny() -> he.CkksSpec:
    return TINY
