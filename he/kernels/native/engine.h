// The coarse calls: whole polynomials and batches, spread over threads by rows. Meaning: ../reference/. Shapes as there, row-major.
#pragma once

#include <string>
#include <vector>

#include "tables.h"

namespace latticework {

void ntt(const Basis& b, const u64* x, u64* out, size_t polys);
void intt(const Basis& b, const u64* x, u64* out, size_t polys);
// y has y_polys polynomials, repeated over those of x.
void elementwise(Op op, const Basis& b, const u64* x, const u64* y, const u64* z, u64* out, size_t polys, size_t y_polys);
// (x0 y0, x0 y1 + x1 y0, x1 y1) of two polynomials each.
void tensor(const Basis& b, const u64* x, const u64* y, u64* out);
void add_scalar(const Basis& b, const u64* x, const std::vector<u64>& s, u64* out, size_t polys);
void mul_scalar(const Basis& b, const u64* x, const std::vector<u64>& s, u64* out, size_t polys);
void automorphism(const Basis& b, const u64* x, u64 k, u64* out, size_t polys);
void automorphism_ntt(const Basis& b, const u64* x, u64 k, u64* out, size_t polys);

void convert(const Converter& c, const u64* x, u64* out, size_t polys);
void mod_down(const Divider& d, const u64* x, u64* out, size_t polys);

// A key of shape (digits, 2, limbs, n), of eight bytes a residue or four.
struct Key {
    const void* data;
    size_t limbs;
    bool narrow;
};
// A key, and the automorphism X -> X^galois that follows its use.
struct Switch {
    Key key;
    u64 galois;
};
// One or two polynomials of the level, or none.
struct Addend {
    const u64* data;
    size_t components;
};
void decompose(const Gadget& g, const u64* x, u64* out);
void inner_product(const Gadget& g, const u64* digits, Switch key, Addend addend, u64* out);
// `by` is the gadget's divider or its rescaler.
void key_switch(const Gadget& g, const Divider& by, const u64* x, Switch key, Addend addend, u64* out);
void key_switch_digits(const Gadget& g, const Divider& by, const u64* digits, const std::vector<Switch>& switches, Addend addend,
                       u64* out);

// Sum s is over the terms from starts[s] to starts[s + 1] (../weights.py): weight t times vector places[t]. A row of weights a modulus.
struct Sums {
    std::vector<size_t> starts;
    std::vector<u32> places;
};
void weighted_sums(const Basis& b, const std::vector<WeightRow>& weights, const std::vector<const u64*>& vectors, const Sums& sums,
                   size_t components, u64* out);

// vectors of `components` polynomials each, one for each column of the matrix.
void matrix_product(const Basis& b, const IntegerMatrix& m, const std::vector<const u64*>& vectors, size_t components, u64* out);

void uniform(const Basis& b, const u32 key[8], u32 stream, u64* out);
void sample(const Path& path, const u32 key[8], u32 stream, const u64* thresholds, size_t count, i64 offset, i64* out,
            size_t n);
// With `values` the rows are transformed as well.
void lift(const Basis& b, const i64* x, u64* out, size_t polys, bool values);

size_t packed_bytes(const Basis& b);  // of one polynomial
void pack(const Basis& b, const u64* x, unsigned char* out, size_t polys);
// The position of an entry that is not below its modulus, or -1.
i64 unpack(const Basis& b, const unsigned char* data, u64* out, size_t polys);

void embed(const Embedding& e, const double* x, double* slots, size_t polys);
void unembed(const Embedding& e, const double* slots, double* out, size_t polys);
void round_residues(const Basis& b, const double* x, double scale, u64* out, size_t polys, bool values);
void compose(const Basis& b, const u64* x, double scale, double* out, size_t polys);

}  // namespace latticework
