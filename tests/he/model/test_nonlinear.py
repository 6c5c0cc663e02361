from typing import Any

import numpy as np
import pytest
import torch

from he.model.nonlinear import Activation, Polynomial, Square


@pytest.mark.parametrize("kind", ["relu", "gelu", "silu", "sigmoid", "tanh", "softplus"])
def test_activations_are_those_of_torch(kind: Any) -> None:
    x = np.linspace(-40, 40, 4001)
    theirs = getattr(torch.nn.functional, kind)(torch.from_numpy(x)).numpy()
    # torch takes softplus for x above 20, where they differ by 2e-9.
    np.testing.assert_allclose(
        Activation(kind)(x), theirs, rtol=0, atol=3e-9 if kind == "softplus" else 1e-14
    )


def test_polynomials_in_both_bases() -> None:
    x = np.linspace(-3, 5, 50).reshape(5, 10)
    exact = 2 - x + 0.5 * x**3
    polynomial = Polynomial.from_monomials([2, -1, 0, 0.5], (-3, 5))
    assert polynomial.degree == 3
    np.testing.assert_allclose(polynomial(x), exact, rtol=0, atol=1e-12)
    assert polynomial.output_shape((10,)) == (10,)
    assert repr(Polynomial([1, 2, 3], (-1, 2), "relu")) == "Polynomial(relu by degree 2 on [-1, 2])"
    assert np.array_equal(Square()(x), x * x)


@pytest.mark.parametrize(
    ("coefficients", "interval", "message"),
    [
        ([1.0], (-1, 1), r"coefficients have shape \(1,\), expected \(2 or more,\)"),
        ([1.0, 0.0], (-1, 1), "the last not 0"),
        ([1.0, np.nan], (-1, 1), "NaN or infinity"),
        ([1.0, 1.0], (1, 1), "expected two ascending numbers"),
        ([1.0, 1.0], (0, np.inf), "NaN or infinity"),
    ],
)
def test_bad_polynomials_are_refused(coefficients: Any, interval: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Polynomial(coefficients, interval)
