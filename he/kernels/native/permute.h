// The automorphism X -> X^k on NTT values: blocks of eight neighbours move as blocks, with one of eight orders inside.
//
// Position j holds the value at exponent 2 brv(j) + 1. The low three bits of j are the top three of brv(j), hence eight neighbours have
// exponents that differ by multiples of n/4, and so have their images under multiplication by k.
#pragma once

#include "api.h"

namespace latticework {
namespace {

inline u32 reverse32(u32 v) {
    v = ((v >> 1) & 0x55555555u) | ((v & 0x55555555u) << 1);
    v = ((v >> 2) & 0x33333333u) | ((v & 0x33333333u) << 2);
    v = ((v >> 4) & 0x0f0f0f0fu) | ((v & 0x0f0f0f0fu) << 4);
    return __builtin_bswap32(v);
}

// The orders inside a block: out lane t takes lane order[s][t] of the source block, s the top three bits of the image of lane 0.
inline void block_orders(u64 k, u64 order[8][8]) {
    constexpr u64 reverse3[8] = {0, 4, 2, 6, 1, 5, 3, 7};
    for (u64 s = 0; s < 8; ++s)
        for (u64 t = 0; t < 8; ++t) order[s][t] = reverse3[(s + k * reverse3[t]) % 8];
}

// For every block of eight, the first element of its source, plus its order.
inline void block_sources(u64 k, u32* sources, u32 n) {
    const int bits = __builtin_ctz(n) - 3;
    for (u32 block = 0; block < n / 8; ++block) {
        const u32 r = reverse32(block) >> (32 - bits);
        const u32 image = static_cast<u32>(k * (2 * u64{r} + 1) / 2) & (n - 1);
        const u32 low = image & (n / 8 - 1);
        sources[block] = 8 * (reverse32(low) >> (32 - bits)) + (image >> bits);
    }
}

inline void permute_scalar(const u64* x, u64 k, const u32* sources, u64* out, u32 n) {
    u64 order[8][8];
    block_orders(k, order);
    for (u32 block = 0; block < n / 8; ++block) {
        const u32 s = sources[block] % 8, from = sources[block] - s;
        for (int t = 0; t < 8; ++t) out[8 * block + t] = x[from + order[s][t]];
    }
}

}  // namespace
}  // namespace latticework
