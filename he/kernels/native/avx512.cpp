// The AVX-512 path: eight 52-bit products at once with the IFMA instructions.
//
// IFMA multiplies the low 52 bits of its operands and ignores the rest. Lazy values are therefore kept modulo 2^52, with anything
// above bit 51: it is cut off only where a comparison needs it.
#include <immintrin.h>

#include "chacha.h"
#include "ntt.h"
#include "permute.h"
#include "real.h"
#include "rows.h"

namespace latticework {
namespace {

using Zmm = __m512i;

// for (int i = 0; i < count; ++i), unrolled: the vectors it runs over live in registers.
#define INLINE inline __attribute__((always_inline))
#define EACH(count) _Pragma("GCC unroll 8") for (int i = 0; i < (count); ++i)

inline Zmm all(u64 v) { return _mm512_set1_epi64(static_cast<long long>(v)); }
inline Zmm low(Zmm sum, Zmm a, Zmm b) { return _mm512_madd52lo_epu64(sum, a, b); }
inline Zmm high(Zmm sum, Zmm a, Zmm b) { return _mm512_madd52hi_epu64(sum, a, b); }
inline Zmm high(Zmm a, Zmm b) { return _mm512_madd52hi_epu64(_mm512_setzero_si512(), a, b); }
inline Zmm cut(Zmm a) { return _mm512_and_si512(a, all((u64{1} << 52) - 1)); }
inline Zmm once(Zmm a, Zmm q) { return _mm512_min_epu64(a, _mm512_sub_epi64(a, q)); }  // [0, 2q) to [0, q)
inline u64 negated(u64 q) { return (u64{1} << 52) - q; }

struct Ifma {
    using Word = Zmm;
    static constexpr size_t width = 8;
    static constexpr size_t max_terms = 12;  // the high sum stays below 12 2^48 + a carry < 2^52
    static constexpr size_t max_sum_terms = 4000;  // the low sum stays below 2^64, the high one below 2^60
    static constexpr size_t tile = 2;

    struct Mod {
        Zmm q, minus_q, ratio, pow, pow_companion;
        explicit Mod(const Modulus& m)
            : q(all(m.q)),
              minus_q(all(negated(m.q))),
              ratio(all(m.ratio52)),
              pow(all(m.pow52)),
              pow_companion(all(m.pow52_companion)) {}
    };
    struct Fac {
        Zmm w, companion;
        Fac() = default;
        explicit Fac(Factor f) : w(all(f.w)), companion(all(f.companion)) {}
    };
    struct Acc {
        Zmm low, high;
    };

