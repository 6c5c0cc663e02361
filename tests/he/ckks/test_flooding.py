import math
from typing import Any

import numpy as np
import pytest

from he import kernels
from he.ckks import flooding, noise
from he.ckks.keys import SecretKey
from he.ckks.ring import Ring
from he.ckks.sampling import os_seed

ERROR = 2.0**-33
needs_kernels = pytest.mark.skipif(not kernels.available(), reason="the exact kernels are too slow for this")


def test_shared_results_carry_the_flooding_noise(
    ring: Ring, secret: SecretKey, pair: Any, values: Any
) -> None:
    sigma = flooding.flooding_sigma(ERROR, 2.0**40, bits=20, queries=4)
    assert sigma == 2 * math.sqrt(8) * 2.0**7 / noise.TAIL * 2.0**9
    got = flooding.decrypt_to_share(secret, pair[0], ERROR, bits=20, queries=4)
    deviation = noise.slot_deviation(ring.params, sigma**2, 2.0**40)
    error = got.real - values[0]
    assert np.abs(error).max() < noise.TAIL * 1.5 * deviation
    assert np.std(error) > 0.8 * deviation
    again = flooding.decrypt_to_share(secret, pair[0], ERROR, bits=20, queries=4)
    assert (got != again).all()


@needs_kernels
@pytest.mark.parametrize("sigma", [10.0, 64.0, 5000.0, 2.0**30, 2.0**45])
def test_wide_gaussians_are_wide_enough_and_gaussian(sigma: float) -> None:
    from he.ckks.params import CkksParams, CkksSpec

    ring = Ring(CkksParams.from_spec(CkksSpec(log_n=17, depth=1, insecure=True)), threads=1)
    x = flooding.wide_gaussian(ring, sigma, os_seed()).astype(np.float64)
    deviation = x.std()
    assert max(sigma, 64) * 0.98 < deviation < max(sigma, 64) * 1.5
    n = len(x)
    assert abs(x.mean()) < 6.2 * deviation / math.sqrt(n)
    assert abs((x**4).mean() / deviation**4 - 3) < 6.2 * math.sqrt(96 / n)  # kurtosis of a Gaussian
    assert (
        abs((np.abs(x) < deviation).mean() - math.erf(math.sqrt(0.5))) < 6.2 * math.sqrt(0.25 / n) + 0.5 / 64
    )


def test_noise_that_swallows_the_message_is_refused(secret: SecretKey, pair: Any) -> None:
    with pytest.raises(ValueError, match=r"flooding noise of 2\^\d+ swallows the values, expected far less"):
        flooding.decrypt_to_share(secret, pair[0], ERROR, bits=80)
    for bad in ({"error": 0.0}, {"error": ERROR, "bits": 0}, {"error": ERROR, "queries": 0}):
        with pytest.raises(ValueError, match="expected all positive"):
            flooding.decrypt_to_share(secret, pair[0], **bad)  # type: ignore[arg-type]
