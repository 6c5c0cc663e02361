// The negacyclic NTT as depth-first passes of radix 8 and 4 over a row; each path supplies the arithmetic and the last levels.
//
// Cooley-Tukey forward and Gentleman-Sande inverse (Longa and Naehrig, ePrint 2016/504), with Harvey's lazy butterflies (Harvey,
// "Faster arithmetic for number-theoretic transforms", 2014). A sub-transform is finished before the next one begins, so that it
// runs in the cache it fits in, whatever its size. The inverse reads the forward twiddles from behind, with the sign changed:
// w[m + i]^-1 = -w[2m - 1 - i], because the exponents of the two add up to n.
//
// The arithmetic B keeps values in a lazy range of its own between passes:
//   load_in, store_out     canonical residues in memory <-> lazy values
//   load, store            lazy values in memory, in the row itself
//   forward_level<k, R, half>(a, f)   (x, y) -> (x + f y, x - f y) for all partners x, y of R values, `half` apart, one factor for
//                          each group of 2 half; the k-th level of a pass
//   inverse_level<k, R, half>(a, f)   (x, y) -> (x + y, (y - x) f), likewise
//   enter(x)               forward: what every value goes through when a pass loads it
//   settle<sum>(x)         inverse: what every value goes through when a pass ends; sum tells which kind the last level made it
//   last(x, y, f0, f1)     (x, y) -> ((x + y) f0, (x - y) f1)
#pragma once

#include "api.h"

namespace latticework {
namespace {

template <class B>
struct Ntt {
    using W = typename B::Word;

    // How far ahead the first pass asks for its row, in words: its strides defeat the hardware's own guesses.
    static constexpr u32 ahead = 64;

    static constexpr int log2(u32 v) { return v <= 1 ? 0 : 1 + log2(v / 2); }

    // How many levels the next pass over a block with this many pending does: as many as the arithmetic has registers for, but 2
    // where 3 would leave a lone one.
    static int pass_levels(int pending) {
        if (B::max_levels == 2) return pending % 2 == 0 ? 2 : 1;
        return pending % 3 == 0 || pending == 5 ? 3 : pending == 1 ? 1 : 2;
    }

    // `levels` levels on block b of the level with m blocks.
    template <int levels, bool first>
    static void forward_pass(const B arith, const NttTable& t, u32 m, u32 b, const u64* x, u64* out, u32 len) {
        constexpr int R = 1 << levels;
        const u32 stride = len / R;
        typename B::Fac f[R];  // f[2^k + i] for level k
#pragma GCC unroll 8
        for (int k = 0; k < levels; ++k)
#pragma GCC unroll 8
            for (int i = 0; i < 1 << k; ++i) f[(1 << k) + i] = B::factor(t, (m << k) + (b << k) + i);
        for (u32 j = 0; j < stride; j += B::width) {
            W a[R];
#pragma GCC unroll 8
            for (int i = 0; first && i < R; ++i) __builtin_prefetch(x + i * stride + j + ahead);
#pragma GCC unroll 8
            for (int i = 0; i < R; ++i)
                a[i] = first ? arith.load_in(x + i * stride + j) : arith.enter(arith.load(x + i * stride + j));
            arith.template forward_level<0, R, R / 2>(a, f + 1);
            if constexpr (levels > 1) arith.template forward_level<1, R, R / 4>(a, f + 2);
            if constexpr (levels > 2) arith.template forward_level<2, R, R / 8>(a, f + 4);
#pragma GCC unroll 8
            for (int i = 0; i < R; ++i) arith.store(out + i * stride + j, a[i]);
        }
    }