    static Zmm load(const u64* x) { return _mm512_loadu_si512(x); }
    static Zmm load(const u32* x) { return _mm512_cvtepu32_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x))); }
    static void store(u64* x, Zmm v) { _mm512_storeu_si512(x, v); }
    static Zmm zero() { return _mm512_setzero_si512(); }
    static Zmm broadcast(u64 v) { return all(v); }
    static Zmm add(Zmm x, Zmm y, const Mod& m) { return once(_mm512_add_epi64(x, y), m.q); }
    static Zmm sub(Zmm x, Zmm y, const Mod& m) {
        const Zmm d = _mm512_sub_epi64(x, y);
        return _mm512_min_epu64(d, _mm512_add_epi64(d, m.q));
    }
    // x f mod 2^52, in [0, 2q) after cut, for x below 2^52.
    static Zmm mul_lazy(Zmm x, const Fac& f, Zmm minus_q) { return low(low(zero(), x, f.w), high(x, f.companion), minus_q); }
    static Zmm mul_factor(Zmm x, const Fac& f, const Mod& m) { return once(cut(mul_lazy(x, f, m.minus_q)), m.q); }

    // x in [0, source) to x - source where x > half, plus offset, a multiple of q that makes it positive; then reduced if far from q.
    struct Centre {
        Zmm source, half, offset;
        Centre(u64 s, u64 h, u64 o) : source(all(s)), half(all(h)), offset(all(o)) {}
    };
    template <bool far>
    static Zmm centred(Zmm x, const Centre& c, const Mod& m) {
        const Zmm above = _mm512_srai_epi64(_mm512_sub_epi64(c.half, x), 63);
        x = _mm512_sub_epi64(_mm512_add_epi64(x, c.offset), _mm512_and_si512(above, c.source));
        return far ? cut(low_(x, latticework::high(x, m.ratio), m.minus_q)) : x;
    }

    struct Spread {
        u32 log_run;
        __mmask8 few;
        Zmm source;
        explicit Spread(u32 k)
            : log_run(k),
              few(static_cast<__mmask8>((1u << (k < 3 ? 8 >> k : 1)) - 1)),
              source(_mm512_srlv_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), all(k < 3 ? k : 3))) {}
        Zmm load(const u32* w, size_t i) const {
            const __m256i loaded = _mm256_maskz_loadu_epi32(few, w + (i >> log_run));
            return _mm512_permutexvar_epi64(source, _mm512_cvtepu32_epi64(loaded));
        }
        Zmm load(const u64* w, size_t i) const {
            return _mm512_permutexvar_epi64(source, _mm512_maskz_loadu_epi64(few, w + (i >> log_run)));
        }
    };

    static Acc acc(Zmm x) { return {x, zero()}; }
    static void acc_add(Acc& a, Zmm x, Zmm y, const Mod&) {
        a.low = Ifma::low_(a.low, x, y);
        a.high = latticework::high(a.high, x, y);
    }
    static Zmm low_(Zmm s, Zmm x, Zmm y) { return latticework::low(s, x, y); }
    // Products of lazy factors below 2^52 with residues add less than q each to the high sum.
    static size_t max_lazy_terms(u64 q) {
        const u64 fit = ((u64{1} << 52) - 1) / q - 1;
        return fit < 4000 ? fit : 4000;  // of the low sums 2^12 fit
    }
    static Zmm acc_reduce_lazy(const Acc& a, const Mod& m) {
        return fold(_mm512_add_epi64(a.high, _mm512_srli_epi64(a.low, 52)), cut(a.low), m);
    }
    // The same for a high sum of more than 52 bits, which is folded first.
    static Zmm acc_reduce_sum(const Acc& a, const Mod& m) {
        const Zmm hi = _mm512_add_epi64(a.high, _mm512_srli_epi64(a.low, 52));
        return residue(fold(fold(_mm512_srli_epi64(hi, 52), cut(hi), m), cut(a.low), m), m);
    }
    static Zmm acc_value(const Acc& a) { return a.low; }
    static Zmm acc_reduce(const Acc& a, const Mod& m) { return residue(acc_reduce_lazy(a, m), m); }
    // high 2^52 + low modulo q for high, low below 2^52: two products, each in [0, 2q), so in [0, 4q).
    static Zmm fold(Zmm hi, Zmm lo, const Mod& m) {
        Zmm s = low_(lo, hi, m.pow);
        s = low_(s, latticework::high(hi, m.pow_companion), m.minus_q);
        return cut(low_(s, latticework::high(lo, m.ratio), m.minus_q));
    }
    static Zmm residue(Zmm x, const Mod& m) { return once(once(x, _mm512_add_epi64(m.q, m.q)), m.q); }  // [0, 4q) to [0, q)
    static Zmm reduce_word(Zmm x, const Mod& m) { return residue(fold(_mm512_srli_epi64(x, 52), cut(x), m), m); }
    static Zmm load_word(const u64* x) { return load(x); }
    static Zmm broadcast_word(u64 x) { return all(x); }
    static Zmm add_word(Zmm x, Zmm y) { return _mm512_add_epi64(x, y); }

    static __m512d real(double v) { return _mm512_set1_pd(v); }
    static __m512d to_real(const u64* x) { return _mm512_cvtepu64_pd(load(x)); }
    static __m512d real_mul_add(__m512d x, double y, __m512d z) { return _mm512_add_pd(z, _mm512_mul_pd(x, real(y))); }
    static void store_floor(u64* out, __m512d v) { store(out, _mm512_cvttpd_epu64(v)); }
};

