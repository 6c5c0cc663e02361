// Four words at a time; a product modulo 2^64 is put together from three of 32 bits.
#include "tile.h"

#if defined(__AVX2__)
#include <immintrin.h>

namespace latticework::ring {
namespace {

struct Words {
    using V = __m256i;
    static constexpr size_t lanes = 4, rows = 4, vectors = 2;
    static V zero() { return _mm256_setzero_si256(); }
    static V load(const u64* p) { return _mm256_loadu_si256(reinterpret_cast<const V*>(p)); }
    static void store(u64* p, V v) { _mm256_storeu_si256(reinterpret_cast<V*>(p), v); }
    static V broadcast(const u64* p) { return _mm256_set1_epi64x(static_cast<i64>(*p)); }
    static V add(V x, V y) { return _mm256_add_epi64(x, y); }
    static V sub(V x, V y) { return _mm256_sub_epi64(x, y); }
    static V mul(V x, V y) {
        // Both cross products, then their sum, in the upper half of each word.
        const V cross = _mm256_mullo_epi32(x, _mm256_shuffle_epi32(y, 0xB1));
        const V upper = _mm256_slli_epi64(_mm256_add_epi32(cross, _mm256_srli_epi64(cross, 32)), 32);
        return _mm256_add_epi64(_mm256_mul_epu32(x, y), upper);
    }
};

}  // namespace

const Path* avx2_path() {
    static const Path path = make_path<Words>("avx2");
    return __builtin_cpu_supports("avx2") ? &path : nullptr;
}

}  // namespace latticework::ring
#else
namespace latticework::ring {
const Path* avx2_path() { return nullptr; }
}  // namespace latticework::ring
#endif
