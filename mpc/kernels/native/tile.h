// Packing and the innermost product, once for all paths: W says what a vector of words is and how many rows and vectors a tile has.
//
// Two terms of an inner product cost one multiplication (Winograd, "A new algorithm for inner product", IEEE Trans. Computers, 1968):
//     x1 y1 + x2 y2 = (x1 + y2) (x2 + y1) - x1 x2 - y1 y2,
// and the sums of x1 x2 by row and of y1 y2 by column are taken while packing. Modulo 2^64 this is exact. Pairs are term p and term
// half + p of a block, so that both are read in order.
#pragma once

#include "path.h"

namespace latticework::ring {

static inline bool follow_each_other(const i64* offsets, size_t count) {
    for (size_t j = 1; j < count; ++j)
        if (offsets[j] != offsets[0] + static_cast<i64>(j)) return false;
    return true;
}

// W::lanes words of each row, whose places do not follow each other: its rows are then likely to, and the inner loop is over them.
template <class W>
void pack_columns(const Matrix& x, const i64* places, size_t height, size_t given, u64* out) {
    for (size_t j = 0; j < W::lanes; ++j)
        for (size_t r = 0; r < height; ++r) out[r * kLeftStride + j] = j < given ? x.data[x.rows[r] + places[j]] : 0;
}

// Each row: kHalf words, kHalf words, and minus the sum of their products.
template <class W>
void pack_left(const Matrix& x, size_t height, size_t depth, u64* out) {
    const size_t half = (depth + 1) / 2;
    for (size_t side = 0; side < 2; ++side) {
        const size_t count = side ? depth - half : half;
        const i64* places = x.columns + side * half;
        bool in_order[kHalf];
        for (size_t p = 0; p < half; p += W::lanes) {
            const size_t given = p >= count ? 0 : count - p < W::lanes ? count - p : W::lanes;
            in_order[p] = given == W::lanes && follow_each_other(places + p, W::lanes);
            if (!in_order[p]) pack_columns<W>(x, places + p, height, given, out + side * kHalf + p);
        }
        for (size_t r = 0; r < height; ++r)
            for (size_t p = 0; p < half; p += W::lanes)
                if (in_order[p]) W::store(out + r * kLeftStride + side * kHalf + p, W::load(x.data + x.rows[r] + places[p]));
    }
    for (u64* row = out; row < out + height * kLeftStride; row += kLeftStride) {
        typename W::V sums = W::zero();
        for (size_t p = 0; p < half; p += W::lanes) sums = W::sub(sums, W::mul(W::load(row + p), W::load(row + kHalf + p)));
        u64 lanes[W::lanes];
        W::store(lanes, sums);
        row[kDepth] = lanes[0];
        for (size_t j = 1; j < W::lanes; ++j) row[kDepth] += lanes[j];
    }
}

// Where one vector of columns goes in the panels of a right side.
template <class W>
struct Lane {
    const i64* places;
    size_t given;  // of W::lanes; the others are 0
    bool in_order;
    u64* to;
    size_t stride;
};

// Pair number `pair` is rows x and y (0 if null). In order, minus their product is added to what is at the head of the panel.
template <class W>
void pack_pair(const u64* x, const u64* y, const Lane<W>& lane, size_t pair) {
    u64 *one = lane.to + (2 * pair + 1) * lane.stride, *two = one + lane.stride;
    if (lane.in_order) {
        const typename W::V first = W::load(x + lane.places[0]), second = y != nullptr ? W::load(y + lane.places[0]) : W::zero();
        W::store(one, first);
        W::store(two, second);
        W::store(lane.to, W::sub(W::load(lane.to), W::mul(first, second)));
        return;
    }
    for (size_t j = 0; j < lane.given; ++j) one[j] = x[lane.places[j]];
    for (size_t j = 0; j < lane.given; ++j) two[j] = y != nullptr ? y[lane.places[j]] : 0;
    for (size_t j = lane.given; j < W::lanes; ++j) one[j] = two[j] = 0;
}

// The head of a panel that was not packed in order. Vectors read right after their words were written would wait for them.
template <class W>
void sum_pairs(const Lane<W>& lane, size_t half) {
    typename W::V sums = W::zero();
    for (size_t p = 0; p < half; ++p) {
        const u64* one = lane.to + (2 * p + 1) * lane.stride;
        sums = W::sub(sums, W::mul(W::load(one), W::load(one + lane.stride)));
    }
    W::store(lane.to, sums);
}

// Panels of W::vectors vectors of columns, the last one of a single vector if that is enough: minus the sums of products, then for
// each pair its two rows. A row of all panels at a time: rows are often pages apart, where no processor looks ahead by itself.
template <class W>
void pack_right(const Matrix& y, size_t depth, size_t width, u64* out) {
    constexpr size_t columns_of_panel = W::vectors * W::lanes;
    const size_t half = (depth + 1) / 2;
    Lane<W> lanes[kGroup / W::lanes];
    size_t count = 0;
    for (size_t first = 0; first < width; first += columns_of_panel, out += columns_of_panel * (2 * half + 1)) {
        const size_t vectors = width - first > W::lanes ? W::vectors : 1;
        for (size_t v = 0; v < vectors; ++v) {
            const size_t at = first + v * W::lanes, given = at >= width ? 0 : width - at < W::lanes ? width - at : W::lanes;
            const bool in_order = given == W::lanes && follow_each_other(y.columns + at, W::lanes);
            lanes[count++] = {y.columns + at, given, in_order, out + v * W::lanes, vectors * W::lanes};
            W::store(out + v * W::lanes, W::zero());
        }
    }
    for (size_t p = 0; p < half; ++p) {
        const u64 *one = y.data + y.rows[p], *two = half + p < depth ? y.data + y.rows[half + p] : nullptr;
        for (size_t v = 0; v < count; ++v) pack_pair<W>(one, two, lanes[v], p);
    }
    for (size_t v = 0; v < count; ++v)
        if (!lanes[v].in_order) sum_pairs<W>(lanes[v], half);
}

// R rows times C vectors of columns of the product; the rows lie `stride` words apart.
template <class W, size_t R, size_t C>
void tile(size_t half, const u64* a, const u64* b, u64* out, size_t stride) {
    typename W::V sums[R][C];
    for (size_t r = 0; r < R; ++r)
        for (size_t c = 0; c < C; ++c)
            sums[r][c] = W::add(W::broadcast(a + r * kLeftStride + 2 * kHalf), W::load(b + c * W::lanes));
    b += C * W::lanes;
    for (size_t p = 0; p < half; ++p, ++a, b += 2 * C * W::lanes) {
        typename W::V one[C], two[C];
        for (size_t c = 0; c < C; ++c) one[c] = W::load(b + c * W::lanes), two[c] = W::load(b + (C + c) * W::lanes);
        for (size_t r = 0; r < R; ++r) {
            const typename W::V x1 = W::broadcast(a + r * kLeftStride), x2 = W::broadcast(a + r * kLeftStride + kHalf);
            for (size_t c = 0; c < C; ++c)
                sums[r][c] = W::add(sums[r][c], W::mul(W::add(x1, two[c]), W::add(x2, one[c])));
        }
    }
    for (size_t r = 0; r < R; ++r)
        for (size_t c = 0; c < C; ++c) W::store(out + r * stride + c * W::lanes, sums[r][c]);
}

template <class W, size_t R, size_t C>
void tile_of(size_t height, size_t half, const u64* a, const u64* b, u64* out, size_t stride) {
    if (height == R)
        tile<W, R, C>(half, a, b, out, stride);
    else if constexpr (R > 1)
        tile_of<W, R - 1, C>(height, half, a, b, out, stride);
}

template <class W>
void multiply_tile(size_t height, size_t width, size_t half, const u64* a, const u64* b, u64* out, size_t stride) {
    if (width > W::lanes)
        tile_of<W, W::rows, W::vectors>(height, half, a, b, out, stride);
    else
        tile_of<W, W::rows, 1>(height, half, a, b, out, stride);
}

// out[0 .. count) = words, or += words.
template <class W>
void put(const u64* words, u64* out, size_t count, bool add) {
    size_t j = 0;
    for (; j + W::lanes <= count; j += W::lanes)
        W::store(out + j, add ? W::add(W::load(out + j), W::load(words + j)) : W::load(words + j));
    for (; j < count; ++j) out[j] = add ? out[j] + words[j] : words[j];
}

template <class W>
Path make_path(const char* name) {
    return {name, W::rows, W::vectors * W::lanes, &pack_left<W>, &pack_right<W>, &multiply_tile<W>, &put<W>};
}

}  // namespace latticework::ring
