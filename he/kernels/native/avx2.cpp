// The AVX2 path: four products at once in double precision with fused multiply-adds.
//
// A product of integers is h + l exactly, with h = x y rounded and l = fma(x, y, -h). With u the rounded quotient by q, h - u q is an
// integer below 2^53, hence exact, and x y - u q = (h - u q) + l is exact as well: a representative of the product of size
// (1/2 + error) q, where error is that of u before rounding. Residues are small integers in doubles, signed while lazy.
#include <immintrin.h>

#include <cstring>

#include "chacha.h"
#include "ntt.h"
#include "permute.h"
#include "real.h"
#include "rows.h"

namespace latticework {
namespace {

using Ymm = __m256d;

#define INLINE inline __attribute__((always_inline))
// for (int i = 0; i < count; ++i), unrolled: the vectors it runs over live in registers.
#define EACH(count) _Pragma("GCC unroll 8") for (int i = 0; i < (count); ++i)

INLINE Ymm all(double v) { return _mm256_set1_pd(v); }
INLINE Ymm rounded(Ymm v) { return _mm256_round_pd(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
// Integers below 2^52 and doubles: as the low bits of the double 2^52 + v.
constexpr double shift = 4503599627370496.0;
INLINE Ymm to_double(__m256i v) {
    return _mm256_sub_pd(_mm256_or_pd(_mm256_castsi256_pd(v), all(shift)), all(shift));
}
INLINE __m256i to_integer(Ymm v) {
    return _mm256_castpd_si256(_mm256_xor_pd(_mm256_add_pd(v, all(shift)), all(shift)));
}
INLINE __m256i load_words(const u64* x) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)); }
INLINE void store_words(u64* x, __m256i v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(x), v); }
INLINE double from_bits(u64 bits) {
    double v;
    std::memcpy(&v, &bits, sizeof v);
    return v;
}
INLINE u64 to_bits(double v) {
    u64 bits;
    std::memcpy(&bits, &v, sizeof bits);
    return bits;
}
// From (-q, q) to [0, q).
INLINE Ymm lifted(Ymm v, Ymm q) { return _mm256_add_pd(v, _mm256_and_pd(q, _mm256_cmp_pd(v, _mm256_setzero_pd(), _CMP_LT_OQ))); }

struct Fma {
    using Word = Ymm;
    static constexpr size_t width = 4;
    static constexpr size_t max_terms = 7;  // each at most 0.875 q, beside one of q: below 8 q < 2^53
    static constexpr size_t max_sum_terms = max_terms, tile = 2;

    struct Mod {
        Ymm q, inverse, pow32;
        explicit Mod(const Modulus& m) : q(all(m.qd)), inverse(all(m.inverse)), pow32(all(static_cast<double>(m.pow32))) {}
    };
    struct Fac {
        Ymm w, companion;
        Fac() = default;
        explicit Fac(Factor f) : w(all(from_bits(f.w))), companion(all(from_bits(f.companion))) {}
    };
    using Acc = Ymm;