    // `levels` levels that end at block b of the level with m blocks; `top` includes the last level of all and delivers residues.
    template <int levels, bool top>
    static void inverse_pass(const B arith, const NttTable& t, const Factor* last, u32 m, u32 b, u64* x, u32 len) {
        constexpr int R = 1 << levels;
        const u32 stride = len / R;
        typename B::Fac f[R];
#pragma GCC unroll 8
        for (int k = top ? 1 : 0; k < levels; ++k)
#pragma GCC unroll 8
            for (int i = 0; i < 1 << k; ++i) f[(1 << k) + i] = B::factor(t, 2 * (m << k) - 1 - ((b << k) + i));
        const typename B::Fac f0(top ? last[0] : Factor{}), f1(top ? last[1] : Factor{});
        for (u32 j = 0; j < stride; j += B::width) {
            W a[R];
#pragma GCC unroll 8
            for (int i = 0; i < R; ++i) a[i] = arith.load(x + i * stride + j);
            inverse_levels<levels, top>(arith, a, f);
#pragma GCC unroll 8
            for (int i = 0; i < R; ++i) {
                if constexpr (top) {
                    if (i < R / 2) arith.last(a[i], a[i + R / 2], f0, f1);
                } else {
                    a[i] = i < R / 2 ? arith.template settle<true>(a[i]) : arith.template settle<false>(a[i]);
                }
            }
#pragma GCC unroll 8
            for (int i = 0; i < R; ++i) {
                if constexpr (top)
                    arith.store_residue(x + i * stride + j, a[i]);
                else
                    arith.store(x + i * stride + j, a[i]);
            }
        }
    }

    template <int levels, bool top, int k = levels - 1>
    static inline __attribute__((always_inline)) void inverse_levels(const B& arith, W* a, const typename B::Fac* f) {
        if constexpr (k >= (top ? 1 : 0)) {
            constexpr int R = 1 << levels;
            arith.template inverse_level<levels - 1 - k, R, (R >> (k + 1))>(a, f + (1 << k));
            inverse_levels<levels, top, k - 1>(arith, a, f);
        }
    }

    template <bool first>
    static void forward_block(const B& arith, const NttTable& t, u32 m, u32 b, const u64* x, u64* out, u32 len) {
        if (len == B::block) return B::forward_end(arith, t, m, b, out);
        const int levels = pass_levels(log2(len / B::block));
        if constexpr (B::max_levels == 3)
            if (levels == 3) forward_pass<3, first>(arith, t, m, b, x, out, len);
        if (levels == 2)
            forward_pass<2, first>(arith, t, m, b, x, out, len);
        if (levels == 1)
            forward_pass<1, first>(arith, t, m, b, x, out, len);
        for (u32 i = 0; i < 1u << levels; ++i) {
            u64* part = out + i * (len >> levels);
            forward_block<false>(arith, t, m << levels, (b << levels) + i, part, part, len >> levels);
        }
    }

    template <bool top>
    static void inverse_block(const B& arith, const NttTable& t, const Factor* last, u32 m, u32 b, const u64* x, u64* out, u32 len) {
        if (len == B::block) return B::inverse_begin(arith, t, m, b, x, out);
        const int levels = pass_levels(log2(len / B::block));
        for (u32 i = 0; i < 1u << levels; ++i) {
            const u32 at = i * (len >> levels);
            inverse_block<false>(arith, t, last, m << levels, (b << levels) + i, x + at, out + at, len >> levels);
        }
        if constexpr (B::max_levels == 3)
            if (levels == 3) inverse_pass<3, top>(arith, t, last, m, b, out, len);
        if (levels == 2)
            inverse_pass<2, top>(arith, t, last, m, b, out, len);
        if (levels == 1)
            inverse_pass<1, top>(arith, t, last, m, b, out, len);
    }

    static void forward(const NttTable& t, const u64* x, u64* out) {
        forward_block<true>(B(t), t, 1, 0, x, out, t.n);
    }

    static void inverse(const NttTable& t, const Factor* last, const u64* x, u64* out) {
        inverse_block<true>(B(t), t, last, 1, 0, x, out, t.n);
    }
};

}  // namespace
}  // namespace latticework