// How lazy the butterflies of a modulus may be: values of up to `room` multiples of q fit into 52 bits.
enum class Lazy {
    endless,  // room for all levels of the forward transform, from 4q to (4 + 2 log2 n) q
    wide,     // 16 q
    middle,   // 8 q
    tight     // 4 q
};

// With `lazy_end` the forward transform leaves its values as they are: below 2^52, with anything above.
template <Lazy lazy, bool lazy_end = false>
struct Butterfly {
    using Word = Zmm;
    using Fac = Ifma::Fac;
    static constexpr u32 width = 8, block = 64;
    static constexpr int max_levels = 3;
    Zmm q, twice, minus_q, ratio;

    explicit Butterfly(const NttTable& t)
        : q(all(t.modulus.q)), twice(all(2 * t.modulus.q)), minus_q(all(negated(t.modulus.q))), ratio(all(t.modulus.ratio52)) {}

    static Fac factor(const NttTable& t, u32 i) { return Fac(Factor{t.w[i], t.companion[i]}); }
    Zmm load_in(const u64* x) const { return Ifma::load(x); }
    Zmm load(const u64* x) const { return Ifma::load(x); }
    void store(u64* x, Zmm v) const { Ifma::store(x, v); }
    void store_residue(u64* x, Zmm v) const { Ifma::store(x, v); }
    Zmm enter(Zmm x) const { return x; }

    // Below 2^52 to [0, 2q); and to [0, q), with nothing above.
    Zmm reduce(Zmm x) const { return low(x, high(x, ratio), minus_q); }
    Zmm residue(Zmm x) const { return once(cut(reduce(x)), q); }

    // x + p and x - p + 2q with p = y f in [0, 2q): values grow by 2q a level, from 2q where x is reduced. That is done at the
    // levels 0, 3, 6, ... of a pass (they end at 8q), at all of them if room is tight (4q), nowhere if it is endless. The sums use
    // x + p itself as accumulator, and x - p = 2x - (x + p). Products in a row, then sums in a row: so the multipliers stay busy.
    template <int k>
    static constexpr bool reduces = lazy == Lazy::tight || (lazy != Lazy::endless && k % 3 == 0);

    template <int k, int count = 4>
    INLINE void forward_group(Zmm* x, Zmm* y, const Fac* f) const {
        Zmm h[count], d[count];
        if (reduces<k>) EACH(count) x[i] = reduce(x[i]);
        EACH(count) d[i] = _mm512_add_epi64(_mm512_add_epi64(x[i], x[i]), twice);
        EACH(count) h[i] = high(y[i], f[i].companion);
        EACH(count) x[i] = low(x[i], y[i], f[i].w);
        EACH(count) x[i] = low(x[i], h[i], minus_q);
        EACH(count) y[i] = _mm512_sub_epi64(d[i], x[i]);
    }
    // x + y and (y - x) f in [0, 2q). Sums double at each level k after a reduction to 2q, which follows the last level of a pass
    // (settle); with 8q also level 1, with 4q every level.
    template <int k>
    static constexpr bool halts = lazy == Lazy::tight || (lazy == Lazy::middle && k == 1);
    template <int k>
    INLINE Zmm bound() const {  // of the values before level k
        return lazy == Lazy::tight || (lazy == Lazy::middle && k == 2) ? twice : _mm512_slli_epi64(twice, k);
    }
    template <int k, int count = 4>
    INLINE void inverse_group(Zmm* x, Zmm* y, const Fac* f) const {
        const Zmm offset = bound<k>();
        Zmm d[count], h[count];
        EACH(count) d[i] = _mm512_sub_epi64(_mm512_add_epi64(y[i], offset), x[i]);
        EACH(count) x[i] = _mm512_add_epi64(x[i], y[i]);
        EACH(count) h[i] = high(d[i], f[i].companion);
        EACH(count) y[i] = low(Ifma::zero(), d[i], f[i].w);
        EACH(count) y[i] = low(y[i], h[i], minus_q);
        if (halts<k>) EACH(count) x[i] = reduce(x[i]);
    }
    template <bool sum>
    Zmm settle(Zmm x) const {
        return sum && lazy != Lazy::tight ? reduce(x) : x;
    }
    void last(Zmm& x, Zmm& y, const Fac& f0, const Fac& f1) const {
        const Zmm offset = lazy == Lazy::tight ? twice : lazy == Lazy::middle ? bound<1>() : bound<2>();
        const Zmm s = _mm512_add_epi64(x, y), d = _mm512_sub_epi64(_mm512_add_epi64(x, offset), y);
        x = once(cut(Ifma::mul_lazy(s, f0, minus_q)), q);
        y = once(cut(Ifma::mul_lazy(d, f1, minus_q)), q);
    }