    static Ymm load(const u64* x) { return to_double(load_words(x)); }
    static Ymm load(const u32* x) {
        return to_double(_mm256_cvtepu32_epi64(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x))));
    }
    static void store(u64* x, Ymm v) { store_words(x, to_integer(v)); }
    static Ymm zero() { return _mm256_setzero_pd(); }
    static Ymm broadcast(u64 v) { return all(static_cast<double>(v)); }
    static Ymm add(Ymm x, Ymm y, const Mod& m) { return lifted(_mm256_sub_pd(_mm256_add_pd(x, y), m.q), m.q); }
    static Ymm sub(Ymm x, Ymm y, const Mod& m) { return lifted(_mm256_sub_pd(x, y), m.q); }
    // x f, of size (1/2 + |x| / 2^53) q at most.
    static INLINE Ymm mul_lazy(Ymm x, const Fac& f, Ymm q) {
        const Ymm h = _mm256_mul_pd(x, f.w), u = rounded(_mm256_mul_pd(x, f.companion));
        return _mm256_add_pd(_mm256_fnmadd_pd(u, q, h), _mm256_fmsub_pd(x, f.w, h));
    }
    static Ymm mul_factor(Ymm x, const Fac& f, const Mod& m) { return lifted(mul_lazy(x, f, m.q), m.q); }

    static size_t max_lazy_terms(u64) { return max_terms; }  // this path's transforms are never lazy
    // x in [0, source) to x - source where x > half, plus offset, a multiple of q that makes it positive; then reduced if far from q.
    struct Centre {
        Ymm source, half, offset;
        Centre(u64 s, u64 h, u64 o) : source(broadcast(s)), half(broadcast(h)), offset(broadcast(o)) {}
    };
    template <bool far>
    static Ymm centred(Ymm x, const Centre& c, const Mod& m) {
        const Ymm above = _mm256_cmp_pd(x, c.half, _CMP_GT_OQ);
        x = _mm256_sub_pd(_mm256_add_pd(x, c.offset), _mm256_and_pd(above, c.source));
        return far ? acc_reduce(x, m) : x;
    }

    struct Spread {
        u32 log_run;
        __m128i few;
        __m256i few_wide, source;  // source: pairs of 32-bit lanes
        explicit Spread(u32 k) : log_run(k) {
            const int run = k < 2 ? 1 << k : 4, count = 4 / run;
            few = _mm_cmpgt_epi32(_mm_set1_epi32(count), _mm_setr_epi32(0, 1, 2, 3));
            few_wide = _mm256_cvtepi32_epi64(few);
            const int b = 2 * (1 / run), c = 2 * (2 / run), d = 2 * (3 / run);
            source = _mm256_setr_epi32(0, 1, b, b + 1, c, c + 1, d, d + 1);
        }
        Ymm spread(__m256i loaded) const { return to_double(_mm256_permutevar8x32_epi32(loaded, source)); }
        Ymm load(const u32* w, size_t i) const {
            return spread(_mm256_cvtepu32_epi64(_mm_maskload_epi32(reinterpret_cast<const int*>(w + (i >> log_run)), few)));
        }
        Ymm load(const u64* w, size_t i) const {
            return spread(_mm256_maskload_epi64(reinterpret_cast<const long long*>(w + (i >> log_run)), few_wide));
        }
    };

    static Acc acc(Ymm x) { return x; }
    static void acc_add(Acc& a, Ymm x, Ymm y, const Mod& m) {
        const Ymm h = _mm256_mul_pd(x, y), u = rounded(_mm256_mul_pd(h, m.inverse));
        a = _mm256_add_pd(a, _mm256_add_pd(_mm256_fnmadd_pd(u, m.q, h), _mm256_fmsub_pd(x, y, h)));
    }
    static Ymm nearest(Ymm v, Ymm q, Ymm inverse) { return _mm256_fnmadd_pd(rounded(_mm256_mul_pd(v, inverse)), q, v); }
    static Ymm acc_reduce(Acc a, const Mod& m) { return lifted(nearest(a, m.q, m.inverse), m.q); }
    static Ymm acc_reduce_sum(Acc a, const Mod& m) { return acc_reduce(a, m); }
    static Ymm acc_value(Acc a) { return a; }
    static Ymm acc_reduce_lazy(Acc a, const Mod& m) { return acc_reduce(a, m); }

    static __m256i load_word(const u64* x) { return load_words(x); }
    static __m256i broadcast_word(u64 x) { return _mm256_set1_epi64x(static_cast<long long>(x)); }
    static __m256i add_word(__m256i x, __m256i y) { return _mm256_add_epi64(x, y); }
    static Ymm reduce_word(__m256i x, const Mod& m) {
        Acc a = to_double(_mm256_and_si256(x, broadcast_word(0xffffffff)));
        acc_add(a, to_double(_mm256_srli_epi64(x, 32)), m.pow32, m);
        return acc_reduce(a, m);
    }

    static Ymm real(double v) { return all(v); }
    static Ymm to_real(const u64* x) { return load(x); }
    static Ymm real_mul_add(Ymm x, double y, Ymm z) { return _mm256_add_pd(z, _mm256_mul_pd(x, all(y))); }
    static void store_floor(u64* out, Ymm v) { store(out, _mm256_floor_pd(v)); }
};

