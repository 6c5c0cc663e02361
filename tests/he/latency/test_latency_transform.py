from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from he.latency.layout import Layout, gather, power_of_two, spread
from he.latency.transform import Entries, sums


def by_hand(matrix: Any, x: np.ndarray, source: Layout, target: Layout, width: int, fold: int) -> Any:
    """The matrix product on slots, diagonal by diagonal."""
    samples, entries = len(x), Entries.of(matrix, source, target, width, fold)
    slots = spread(x, source, width, samples)
    out = [np.zeros(width * samples) for _ in range(target.ciphertexts(width))]
    seen: set[int] = set()
    count = 0
    for to, origin, diagonals in entries.diagonals(4, width, samples):
        for giant, row in diagonals.rows.items():
            inner = sum(d * np.roll(slots[origin], -b) for b, d in row.items())
            out[to] = out[to] + np.roll(inner, -giant)
            seen |= {(giant + b) // samples for b in row}
            count += len(row)
    assert seen == set(entries.offsets.tolist())
    assert count == entries.products
    for k in sums(source, fold):
        out = [y + np.roll(y, -k * samples) for y in out]
    return gather(out, target, width, samples, samples), out


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.booleans(), st.integers(0, 2**32 - 1))
def test_vectors(inputs: int, outputs: int, folded: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    width, period = 64, power_of_two(inputs)
    matrix = sparse.csr_array(rng.normal(size=(outputs, inputs)))
    x = rng.normal(size=(2, inputs))
    source, fold = Layout.vector(inputs, period), power_of_two(outputs)
    fold = fold if folded and fold < period else 0
    target = Layout.vector(outputs, fold or max(period, power_of_two(outputs)))
    got, slots = by_hand(matrix, x, source, target, width, fold)
    np.testing.assert_allclose(got, x @ matrix.toarray().T, rtol=0, atol=1e-9)
    np.testing.assert_allclose(slots[0], np.roll(slots[0], 2 * target.period), rtol=0, atol=1e-9)


@settings(deadline=None)
@given(st.data())
def test_images_between_several_ciphertexts(data: st.DataObject) -> None:
    """Sparse matrices from an image to a strided, packed one, whichever ciphertexts they lie in."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    channels, step = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 2))
    width = data.draw(st.sampled_from([32, 64, 256]))
    source = Layout.image((channels, 4, 4), data.draw(st.sampled_from([4, 8])))
    source = source._replace(period=min(width, source.period))
    shape = (data.draw(st.integers(1, 9)), 4 // step, 4 // step)
    target = source.strided(shape, step, data.draw(st.booleans()), width)
    target = target._replace(period=min(width, max(source.period, target.period)))
    dense = rng.normal(size=(target.features, source.features))
    dense[rng.random(dense.shape) < 0.7] = 0
    dense[:, 0] = 1
    x = rng.normal(size=(3, source.features))
    got, _ = by_hand(sparse.csr_array(dense), x, source, target, width, 0)
    np.testing.assert_allclose(got, x @ dense.T, rtol=0, atol=1e-9)
