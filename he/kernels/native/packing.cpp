// Residues as a dense stream of bits. See engine.h and ../reference/packing.py.
#include <atomic>
#include <cstring>

#include "engine.h"
#include "pool.h"

namespace latticework {
namespace {

int bits_of(u64 q) { return 64 - __builtin_clzll(q); }

// Entries in [0, 2^bits) of one row, whose number is a multiple of 8, to bytes and back; bits <= 50, little-endian machines.
void pack_row(const u64* x, size_t n, int bits, unsigned char* out) {
    u64 pending = 0;
    int filled = 0;
    for (size_t t = 0; t < n; ++t) {
        pending |= x[t] << filled;
        filled += bits;
        if (filled < 64) continue;
        std::memcpy(out, &pending, 8);
        out += 8, filled -= 64;
        pending = filled == 0 ? 0 : x[t] >> (bits - filled);
    }
    std::memcpy(out, &pending, static_cast<size_t>(filled) / 8);
}

// The first entry that is not below q, or n.
size_t unpack_row(const unsigned char* data, size_t n, int bits, u64 q, u64* out) {
    const size_t bytes = n * static_cast<size_t>(bits) / 8;
    const u64 mask = (u64{1} << bits) - 1;
    u64 wrong = 0;
    for (size_t t = 0; t < n; ++t) {
        const size_t bit = t * static_cast<size_t>(bits), at = bit / 8;
        u64 word = 0;  // shift and entry fit: 7 + 50 bits
        if (at + 8 <= bytes)
            std::memcpy(&word, data + at, 8);
        else
            std::memcpy(&word, data + at, bytes - at);
        out[t] = word >> (bit % 8) & mask;
        wrong |= (q - 1 - out[t]) >> 63;
    }
    size_t first = wrong != 0 ? 0 : n;
    while (first < n && out[first] < q) ++first;
    return first;
}

// Where row r begins in the stream.
size_t row_offset(const Basis& b, size_t r) {
    size_t all = 0, before = 0;
    for (size_t i = 0; i < b.limbs(); ++i) {
        const size_t bytes = b.n / 8 * static_cast<size_t>(bits_of(b.q(i)));
        all += bytes;
        if (i < r % b.limbs()) before += bytes;
    }
    return r / b.limbs() * all + before;
}

}  // namespace

size_t packed_bytes(const Basis& b) { return row_offset(b, b.limbs()); }

void pack(const Basis& b, const u64* x, unsigned char* out, size_t polys) {
    parallel_for(polys * b.limbs(), b.threads, [&](size_t r) {
        pack_row(x + r * b.n, b.n, bits_of(b.q(r % b.limbs())), out + row_offset(b, r));
    });
}

i64 unpack(const Basis& b, const unsigned char* data, u64* out, size_t polys) {
    std::atomic<i64> bad{-1};
    parallel_for(polys * b.limbs(), b.threads, [&](size_t r) {
        const u64 q = b.q(r % b.limbs());
        const size_t first = unpack_row(data + row_offset(b, r), b.n, bits_of(q), q, out + r * b.n);
        if (first < b.n) bad = static_cast<i64>(r * b.n + first);
    });
    return bad;
}

}  // namespace latticework
