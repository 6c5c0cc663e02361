from itertools import count
from typing import Any

import numpy as np
import pytest

from he import kernels
from he.ckks import encoding, encrypt, noise, wire
from he.ckks.keys import PublicKey, SecretKey
from he.ckks.params import CkksParams
from he.ckks.ring import Ring

SCALE = 2.0**40


def bound(params: CkksParams, fresh: float) -> float:
    return noise.TAIL * noise.slot_deviation(params, fresh + noise.encoding(params), SCALE)


@pytest.mark.parametrize("level", range(4))
def test_both_kinds_of_encryption_decrypt_within_their_bounds(
    level: int, ring: Ring, secret: SecretKey, values: Any
) -> None:
    plain = encoding.encode(ring, values[0], level, SCALE)
    own = encrypt.decrypt(secret, encrypt.encrypt(secret, plain)).real - values[0]
    assert (
        bound(ring.params, noise.fresh(ring.params)) / 32
        < np.abs(own).max()
        < bound(ring.params, noise.fresh(ring.params))
    )
    public = encrypt.encrypt_public(PublicKey.generate(secret), plain)
    limit = bound(ring.params, noise.fresh_public(ring.params))
    error = np.abs(encrypt.decrypt(secret, public).real - values[0]).max()
    assert limit / 32 < error < limit


def test_another_secret_decrypts_to_noise(ring: Ring, pair: Any, values: Any) -> None:
    got = encrypt.decrypt(SecretKey.generate(ring), pair[0]).real
    assert np.abs(got - values[0]).min() > 2.0**20


def test_encryptions_of_the_same_value_differ(ring: Ring, secret: SecretKey) -> None:
    plain = encoding.encode(ring, [1.0], 0, SCALE)
    a, b = encrypt.encrypt(secret, plain), encrypt.encrypt(secret, plain)
    assert (a.data != b.data).mean() > 0.99


def test_every_path_gives_the_same_ciphertext_bits(params: CkksParams) -> None:
    results = []
    for path in kernels.paths():
        for threads in (1, 2):
            ring, numbers = Ring(params, path, threads), count()
            source = lambda: next(numbers).to_bytes(32, "little")  # noqa: B023, E731
            secret = SecretKey.generate(ring, source)
            plain = encoding.encode(ring, np.linspace(-1, 1, 512), 3, SCALE)
            x = encrypt.encrypt(secret, plain, source)
            y = encrypt.encrypt_public(PublicKey.generate(secret, source), plain, source)
            results.append(wire.dump_ciphertext(ring, x) + wire.dump_ciphertext(ring, y))
    assert len(set(results)) == 1
