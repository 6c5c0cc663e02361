// The floating-point rows: the encoder's tower, rounding, and counting thresholds. Plain loops that each path's compiler flags turn
// into its own vectors; contraction into fused operations is switched off, so every path computes the same bits.
#pragma once

#include <cmath>
#include <cstring>

#include "api.h"

namespace latticework {
namespace {

// One level of the forward tower on a block: (x, y) -> (x + w y, x - w y), t points each.
inline void embed_block(double* __restrict re, double* __restrict im, double c, double d, u32 t) {
    double* __restrict re1 = re + t;
    double* __restrict im1 = im + t;
    for (u32 j = 0; j < t; ++j) {
        const double x = re1[j] * c - im1[j] * d, y = re1[j] * d + im1[j] * c;
        const double a = re[j], b = im[j];
        re[j] = a + x, im[j] = b + y;
        re1[j] = a - x, im1[j] = b - y;
    }
}

// One level of the inverse tower on a block: (x, y) -> (x + y, (x - y) conj(w)); d is already the negated imaginary part.
inline void unembed_block(double* __restrict re, double* __restrict im, double c, double d, u32 t) {
    double* __restrict re1 = re + t;
    double* __restrict im1 = im + t;
    for (u32 j = 0; j < t; ++j) {
        const double x = re[j] - re1[j], y = im[j] - im1[j];
        re[j] = re[j] + re1[j], im[j] = im[j] + im1[j];
        re1[j] = x * c - y * d, im1[j] = x * d + y * c;
    }
}

void embed_rows(double* re, double* im, const double* root_re, const double* root_im, u32 n) {
    for (u32 m = 1; m < n; m *= 2) {
        const u32 t = n / (2 * m);
        for (u32 b = 0; b < m; ++b) embed_block(re + 2 * b * t, im + 2 * b * t, root_re[m + b], root_im[m + b], t);
    }
}

void unembed_rows(double* re, double* im, const double* root_re, const double* root_im, u32 n) {
    for (u32 m = n / 2; m >= 1; m /= 2) {
        const u32 t = n / (2 * m);
        for (u32 b = 0; b < m; ++b) unembed_block(re + 2 * b * t, im + 2 * b * t, root_re[m + b], -root_im[m + b], t);
    }
    const double scale = 1.0 / n;
    for (u32 j = 0; j < n; ++j) re[j] *= scale, im[j] *= scale;
}

bool round_rows(const double* x, double scale, i64* out, size_t n) {
    constexpr double limit = 4611686018427387904.0;  // 2^62
    bool fits = true;
    for (size_t i = 0; i < n; ++i) fits &= std::fabs(x[i] * scale) < limit;
    if (!fits) return false;
    for (size_t i = 0; i < n; ++i) out[i] = static_cast<i64>(std::nearbyint(x[i] * scale));
    return true;
}

// Thresholds against four vectors of words at a time, which stay in registers. n is a multiple of 8; a vector has at most 8 words.
template <class Words>
void count_rows(const u64* x, const u64* thresholds, size_t count, i64 offset, i64* out, size_t n) {
    using Vec = typename Words::Vec;
    constexpr size_t width = sizeof(Vec) / sizeof(u64);
    for (size_t i = 0; i < n;) {
        const size_t vectors = n - i >= 4 * width ? 4 : 1;
        Vec w[4] = {}, reached[4] = {};
        std::memcpy(w, x + i, vectors * sizeof(Vec));
        for (size_t t = 0; t < count; ++t) {
            const Vec step = Vec{} + thresholds[t];
            for (int v = 0; v < 4; ++v) reached[v] -= static_cast<Vec>(w[v] >= step);
        }
        for (int v = 0; v < 4; ++v) reached[v] -= Vec{} + static_cast<u64>(offset);
        std::memcpy(out + i, reached, vectors * sizeof(Vec));
        i += vectors * width;
    }
}

struct Words2 {
    typedef u64 Vec __attribute__((vector_size(16)));
};
struct Words4 {
    typedef u64 Vec __attribute__((vector_size(32)));
};
struct Words8 {
    typedef u64 Vec __attribute__((vector_size(64)));
};

}  // namespace
}  // namespace latticework
