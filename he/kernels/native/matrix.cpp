// Matrices times vectors of polynomials: sparse ones of integers, and sums weighted with polynomials. See engine.h, ../reference/matrix.py
// and ../reference/weights.py.
//
// The rows of the inputs lie powers of two apart, where a cache has room for few of them at once. So a piece of each is copied into one
// dense block first, small enough for the second-level cache, and all rows of the matrix are done from there.
#include <algorithm>
#include <cstring>

#include "engine.h"
#include "pool.h"

namespace latticework {
namespace {

constexpr size_t block_words = size_t{1} << 16;  // 512 KiB
constexpr size_t shortest = 64, longest = 512;

// Words of each input in a block: a power of two, so that it divides n.
size_t piece_words(size_t inputs, size_t n) {
    size_t len = shortest;
    while (len < longest && 2 * len * inputs <= block_words) len *= 2;
    return std::min(len, n);
}

}  // namespace

void matrix_product(const Basis& b, const IntegerMatrix& m, const std::vector<const u64*>& vectors, size_t components, u64* out) {
    const size_t n = b.n, limbs = b.limbs(), terms = m.weights.size(), inputs = m.used.size();
    const size_t len = piece_words(inputs, n), pieces = n / len, poly = components * limbs * n;
    const Scratch<u64> residues(limbs * terms);
    parallel_for(limbs, b.threads, [&](size_t i) {
        b.path->lift(b.modulus(i), m.weights.data(), residues.get() + i * terms, terms);
    });
    parallel_for(components * limbs * pieces, b.threads, [&](size_t work) {
        const size_t row = work / pieces, at = row * n + work % pieces * len, i = row % limbs;
        const Scratch<u64> block(inputs * len), room(len);
        for (size_t c = 0; c < inputs; ++c) std::memcpy(block.get() + c * len, vectors[m.used[c]] + at, len * sizeof(u64));
        for (size_t g = 0; g + 1 < m.starts.size(); ++g) {
            u64* to[4];
            for (size_t k = 0; k < 4; ++k) to[k] = m.rows[4 * g + k] < 0 ? room.get() : out + static_cast<size_t>(m.rows[4 * g + k]) * poly + at;
            const size_t first = m.starts[g];
            b.path->matrix_rows(b.modulus(i), block.get(), len, m.places.data() + first, residues.get() + i * terms + 4 * first,
                                m.starts[g + 1] - first, to);
        }
    });
}

void weighted_sums(const Basis& b, const std::vector<WeightRow>& weights, const std::vector<const u64*>& vectors, const Sums& sums,
                   size_t components, u64* out) {
    const size_t n = b.n, limbs = b.limbs(), inputs = vectors.size(), count = sums.starts.size() - 1, poly = limbs * n;
    const size_t len = piece_words(inputs * components, n), pieces = n / len, tile = inputs * components * tile_words;
    parallel_for(limbs * pieces, b.threads, [&](size_t work) {
        const size_t i = work / pieces, first = work % pieces * len;
        const Scratch<u64> block(inputs * components * len);
        for (size_t v = 0; v < inputs * components; ++v) {
            const u64* from = vectors[v / components] + v % components * poly + i * n + first;
            for (size_t at = 0; at < len; at += tile_words)
                std::memcpy(block.get() + at / tile_words * tile + v * tile_words, from + at, tile_words * sizeof(u64));
        }
        for (size_t at = 0; at < len; at += tile_words)
            b.path->weighted_tile(b.modulus(i), block.get() + at / tile_words * tile, components, weights[i],
                                  weights[i].tile_at(first + at), sums.places.data(), sums.starts.data(), count,
                                  out + i * n + first + at, components * poly, poly);
    });
}

}  // namespace latticework