    // Level k of a pass over R vectors, partners `half` apart.
    template <int k, int R, int half>
    INLINE void forward_level(Zmm* a, const Fac* f) const {
        Zmm x[R / 2], y[R / 2];
        Fac g[R / 2];
        EACH(R / 2) x[i] = a[i + i / half * half], y[i] = a[i + i / half * half + half], g[i] = f[i / half];
        forward_group<k, R / 2>(x, y, g);
        EACH(R / 2) a[i + i / half * half] = x[i], a[i + i / half * half + half] = y[i];
    }
    template <int k, int R, int half>
    INLINE void inverse_level(Zmm* a, const Fac* f) const {
        Zmm x[R / 2], y[R / 2];
        Fac g[R / 2];
        EACH(R / 2) x[i] = a[i + i / half * half], y[i] = a[i + i / half * half + half], g[i] = f[i / half];
        inverse_group<k, R / 2>(x, y, g);
        EACH(R / 2) a[i + i / half * half] = x[i], a[i + i / half * half + half] = y[i];
    }

    // The factors of a pair's three levels, from its four cache lines of the tail (see make_tail): one for each group of eight,
    // in the lanes of `mask` the second; two for each four, and four for each two, in the order of the lanes.
    template <__mmask8 mask>
    static Fac of_eights(const u64* line) {
        Fac f;
        f.w = _mm512_mask_set1_epi64(all(line[0]), mask, static_cast<long long>(line[1]));
        f.companion = _mm512_mask_set1_epi64(all(line[2]), mask, static_cast<long long>(line[3]));
        return f;
    }
    static Fac of_fours(const u64* line) {
        const Zmm both = _mm512_load_si512(line + 8);
        Fac f;
        f.w = _mm512_unpacklo_epi64(both, both);
        f.companion = _mm512_unpackhi_epi64(both, both);
        return f;
    }
    static Fac of_twos(const u64* line) {
        Fac f;
        f.w = _mm512_load_si512(line + 16);
        f.companion = _mm512_load_si512(line + 24);
        return f;
    }

