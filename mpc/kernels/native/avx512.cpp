// Eight words at a time; AVX-512DQ has the product modulo 2^64 as one instruction.
#include "tile.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#include <immintrin.h>

namespace latticework::ring {
namespace {

struct Words {
    using V = __m512i;
    static constexpr size_t lanes = 8, rows = 10, vectors = 2;
    static V zero() { return _mm512_setzero_si512(); }
    static V load(const u64* p) { return _mm512_loadu_si512(p); }
    static void store(u64* p, V v) { _mm512_storeu_si512(p, v); }
    static V broadcast(const u64* p) { return _mm512_set1_epi64(static_cast<i64>(*p)); }
    static V add(V x, V y) { return _mm512_add_epi64(x, y); }
    static V sub(V x, V y) { return _mm512_sub_epi64(x, y); }
    static V mul(V x, V y) { return _mm512_mullo_epi64(x, y); }
};

}  // namespace

const Path* avx512_path() {
    static const Path path = make_path<Words>("avx512");
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") ? &path : nullptr;
}

}  // namespace latticework::ring
#else
namespace latticework::ring {
const Path* avx512_path() { return nullptr; }
}  // namespace latticework::ring
#endif
