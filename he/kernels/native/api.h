// The native boundary: every path (portable, AVX2, AVX-512) is one table of the row functions below.
//
// Rows are n residues of one modulus, n a power of two, `uint64`. Unless said otherwise residues are canonical, in [0, q), going in and
// coming out, so that every path gives the same bits; `out` may be an input of the same length exactly (same address), never overlap
// otherwise. Nothing here allocates, throws or takes locks.
#pragma once

#include <cstddef>
#include <cstdint>

namespace latticework {

using u64 = std::uint64_t;
using i64 = std::int64_t;
using u32 = std::uint32_t;

// A constant multiplier w in [0, q) with its companion, in the form of the path that made it: (w, floor(w 2^52 / q)) for AVX-512,
// (w, floor(w 2^64 / q)) for portable code (Shoup), and the bits of the doubles (w centred, w / q) for AVX2.
struct Factor {
    u64 w, companion;
};

// What the paths need to know about a prime q = 1 mod 2n, 2^5 < q < 2^50.
struct Modulus {
    u64 q;
    u64 ratio52, ratio64;            // floor(2^52 / q), floor(2^64 / q)
    u64 pow52, pow52_companion;      // 2^52 mod q and floor(pow52 2^52 / q)
    u64 pow32;                       // 2^32 mod q
    u64 lift_offset;                 // the smallest multiple of q that is >= 2^62
    double qd, inverse;              // q and 1 / q
};

// Twiddles of one modulus: entry m + i, with its companion, is the factor psi^brv(m + i) of block i of the level of m blocks, brv
// over log2 n bits. The last `tail_levels` levels of a path stand in `tail` instead, in an order of its own.
struct NttTable {
    Modulus modulus;
    u32 n;
    const u64* w;
    const u64* companion;
    const u64* tail;
    Factor last[2];  // 1/n and psi^(-n/2)/n: the two products of the inverse transform's last level
};

// Weights for one modulus, residues of four or of eight bytes each; every one stands for a run of 2^log_run words. They lie as they are
// used: for each tile of words, or of runs if they are longer, first to last term, as many as there are in a tile.
constexpr size_t tile_words = 16;
struct WeightRow {
    const void* data;
    size_t terms;
    u32 log_run;
    bool narrow;
    size_t chunk() const { return log_run < 4 ? tile_words >> log_run : 1; }
    size_t tile_at(size_t word) const { return (word >> log_run) / chunk() * terms * chunk(); }
};

enum class Op { add, sub, neg, mul, mul_add };

// Callers of dot go through long rows in pieces of this many words, so that what several calls share stays in the first-level cache.
constexpr size_t piece = 1024;

struct Path {
    const char* name;
    u32 min_n;  // below this degree the path declines and portable code runs
    bool (*supported)();

    Factor (*factor)(u64 w, u64 q);
    // How many levels the tail has, and its making: from all n factors to tail_words words for each 16 coefficients.
    u32 tail_levels, tail_words;
    void (*make_tail)(const Factor* factors, u32 n, u64* tail);

    // Coefficients in natural order to values in bit-reversed order, and back; the inverse multiplies by last[0] n. ntt also takes
    // what combine leaves, and with `lazy` gives anything that dot takes as x when told so.
    void (*ntt)(const NttTable& t, const u64* x, u64* out, bool lazy);
    void (*intt)(const NttTable& t, const Factor last[2], const u64* x, u64* out);
    // out[j] = x[i], 2 brv(i) + 1 = k (2 brv(j) + 1) mod 2n, k odd, with the n/8 block_sources of k (permute.h). out is not x.
    void (*permute)(const u64* x, u64 k, const u32* sources, u64* out, u32 n);

    // x op y (op z); y is ignored by neg, z by all but mul_add.
    void (*elementwise)(Op op, const Modulus& m, const u64* x, const u64* y, const u64* z, u64* out, size_t n);
    void (*add_scalar)(const Modulus& m, const u64* x, u64 s, u64* out, size_t n);
    void (*mul_factor)(const Modulus& m, const u64* x, Factor f, u64* out, size_t n);
    // (x - t) f + addend; t and addend may be null, for zero.
    void (*sub_mul_add)(const Modulus& m, const u64* x, const u64* t, Factor f, const u64* addend, u64* out, size_t n);

    // sum_t x_t y_t mod q. x: residues, or with `lazy` what a lazy ntt left. y: residues, with `narrow` of four bytes each.
    void (*dot)(const Modulus& m, const u64* const* x, const void* const* y, size_t terms, u64* out, size_t n, bool lazy, bool narrow);
    // sum_t x_t f_t mod q in [0, 4q), for ntt or reduce_words, with constants f_t in [0, q), and x below 2^50 (of any modulus).
    void (*combine)(const Modulus& m, const u64* const* x, const u64* f, size_t terms, u64* out, size_t n);
    // out_k = sum_t x_{places_t} w_{4t+k} mod q for the four k, x_p being the `len` words from x + p len on, w residues; len is a
    // multiple of 16. Several out may be the same, for what nobody reads.
    void (*matrix_rows)(const Modulus& m, const u64* x, size_t len, const u32* places, const u64* w, size_t terms, u64* const out[4]);
    // Of one tile of words, for each s < sums and c < components: out + s sum_step + c component_step = sum_t x_{places_t, c} w_t mod q,
    // t from starts[s] to starts[s + 1]; x_{p, c} lies at x + (p components + c) tile_words, and w is the tile's first weight.
    void (*weighted_tile)(const Modulus& m, const u64* x, size_t components, const WeightRow& row, size_t first, const u32* places,
                          const size_t* starts, size_t sums, u64* out, size_t sum_step, size_t component_step);
    // What combine would give for one source modulus: x centred, from [0, source) to at most source / 2 in size, modulo q in [0, 4q).
    void (*centre)(const Modulus& m, const u64* x, u64 source, u64* out, size_t n);
    // floor(0.5 + sum_t x_t inverse_t) in doubles, in the order of t, products and sums rounded one by one.
    void (*quotient)(const u64* const* x, const double* inverse, size_t terms, u64* out, size_t n);

    // 64-bit words to residues, whatever the word; and signed integers |v| < 2^62 to residues. Constant time.
    void (*reduce_words)(const Modulus& m, const u64* x, u64* out, size_t n);
    void (*lift)(const Modulus& m, const i64* x, u64* out, size_t n);
    // ChaCha20 keystream (RFC 8439) as little-endian 64-bit words, from `block` on; and the number of thresholds that each word
    // reaches, minus offset. Constant time.
    void (*keystream)(const u32 key[8], const u32 nonce[3], u32 block, u64* out, size_t blocks);
    void (*count_reached)(const u64* x, const u64* thresholds, size_t count, i64 offset, i64* out, size_t n);

    // The tower of the encoder's transform on split complex rows of length n, in place; roots as in reference/embedding.py.
    void (*embed)(double* re, double* im, const double* root_re, const double* root_im, u32 n);
    void (*unembed)(double* re, double* im, const double* root_re, const double* root_im, u32 n);
    // rint(x scale) as integers; false if some result is not below 2^62 in size (then out is not written in full).
    bool (*round_scaled)(const double* x, double scale, i64* out, size_t n);
};

const Path& portable_path();
const Path& avx2_path();
const Path& avx512_path();

}  // namespace latticework