// Values are doubles, in the row itself, from the first level to the last. With b q the largest size of a factor's operand, a product
// has at most (1/2 + b q / 2^53) q.
//   roomy, q < 2^48: forward without reductions: b grows by at most 1/2 + b / 32 a level, from 4 to 18 after 17 levels, of 32 that
//     fit. Inverse: sums double, to 16 q in the tail (four levels) and 4 q in a pass, then are reduced.
//   tight, q < 2^50: everything is reduced to q/2 before a pass (forward) or after two levels (inverse); b stays below 7, of 8.
template <bool tight>
struct Butterfly {
    using Word = Ymm;
    using Fac = Fma::Fac;
    static constexpr u32 width = 4, block = 16;
    static constexpr int max_levels = 2;
    Ymm q, inverse_q;

    explicit Butterfly(const NttTable& t) : q(all(t.modulus.qd)), inverse_q(all(t.modulus.inverse)) {}

    static Fac factor(const NttTable& t, u32 i) { return Fac(Factor{t.w[i], t.companion[i]}); }
    Ymm load_in(const u64* x) const { return Fma::load(x); }
    Ymm load(const u64* x) const { return _mm256_castsi256_pd(load_words(x)); }
    void store(u64* x, Ymm v) const { store_words(x, _mm256_castpd_si256(v)); }
    void store_residue(u64* x, Ymm v) const { Fma::store(x, v); }
    Ymm reduce(Ymm v) const { return Fma::nearest(v, q, inverse_q); }
    Ymm enter(Ymm v) const { return tight ? reduce(v) : v; }
    template <bool sum>
    Ymm settle(Ymm v) const {
        return tight || sum ? reduce(v) : v;
    }

    INLINE void forward(Ymm& x, Ymm& y, const Fac& f) const {
        const Ymm p = Fma::mul_lazy(y, f, q);
        y = _mm256_sub_pd(x, p);
        x = _mm256_add_pd(x, p);
    }
    INLINE void inverse(Ymm& x, Ymm& y, const Fac& f) const {
        const Ymm d = _mm256_sub_pd(y, x);
        x = _mm256_add_pd(x, y);
        y = Fma::mul_lazy(d, f, q);
    }
    void last(Ymm& x, Ymm& y, const Fac& f0, const Fac& f1) const {
        const Ymm s = _mm256_add_pd(x, y), d = _mm256_sub_pd(x, y);
        x = lifted(Fma::mul_lazy(s, f0, q), q);
        y = lifted(Fma::mul_lazy(d, f1, q), q);
    }
    template <int k, int R, int half>
    INLINE void forward_level(Ymm* a, const Fac* f) const {
        EACH(R / 2) forward(a[i + i / half * half], a[i + i / half * half + half], f[i / half]);
    }
    template <int k, int R, int half>
    INLINE void inverse_level(Ymm* a, const Fac* f) const {
        EACH(R / 2) inverse(a[i + i / half * half], a[i + i / half * half + half], f[i / half]);
    }

    // The factors of a pair's two levels, 16 words of the tail (see make_tail).
    static Fac of(const u64* tail) {
        Fac f;
        f.w = _mm256_load_pd(reinterpret_cast<const double*>(tail));
        f.companion = _mm256_load_pd(reinterpret_cast<const double*>(tail + 4));
        return f;
    }

    // The last four levels of a block of 16: two between vectors, two inside pairs of vectors x, y, regrouped so that partners stand
    // in the same lane: x0 x1 y0 y1 with x2 x3 y2 y3, then x0 x2 y0 y2 with the odd ones.
    static void forward_end(const Butterfly a, const NttTable& t, u32 m, u32 b, u64* row) {
        Ymm v[4];
        Fac f[2];
        EACH(4) v[i] = a.enter(a.load(row + 4 * i));
        f[0] = factor(t, m + b);
        a.template forward_level<0, 4, 2>(v, f);
        EACH(2) f[i] = factor(t, 2 * (m + b) + i);
        a.template forward_level<1, 4, 1>(v, f);
        const u64* tail = t.tail + 32 * b;
        EACH(2) {
            Ymm x = _mm256_permute2f128_pd(v[2 * i], v[2 * i + 1], 0x20), y = _mm256_permute2f128_pd(v[2 * i], v[2 * i + 1], 0x31);
            a.forward(x, y, of(tail + 16 * i));
            Ymm even = _mm256_unpacklo_pd(x, y), odd = _mm256_unpackhi_pd(x, y);
            a.forward(even, odd, of(tail + 16 * i + 8));
            even = lifted(a.reduce(even), a.q), odd = lifted(a.reduce(odd), a.q);
            x = _mm256_unpacklo_pd(even, odd), y = _mm256_unpackhi_pd(even, odd);
            Fma::store(row + 8 * i, _mm256_permute2f128_pd(x, y, 0x20));
            Fma::store(row + 8 * i + 4, _mm256_permute2f128_pd(x, y, 0x31));
        }
    }

