// Blocks and threads around the tiles of path.h.
#include "product.h"

#include <algorithm>

#include "pool.h"

namespace latticework::ring {
namespace {

using std::size_t;

// Packed, so many rows stay in the second-level cache beside kGroup columns. Also the least for which one thread packs the whole
// other side: more parts than threads even out what else runs on the machine.
constexpr size_t kHeight = 320;
// A product of fewer terms is over before another thread has woken up.
constexpr size_t kTermsPerThread = size_t{1} << 21;

size_t parts(size_t size, size_t most) { return (size + most - 1) / most; }

// Lengths of places that follow each other in memory.
size_t find_runs(const i64* places, size_t count, size_t* lengths) {
    size_t runs = 0;
    for (size_t first = 0; first < count; first += lengths[runs++]) {
        size_t length = 1;
        while (first + length < count && places[first + length] == places[first] + static_cast<i64>(length)) ++length;
        lengths[runs] = length;
    }
    return runs;
}

// Words in rows of kGroup to their places.
void put(const Path& path, const u64* words, const Result& out, Sizes s, bool add) {
    size_t lengths[kGroup];
    const size_t runs = find_runs(out.columns, s.width, lengths);
    for (size_t r = 0; r < s.height; ++r) {
        u64* to = out.data + out.rows[r];
        for (size_t i = 0, j = 0; i < runs; j += lengths[i++]) path.put(words + r * kGroup + j, to + out.columns[j], lengths[i], add);
    }
}

void pack_left(const Path& path, const Matrix& x, Sizes s, u64* out) {
    for (size_t row = 0; row < s.height; row += path.rows)
        path.pack_left({x.data, x.rows + row, x.columns}, std::min(path.rows, s.height - row), s.depth, out + row * kLeftStride);
}

// One block of terms for at most kGroup columns, both packed.
void multiply_group(const Path& path, const u64* left, const u64* right, u64* words, Sizes s) {
    const size_t half = (s.depth + 1) / 2, panels = parts(s.height, path.rows);
    for (size_t j = 0; j < s.width; j += path.columns, right += path.columns * (2 * half + 1))
        for (size_t i = 0; i < panels; ++i) {
            const size_t row = i * s.height / panels, height = (i + 1) * s.height / panels - row;
            path.multiply(height, s.width - j, half, left + row * kLeftStride, right, words + row * kGroup + j, kGroup);
        }
}

struct Buffers {
    Scratch<u64> left, right, words;
    explicit Buffers(size_t height) : left(height * kLeftStride), right(kGroup * (kDepth + 1)), words(height * kGroup) {}
};

// One block of terms for rows that stay in the cache.
void multiply_block(const Path& path, const Buffers& to, const Matrix& x, const Matrix& y, const Result& out, Sizes s, bool add) {
    pack_left(path, x, s, to.left.get());
    for (size_t j = 0; j < s.width; j += kGroup) {
        const Sizes group{s.height, s.depth, std::min(kGroup, s.width - j)};
        path.pack_right({y.data, y.rows, y.columns + j}, group.depth, group.width, to.right.get());
        multiply_group(path, to.left.get(), to.right.get(), to.words.get(), group);
        put(path, to.words.get(), {out.data, out.rows, out.columns + j}, group, add);
    }
}

void multiply(const Path& path, const Matrix& x, const Matrix& y, const Result& out, Sizes s, bool add) {
    const size_t blocks = parts(s.depth, kDepth), bands = parts(s.height, kHeight);
    const Buffers buffers(std::min(s.height, kHeight));
    for (size_t band = 0; band < bands; ++band) {
        const size_t row = band * s.height / bands, height = (band + 1) * s.height / bands - row;
        for (size_t block = 0; block < blocks; ++block) {
            const size_t term = block * s.depth / blocks, depth = (block + 1) * s.depth / blocks - term;
            multiply_block(path, buffers, {x.data, x.rows + row, x.columns + term}, {y.data, y.rows + term, y.columns},
                           {out.data, out.rows + row, out.columns}, {height, depth, s.width}, add || block > 0);
        }
    }
}

}  // namespace

void product(const Way& way, const Matrix& x, const Matrix& y, const Result& out, Sizes s) {
    const bool by_rows = !way.add && s.height >= s.width;
    const size_t unit = way.add ? way.block : 1, size = by_rows ? s.height : s.width, units = size / unit;
    const size_t useful = s.height * s.depth * s.width / kTermsPerThread;
    const size_t threads = static_cast<size_t>(way.threads), wanted = threads == 1 ? 1 : threads * parts(size, threads * kHeight);
    const size_t count = std::max<size_t>(1, std::min({wanted, useful, units}));
    parallel_for(count, way.threads, [&](size_t i) {
        const size_t first = i * units / count * unit, part = (i + 1) * units / count * unit - first;
        if (by_rows)
            multiply(way.path, {x.data, x.rows + first, x.columns}, y, {out.data, out.rows + first, out.columns},
                     {part, s.depth, s.width}, way.add);
        else
            multiply(way.path, x, {y.data, y.rows, y.columns + first}, {out.data, out.rows, out.columns + first},
                     {s.height, s.depth, part}, way.add);
    });
}

}  // namespace latticework::ring
