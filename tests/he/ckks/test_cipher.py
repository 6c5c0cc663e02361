import pytest

from he.ckks.cipher import Ciphertext, Plaintext, expect_level, expect_scale


def test_reprs_show_level_and_scale_only() -> None:
    assert repr(Plaintext(None, 2, 2.0**40)) == "Plaintext(level=2, scale=1.09951e+12)"  # type: ignore[arg-type]
    assert repr(Ciphertext(None, 2, 4.0, b"x" * 32)) == "Ciphertext(level=2, scale=4)"  # type: ignore[arg-type]


def test_levels_and_scales_that_differ_are_both_named() -> None:
    with pytest.raises(ValueError, match="y has level 1, expected 2"):
        expect_level("y", 1, 2)
    with pytest.raises(ValueError, match=r"y has scale 3, expected 4: scales must not be mixed"):
        expect_scale("y", 3.0, 4.0)
    expect_scale("y", 2.0**40 * (1 + 2**-50), 2.0**40)