    // The mirror image, lanes from behind, so that the tail, read from behind pair by pair, fits as it stands.
    static void inverse_begin(const Butterfly a, const NttTable& t, u32 m, u32 b, const u64* in, u64* out) {
        Ymm v[4];
        Fac f[2];
        const u64* tail = t.tail + 32 * (m - 1 - b) + 16;
        EACH(2) {
            const Ymm first = a.load_in(in + 8 * i), second = a.load_in(in + 8 * i + 4);
            const Ymm low = _mm256_permute2f128_pd(first, second, 0x02), high = _mm256_permute2f128_pd(first, second, 0x13);
            Ymm x = _mm256_unpacklo_pd(high, low), y = _mm256_unpackhi_pd(high, low);
            a.inverse(x, y, of(tail - 16 * i + 8));
            Ymm x1 = _mm256_unpackhi_pd(x, y), y1 = _mm256_unpacklo_pd(x, y);
            a.inverse(x1, y1, of(tail - 16 * i));
            v[2 * i] = a.enter(_mm256_permute2f128_pd(x1, y1, 0x31));
            v[2 * i + 1] = a.enter(_mm256_permute2f128_pd(x1, y1, 0x20));
        }
        EACH(2) f[i] = factor(t, 4 * m - 1 - (2 * b + i));
        a.template inverse_level<0, 4, 1>(v, f);
        f[0] = factor(t, 2 * m - 1 - b);
        a.template inverse_level<1, 4, 2>(v, f);
        EACH(2) a.store(out + 4 * i, a.template settle<true>(v[i]));
        EACH(2) a.store(out + 8 + 4 * i, a.template settle<false>(v[2 + i]));
    }
};

// For each pair of vectors: w of the two groups of four, each twice, then their companions; w of the four groups of two, companions.
void make_tail(const Factor* factors, u32 n, u64* tail) {
    for (u32 pair = 0; pair < n / 8; ++pair, tail += 16) {
        const Factor *fours = factors + n / 4 + 2 * pair, *twos = factors + n / 2 + 4 * pair;
        for (u32 i = 0; i < 4; ++i) {
            tail[i] = fours[i / 2].w, tail[4 + i] = fours[i / 2].companion;
            tail[8 + i] = twos[i].w, tail[12 + i] = twos[i].companion;
        }
    }
}

bool roomy(const NttTable& t) { return t.modulus.q < u64{1} << 48; }

void forward(const NttTable& t, const u64* x, u64* out, bool) {
    if (roomy(t)) return Ntt<Butterfly<false>>::forward(t, x, out);
    Ntt<Butterfly<true>>::forward(t, x, out);
}

void inverse(const NttTable& t, const Factor last[2], const u64* x, u64* out) {
    if (roomy(t)) return Ntt<Butterfly<false>>::inverse(t, last, x, out);
    Ntt<Butterfly<true>>::inverse(t, last, x, out);
}

Factor factor(u64 w, u64 q) {
    const double centred = 2 * w > q ? -static_cast<double>(q - w) : static_cast<double>(w);
    return {to_bits(centred), to_bits(centred / static_cast<double>(q))};
}

bool supported() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

}  // namespace

const Path& avx2_path() {
    using R = Rows<Fma>;
    static const Path path = {
        "avx2",         32,             supported,         factor,        2,              32,
        make_tail,      forward,        inverse,           permute_scalar, R::elementwise, R::add_scalar,
        R::mul_factor,  R::sub_mul_add, R::dot,            R::combine,    R::matrix_rows, R::weighted_tile, R::centre,      R::quotient,    R::reduce_words,
        R::lift,        ChaCha<Lanes8>::blocks, count_rows<Words4>, embed_rows,   unembed_rows,   round_rows};
    return path;
}

}  // namespace latticework
