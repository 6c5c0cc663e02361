// Arithmetic modulo a prime q < 2^50 on numbers in [0, q), in one of two ways with the same results: doubles
// and fused multiply-adds (FIELD_FP64 = 1, for cards with full-rate FP64) or 64-bit integers. A `word` is how
// a residue stands in a register; in memory it is a u64.
#pragma once

#include "shim.cuh"

struct Modulus {
    u64 q;
    u64 reciprocal;  // floor(2^(63 + bits) / q)
    double inverse;  // 1.0 / q, rounded to nearest
    u64 bits;        // 2^(bits - 1) < q < 2^bits
    const u64* forward;   // psi^brv(i), i in [0, N)
    const u64* backward;  // their inverses
};

#if FIELD_FP64

typedef double word;

struct Field {
    double q, inverse;
};

DEVICE Field field_of(const Modulus& m) { return {static_cast<double>(m.q), m.inverse}; }

// An integer below 2^52 is the fraction of a double in [2^52, 2^53).
DEVICE word load(u64 x) { return as_double(x | 0x4330000000000000ull) - 4503599627370496.0; }
DEVICE u64 store(word x) { return as_bits(x + 4503599627370496.0) & 0xFFFFFFFFFFFFFull; }

// x < 2^50, y < q. With h + l = x y exactly and c an integer within 5/8 of h/q (1/2 for rounding to it, 1/8 for
// the error of `inverse`), h - c q is an integer below 5/8 q, and l is below q/8: all of it exact, and the
// result in (-q, q) before the last line.
DEVICE word mul(word x, word y, const Field& f) {
    const double whole = 6755399441055744.0;  // 3 * 2^51: adding it rounds to an integer
    const double h = product_rounded(x, y), l = fused(x, y, -h);
    const double c = sum_rounded(fused(h, f.inverse, whole), -whole);
    const double r = sum_rounded(fused(-c, f.q, h), l);
    return r < 0 ? r + f.q : r;
}

#else

typedef u64 word;

struct Field {
    u64 q, reciprocal;
    u32 shift;
};

DEVICE Field field_of(const Modulus& m) { return {m.q, m.reciprocal, static_cast<u32>(m.bits) - 1}; }

DEVICE word load(u64 x) { return x; }
DEVICE u64 store(word x) { return x; }

// x < 2^50, y < q (Barrett, CRYPTO 1986): the estimate falls short of the quotient by at most 2.
DEVICE word mul(word x, word y, const Field& f) {
    const u64 low = x * y, high = product_high(x, y);
    const u64 top = (high << (64 - f.shift)) | (low >> f.shift);
    u64 r = low - product_high(top, f.reciprocal) * f.q;
    r = r >= 2 * f.q ? r - 2 * f.q : r;
    return r >= f.q ? r - f.q : r;
}

#endif

DEVICE word add(word x, word y, const Field& f) {
    const word s = x + y;
    return s >= f.q ? s - f.q : s;
}
DEVICE word sub(word x, word y, const Field& f) { return x >= y ? x - y : x + f.q - y; }
