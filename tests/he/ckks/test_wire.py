"""What is dumped is loaded, and nothing else: cuts, flipped bits, wrong lengths, other parameters."""

import dataclasses
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from he import kernels
from he.ckks import encoding, frame, keyswitch, wire
from he.ckks.frame import Kind
from he.ckks.keys import EvaluationKeys, PublicKey, SecretKey
from he.ckks.params import CkksParams
from he.ckks.ring import Ring

SCALE = 2.0**40
needs_kernels = pytest.mark.skipif(not kernels.available(), reason="the exact kernels are too slow for this")
LOADERS: dict[str, tuple[Kind, Callable[..., Any]]] = {
    "plaintext": (Kind.PLAINTEXT, wire.load_plaintext),
    "seeded": (Kind.CIPHERTEXT, wire.load_ciphertext),
    "ciphertext": (Kind.CIPHERTEXT, wire.load_ciphertext),
    "public": (Kind.PUBLIC_KEY, wire.load_public_key),
    "evaluation": (Kind.SWITCHING_KEYS, wire.load_evaluation_keys),
}


@pytest.fixture(scope="module")
def files(ring: Ring, secret: SecretKey, keys: EvaluationKeys, pair: Any) -> dict[str, bytes]:
    return {
        "plaintext": wire.dump_plaintext(ring, encoding.encode(ring, [1.0, 2.0], 2, SCALE)),
        "seeded": wire.dump_ciphertext(ring, pair[0]),
        "ciphertext": wire.dump_ciphertext(ring, keyswitch.rotate(keys, pair[0], 1)),
        "public": wire.dump_public_key(PublicKey.generate(secret)),
        "evaluation": wire.dump_evaluation_keys(EvaluationKeys.generate(secret, [1, 2])),
    }


def arrays(x: Any) -> list[Any]:
    if isinstance(x, EvaluationKeys):
        return [x.relinearisation.data, *(key.data for key in x.automorphisms.values())]
    return [x.poly if hasattr(x, "poly") else x.data]


def test_ciphertexts_and_plaintexts_come_back(ring: Ring, pair: Any, keys: EvaluationKeys) -> None:
    for x in (pair[0], keyswitch.rotate(keys, pair[0], 1)):
        back = wire.load_ciphertext(ring, wire.dump_ciphertext(ring, x))
        np.testing.assert_array_equal(back.data, x.data)
        assert (back.level, back.scale, back.seed) == (x.level, x.scale, x.seed)
    plain = encoding.encode(ring, [1.0, 2.0], 2, SCALE)
    np.testing.assert_array_equal(
        wire.load_plaintext(ring, wire.dump_plaintext(ring, plain)).poly, plain.poly
    )


def test_keys_come_back(ring: Ring, secret: SecretKey, keys: EvaluationKeys) -> None:
    back = wire.load_evaluation_keys(ring, wire.dump_evaluation_keys(keys))
    assert list(back.automorphisms) == sorted(keys.automorphisms)
    np.testing.assert_array_equal(back.relinearisation.data, keys.relinearisation.data)
    for k, key in keys.automorphisms.items():
        np.testing.assert_array_equal(back.automorphism(k), key.data)
    public = PublicKey.generate(secret)
    np.testing.assert_array_equal(wire.load_public_key(ring, wire.dump_public_key(public)).data, public.data)


def test_parameters_come_back_checked(params: CkksParams) -> None:
    assert wire.load_params(wire.dump_params(params), insecure=True) == params
    with pytest.raises(ValueError, match="the parameters given are insecure"):
        wire.load_params(wire.dump_params(params))
    spec = dataclasses.replace(params.spec, insecure=False)
    bad = wire.dump_params(dataclasses.replace(params, spec=spec))
    with pytest.raises(ValueError, match="expected at most 26 for 128-bit security"):
        wire.load_params(bad)


@pytest.mark.parametrize("body", [b"", b"{}", b"[" * 9999, b'{"log_n": 10}', b"x" * 5000])
def test_bodies_that_are_no_parameters_are_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        wire.load_params(frame.seal(Kind.PARAMS, wire.ENGINE, bytes(16), body))


def test_seeds_and_packing_save_more_than_half(
    ring: Ring, keys: EvaluationKeys, files: dict[str, bytes]
) -> None:
    memory = sum(array.nbytes for array in arrays(wire.load_evaluation_keys(ring, files["evaluation"])))
    assert len(files["evaluation"]) < 0.4 * memory
    assert len(files["seeded"]) < 0.51 * len(
        wire.dump_ciphertext(
            ring, dataclasses.replace(wire.load_ciphertext(ring, files["seeded"]), seed=None)
        )
    )
    assert len(
        wire.dump_ciphertext(
            ring, dataclasses.replace(wire.load_ciphertext(ring, files["seeded"]), seed=None)
        )
    ) == wire.ciphertext_bytes(ring.params)


@pytest.mark.parametrize("name", LOADERS)
@settings(max_examples=40)
@given(data=st.data())
def test_flipped_bits_and_cuts_are_refused(name: str, data: Any, ring: Ring, files: dict[str, bytes]) -> None:
    good = files[name]
    bit = data.draw(st.integers(0, 8 * len(good) - 1))
    bad = bytearray(good)
    bad[bit // 8] ^= 1 << bit % 8
    for broken in (bytes(bad), good[: bit // 8], good + b"\0"):
        with pytest.raises(ValueError, match="expected"):
            LOADERS[name][1](ring, broken)


@needs_kernels
@pytest.mark.parametrize("name", LOADERS)
@settings(max_examples=60)
@given(data=st.data())
def test_well_framed_nonsense_is_refused_or_loaded_in_range(
    name: str, data: Any, ring: Ring, files: dict[str, bytes]
) -> None:
    """With a valid checksum: the body is changed anywhere, cut, or made up."""
    kind, load = LOADERS[name]
    body = bytearray(frame.unseal(files[name], kind, wire.ENGINE, ring.params.id))
    place = data.draw(st.integers(0, min(64, len(body) - 1)) | st.integers(0, len(body) - 1))
    body[place : place + 4] = data.draw(st.binary(min_size=0, max_size=8))
    sealed = frame.seal(kind, wire.ENGINE, ring.params.id, bytes(body))
    try:
        loaded = load(ring, sealed)
    except ValueError:
        return
    for array in arrays(loaded):
        limits = np.array(ring.full.moduli, dtype=np.uint64)
        rows = array.reshape(-1, array.shape[-2], array.shape[-1]).max(axis=(0, 2))
        assert (rows < limits[: len(rows)]).all()


@needs_kernels
@pytest.mark.parametrize("name", LOADERS)
def test_a_loader_allocates_within_its_bound(name: str, ring: Ring, files: dict[str, bytes]) -> None:
    kind, load = LOADERS[name]
    liar = b"\xff" * 200  # level 255, or 2^32 - 1 keys
    for data in (files[name], frame.seal(kind, wire.ENGINE, ring.params.id, liar)):
        tracemalloc.start()
        untraced = 0  # the kernels' buffers
        try:
            untraced = sum(array.nbytes for array in arrays(load(ring, data)))
        except ValueError:
            assert data is not files[name]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak + untraced < 8 * len(data) + 2**17


def test_other_parameters_are_named(ring: Ring, files: dict[str, bytes]) -> None:
    other = Ring(CkksParams.from_spec(dataclasses.replace(ring.params.spec, depth=2)), threads=1)
    for name, (_, load) in LOADERS.items():
        with pytest.raises(ValueError, match="id of plan or parameters is"):
            load(other, files[name])
