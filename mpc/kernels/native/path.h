// What every path (portable, AVX2, AVX-512) offers to product.cpp: packing, the product of two packed panels, and its way out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace latticework::ring {

using u64 = std::uint64_t;
using i64 = std::int64_t;

// The terms of an inner product are taken in blocks of at most kDepth, in two halves.
constexpr std::size_t kHalf = 128, kDepth = 2 * kHalf;
// Words a row of a left panel takes. Not a multiple of a page, or the rows would fall on the same lines of the cache.
constexpr std::size_t kLeftStride = kDepth + 8;
// Columns of a right side that are packed together, a multiple of any path's panel.
constexpr std::size_t kGroup = 64;

// Word (i, j) at data[rows[i] + columns[j]].
struct Matrix {
    const u64* data;
    const i64* rows;
    const i64* columns;
};

struct Path {
    const char* name;
    std::size_t rows, columns;  // of a tile
    // kLeftStride words for each of `height` rows. At most kDepth columns.
    void (*pack_left)(const Matrix& x, std::size_t height, std::size_t depth, u64* out);
    // At most kGroup columns, panels of `columns` of them one after the other: (2 half + 1) `columns` words each, half = depth / 2
    // rounded up.
    void (*pack_right)(const Matrix& y, std::size_t depth, std::size_t width, u64* out);
    // The product of `rows` rows or fewer and one panel, of which width columns count (others are written as well).
    void (*multiply)(std::size_t height, std::size_t width, std::size_t half, const u64* left, const u64* right, u64* out,
                     std::size_t stride);
    void (*put)(const u64* words, u64* out, std::size_t count, bool add);
};

// Those this CPU runs, slowest first.
std::vector<std::string> supported_paths();
// std::invalid_argument for a name that is not among them.
const Path& path_by_name(const std::string& name);

// Null where the compiler or the processor does not have it.
const Path* portable_path();
const Path* avx2_path();
const Path* avx512_path();

}  // namespace latticework::ring