    // The last six levels of a block of 64: three between vectors, three inside pairs of vectors x, y, which are regrouped before
    // each so that partners stand in the same lane: x0-3 y0-3 with x4-7 y4-7; x01 y01 x45 y45 with x23 y23 x67 y67; and
    // x0 x2 y0 y2 x4 x6 y4 y6 with the odd ones.
    static void forward_end(const Butterfly a, const NttTable& t, u32 m, u32 b, u64* row) {
        Zmm v[8], x[4], y[4];
        Fac f[4];
        EACH(8) v[i] = a.load(row + 8 * i);
        f[0] = factor(t, m + b);
        a.template forward_level<0, 8, 4>(v, f);
        EACH(2) f[i] = factor(t, 2 * (m + b) + i);
        a.template forward_level<1, 8, 2>(v, f);
        EACH(4) f[i] = factor(t, 4 * (m + b) + i);
        a.template forward_level<2, 8, 1>(v, f);
        const u64* line = t.tail + 128 * b;
        EACH(4) x[i] = _mm512_shuffle_i64x2(v[2 * i], v[2 * i + 1], 0x44), y[i] = _mm512_shuffle_i64x2(v[2 * i], v[2 * i + 1], 0xEE);
        EACH(4) f[i] = of_eights<0xF0>(line + 32 * i);
        a.template forward_group<3>(x, y, f);
        EACH(4) regroup(x[i], y[i], _mm512_shuffle_i64x2(x[i], y[i], 0x88), _mm512_shuffle_i64x2(x[i], y[i], 0xDD));
        EACH(4) f[i] = of_fours(line + 32 * i);
        a.template forward_group<4>(x, y, f);
        EACH(4) regroup(x[i], y[i], _mm512_unpacklo_epi64(x[i], y[i]), _mm512_unpackhi_epi64(x[i], y[i]));
        EACH(4) f[i] = of_twos(line + 32 * i);
        a.template forward_group<5>(x, y, f);
        if (!lazy_end) EACH(4) x[i] = a.residue(x[i]), y[i] = a.residue(y[i]);
        const Zmm first = _mm512_setr_epi64(0, 8, 1, 9, 4, 12, 5, 13), second = _mm512_setr_epi64(2, 10, 3, 11, 6, 14, 7, 15);
        EACH(4) regroup(x[i], y[i], _mm512_permutex2var_epi64(x[i], first, y[i]), _mm512_permutex2var_epi64(x[i], second, y[i]));
        EACH(4) Ifma::store(row + 16 * i, x[i]), Ifma::store(row + 16 * i + 8, y[i]);
    }

    // The mirror image. Lanes are held from behind, y before x, so that the tail, read from behind pair by pair, fits as it stands.
    static void inverse_begin(const Butterfly a, const NttTable& t, u32 m, u32 b, const u64* in, u64* out) {
        Zmm v[8], x[4], y[4];
        Fac f[4];
        const u64* line = t.tail + 128 * (m - 1 - b) + 96;
        EACH(4) x[i] = a.load(in + 16 * i), y[i] = a.load(in + 16 * i + 8);
        const Zmm even = _mm512_setr_epi64(14, 12, 6, 4, 10, 8, 2, 0), odd = _mm512_setr_epi64(15, 13, 7, 5, 11, 9, 3, 1);
        EACH(4) regroup(x[i], y[i], _mm512_permutex2var_epi64(x[i], even, y[i]), _mm512_permutex2var_epi64(x[i], odd, y[i]));
        EACH(4) f[i] = of_twos(line - 32 * i);
        a.template inverse_group<0>(x, y, f);
        EACH(4) regroup(x[i], y[i], _mm512_unpackhi_epi64(x[i], y[i]), _mm512_unpacklo_epi64(x[i], y[i]));
        EACH(4) f[i] = of_fours(line - 32 * i);
        a.template inverse_group<1>(x, y, f);
        EACH(4) regroup(x[i], y[i], _mm512_shuffle_i64x2(y[i], x[i], 0xEE), _mm512_shuffle_i64x2(y[i], x[i], 0x44));
        EACH(4) f[i] = of_eights<0xCC>(line - 32 * i);
        a.template inverse_group<2>(x, y, f);
        EACH(4) v[2 * i] = a.template settle<true>(_mm512_shuffle_i64x2(x[i], y[i], 0x77));
        EACH(4) v[2 * i + 1] = a.template settle<true>(_mm512_shuffle_i64x2(x[i], y[i], 0x22));
        EACH(4) f[i] = factor(t, 8 * m - 1 - (4 * b + i));
        a.template inverse_level<0, 8, 1>(v, f);
        EACH(2) f[i] = factor(t, 4 * m - 1 - (2 * b + i));
        a.template inverse_level<1, 8, 2>(v, f);
        f[0] = factor(t, 2 * m - 1 - b);
        a.template inverse_level<2, 8, 4>(v, f);
        EACH(4) a.store(out + 8 * i, a.template settle<true>(v[i]));
        EACH(4) a.store(out + 32 + 8 * i, a.template settle<false>(v[4 + i]));
    }

