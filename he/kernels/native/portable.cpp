// The portable path: 64-bit words, 128-bit products, Shoup factors. Runs everywhere, and is what small rings use on every path.
#include "chacha.h"
#include "ntt.h"
#include "permute.h"
#include "real.h"
#include "rows.h"

namespace latticework {
namespace {

__extension__ typedef unsigned __int128 u128;

inline u64 mul_high(u64 a, u64 b) { return static_cast<u64>((static_cast<u128>(a) * b) >> 64); }

struct Scalar {
    using Word = u64;
    static constexpr size_t width = 1, max_terms = 4096, max_sum_terms = max_terms, tile = 1;

    struct Mod {
        u64 q, ratio, pow, pow_companion;
        explicit Mod(const Modulus& m)
            : q(m.q), ratio(m.ratio64), pow(m.pow52), pow_companion(static_cast<u64>((static_cast<u128>(m.pow52) << 64) / m.q)) {}
    };
    struct Fac {
        u64 w, companion;
        Fac() = default;
        explicit Fac(Factor f) : w(f.w), companion(f.companion) {}
    };
    using Acc = u128;

    static u64 load(const u64* x) { return *x; }
    static u64 load(const u32* x) { return *x; }
    static void store(u64* x, u64 v) { *x = v; }
    static u64 zero() { return 0; }
    static u64 broadcast(u64 v) { return v; }
    static u64 once(u64 v, u64 q) { return v - (q & -static_cast<u64>(v >= q)); }
    static u64 add(u64 x, u64 y, const Mod& m) { return once(x + y, m.q); }
    static u64 sub(u64 x, u64 y, const Mod& m) { return once(x + m.q - y, m.q); }
    static u64 mul_lazy(u64 x, const Fac& f, u64 q) { return x * f.w - mul_high(x, f.companion) * q; }  // [0, 2q), any x
    static u64 mul_factor(u64 x, const Fac& f, const Mod& m) { return once(mul_lazy(x, f, m.q), m.q); }

    static size_t max_lazy_terms(u64) { return max_terms; }  // this path's transforms are never lazy
    // x in [0, source) to x - source where x > half, plus offset, a multiple of q that makes it positive; then reduced if far from q.
    struct Centre {
        u64 source, half, offset;
        Centre(u64 s, u64 h, u64 o) : source(s), half(h), offset(o) {}
    };
    template <bool far>
    static u64 centred(u64 x, const Centre& c, const Mod& m) {
        x += c.offset - (c.source & -static_cast<u64>(x > c.half));
        return far ? reduce_word(x, m) : x;
    }

    struct Spread {
        u32 log_run;
        explicit Spread(u32 k) : log_run(k) {}
        template <class T>
        u64 load(const T* w, size_t i) const {
            return w[i >> log_run];
        }
    };

    static Acc acc(u64 x) { return x; }
    static void acc_add(Acc& a, u64 x, u64 y, const Mod&) { a += static_cast<u128>(x) * y; }
    static u64 acc_reduce(Acc a, const Mod& m) {
        const u64 high = static_cast<u64>(a >> 52), low = static_cast<u64>(a) & ((u64{1} << 52) - 1);
        const u64 folded = mul_lazy(high, Fac(Factor{m.pow, m.pow_companion}), m.q) + low;
        return reduce_word(folded, m);
    }
    static u64 acc_reduce_sum(Acc a, const Mod& m) { return acc_reduce(a, m); }
    static u64 acc_value(Acc a) { return static_cast<u64>(a); }
    static u64 acc_reduce_lazy(Acc a, const Mod& m) { return acc_reduce(a, m); }
    static u64 reduce_word(u64 x, const Mod& m) { return once(x - mul_high(x, m.ratio) * m.q, m.q); }
    static u64 load_word(const u64* x) { return *x; }
    static u64 broadcast_word(u64 x) { return x; }
    static u64 add_word(u64 x, u64 y) { return x + y; }

    static double real(double v) { return v; }
    static double to_real(const u64* x) { return static_cast<double>(*x); }
    static double real_mul_add(double x, double y, double z) { return z + x * y; }
    static void store_floor(u64* out, double v) { *out = static_cast<u64>(v); }
};

// Lazy values: forward in [0, (4 + 2 levels) q), at most 38 q < 2^56; inverse in [0, 2q) after settle, doubling at each level.
struct Butterfly {
    using Word = u64;
    using Fac = Scalar::Fac;
    static constexpr u32 width = 1, block = 1;
    static constexpr int max_levels = 2;
    u64 q, twice, ratio;
    explicit Butterfly(const NttTable& t) : q(t.modulus.q), twice(2 * t.modulus.q), ratio(t.modulus.ratio64) {}

    static Fac factor(const NttTable& t, u32 i) { return Fac(Factor{t.w[i], t.companion[i]}); }
    u64 load_in(const u64* x) const { return *x; }
    u64 load(const u64* x) const { return *x; }
    void store(u64* x, u64 v) const { *x = v; }
    void store_residue(u64* x, u64 v) const { *x = v; }
    u64 enter(u64 x) const { return x; }
    u64 reduce(u64 x) const { return x - mul_high(x, ratio) * q; }  // [0, 2q)
    void forward(u64& x, u64& y, const Fac& f) const {
        const u64 p = Scalar::mul_lazy(y, f, q);
        y = x + twice - p;
        x = x + p;
    }
    template <int k, int R, int half>
    void forward_level(u64* a, const Fac* f) const {
        for (int i = 0; i < R / 2; ++i) forward(a[i + i / half * half], a[i + i / half * half + half], f[i / half]);
    }
    template <int k>
    void inverse(u64& x, u64& y, const Fac& f) const {
        const u64 d = y + (twice << k) - x;
        x = x + y;
        y = Scalar::mul_lazy(d, f, q);
    }
    template <int k, int R, int half>
    void inverse_level(u64* a, const Fac* f) const {
        for (int i = 0; i < R / 2; ++i) inverse<k>(a[i + i / half * half], a[i + i / half * half + half], f[i / half]);
    }
    template <bool sum>
    u64 settle(u64 x) const {
        return sum ? reduce(x) : x;
    }
    void last(u64& x, u64& y, const Fac& f0, const Fac& f1) const {
        const u64 s = x + y, d = x + (twice << 3) - y;
        x = Scalar::once(Scalar::mul_lazy(s, f0, q), q);
        y = Scalar::once(Scalar::mul_lazy(d, f1, q), q);
    }
    static void forward_end(const Butterfly& a, const NttTable&, u32, u32, u64* out) { *out = Scalar::once(a.reduce(*out), a.q); }
    static void inverse_begin(const Butterfly&, const NttTable&, u32, u32, const u64* x, u64* out) { *out = *x; }
};

void forward(const NttTable& t, const u64* x, u64* out, bool) { Ntt<Butterfly>::forward(t, x, out); }

Factor factor(u64 w, u64 q) { return {w, static_cast<u64>((static_cast<u128>(w) << 64) / q)}; }

bool supported() { return true; }

}  // namespace

const Path& portable_path() {
    using R = Rows<Scalar>;
    static const Path path = {
        "portable",      16,           supported,        factor,          0, 0, nullptr, forward, Ntt<Butterfly>::inverse,
        permute_scalar,  R::elementwise, R::add_scalar,  R::mul_factor,   R::sub_mul_add,          R::dot,
        R::combine,      R::matrix_rows, R::weighted_tile, R::centre, R::quotient,  R::reduce_words,  R::lift,         ChaCha<Lanes4>::blocks,       count_rows<Words2>,
        embed_rows,      unembed_rows, round_rows};
    return path;
}

}  // namespace latticework