    static INLINE void regroup(Zmm& x, Zmm& y, Zmm new_x, Zmm new_y) { x = new_x, y = new_y; }
};

// Four cache lines for each pair of vectors: w and companion of the two groups of eight; those of the four groups of four, side by
// side, in the order 0 2 1 3; the eight w of the groups of two in the order 0 1 4 5 2 3 6 7, then their companions.
void make_tail(const Factor* factors, u32 n, u64* tail) {
    constexpr u32 fours[4] = {0, 2, 1, 3}, twos[8] = {0, 1, 4, 5, 2, 3, 6, 7};
    for (u32 pair = 0; pair < n / 16; ++pair, tail += 32) {
        const Factor *of_eights = factors + n / 8 + 2 * pair, *of_fours = factors + n / 4 + 4 * pair;
        const Factor* of_twos = factors + n / 2 + 8 * pair;
        for (u32 i = 0; i < 8; ++i) tail[i] = i % 4 < 2 ? of_eights[i % 2].w : of_eights[i % 2].companion;
        for (u32 i = 0; i < 4; ++i) tail[8 + 2 * i] = of_fours[fours[i]].w, tail[9 + 2 * i] = of_fours[fours[i]].companion;
        for (u32 i = 0; i < 8; ++i) tail[16 + i] = of_twos[twos[i]].w, tail[24 + i] = of_twos[twos[i]].companion;
    }
}

bool fits(const NttTable& t, u64 room) { return room * t.modulus.q < u64{1} << 52; }

template <bool lazy_end>
void forward_to(const NttTable& t, const u64* x, u64* out) {
    if (fits(t, 4 + 2 * static_cast<u64>(__builtin_ctz(t.n)))) return Ntt<Butterfly<Lazy::endless, lazy_end>>::forward(t, x, out);
    if (fits(t, 8)) return Ntt<Butterfly<Lazy::middle, lazy_end>>::forward(t, x, out);
    Ntt<Butterfly<Lazy::tight, lazy_end>>::forward(t, x, out);
}

void forward(const NttTable& t, const u64* x, u64* out, bool lazy) { lazy ? forward_to<true>(t, x, out) : forward_to<false>(t, x, out); }

void inverse(const NttTable& t, const Factor last[2], const u64* x, u64* out) {
    if (fits(t, 16)) return Ntt<Butterfly<Lazy::wide>>::inverse(t, last, x, out);
    if (fits(t, 8)) return Ntt<Butterfly<Lazy::middle>>::inverse(t, last, x, out);
    Ntt<Butterfly<Lazy::tight>>::inverse(t, last, x, out);
}

void permute(const u64* x, u64 k, const u32* sources, u64* out, u32 n) {
    u64 order[8][8];
    block_orders(k, order);
    Zmm orders[8];
    for (int s = 0; s < 8; ++s) orders[s] = Ifma::load(order[s]);
    for (u32 block = 0; block < n / 8; ++block) {
        const u32 s = sources[block] % 8;
        Ifma::store(out + 8 * block, _mm512_permutexvar_epi64(orders[s], Ifma::load(x + sources[block] - s)));
    }
}

__extension__ typedef unsigned __int128 u128;
Factor factor(u64 w, u64 q) { return {w, static_cast<u64>((static_cast<u128>(w) << 52) / q)}; }

bool supported() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512ifma");
}

}  // namespace

const Path& avx512_path() {
    using R = Rows<Ifma>;
    static const Path path = {
        "avx512",    128,           supported,       factor,    3, 32, make_tail,    forward,           inverse,
        permute,     R::elementwise, R::add_scalar,  R::mul_factor, R::sub_mul_add,    R::dot,
        R::combine,  R::matrix_rows, R::weighted_tile, R::centre, R::quotient,   R::reduce_words, R::lift,       ChaCha<Lanes16>::blocks, count_rows<Words8>,
        embed_rows,  unembed_rows,  round_rows};
    return path;
}

}  // namespace latticework
