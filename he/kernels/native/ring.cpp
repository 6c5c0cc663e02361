// Coarse calls of the ring: every row on its own. See engine.h.
#include "engine.h"
#include "permute.h"
#include "pool.h"

namespace latticework {
namespace {

// work(polynomial, limb, offset of the row) for every row of a batch.
template <class Work>
void for_each_row(const Basis& b, size_t polys, Work work) {
    const size_t limbs = b.limbs();
    parallel_for(polys * limbs, b.threads, [&](size_t r) { work(r / limbs, r % limbs, r * b.n); });
}

}  // namespace

void ntt(const Basis& b, const u64* x, u64* out, size_t polys) {
    for_each_row(b, polys, [&](size_t, size_t i, size_t at) { b.path->ntt(b.ntt(i), x + at, out + at, false); });
}

void intt(const Basis& b, const u64* x, u64* out, size_t polys) {
    for_each_row(b, polys, [&](size_t, size_t i, size_t at) { b.path->intt(b.ntt(i), b.ntt(i).last, x + at, out + at); });
}

void elementwise(Op op, const Basis& b, const u64* x, const u64* y, const u64* z, u64* out, size_t polys, size_t y_polys) {
    for_each_row(b, polys, [&](size_t p, size_t i, size_t at) {
        const u64* right = y == nullptr ? nullptr : y + (p % y_polys * b.limbs() + i) * b.n;
        b.path->elementwise(op, b.modulus(i), x + at, right, z == nullptr ? nullptr : z + at, out + at, b.n);
    });
}

void tensor(const Basis& b, const u64* x, const u64* y, u64* out) {
    const size_t n = b.n, step = b.limbs() * n;
    parallel_for(b.limbs(), b.threads, [&](size_t i) {
        const u64 *x0 = x + i * n, *x1 = x0 + step, *y0 = y + i * n, *y1 = y0 + step;
        const u64* left[2] = {x0, x1};
        const void* right[2] = {y1, y0};
        u64* to = out + i * n;
        b.path->elementwise(Op::mul, b.modulus(i), x0, y0, nullptr, to, n);
        b.path->dot(b.modulus(i), left, right, 2, to + step, n, false, false);
        b.path->elementwise(Op::mul, b.modulus(i), x1, y1, nullptr, to + 2 * step, n);
    });
}

void add_scalar(const Basis& b, const u64* x, const std::vector<u64>& s, u64* out, size_t polys) {
    for_each_row(b, polys, [&](size_t, size_t i, size_t at) { b.path->add_scalar(b.modulus(i), x + at, s[i], out + at, b.n); });
}

void mul_scalar(const Basis& b, const u64* x, const std::vector<u64>& s, u64* out, size_t polys) {
    for_each_row(b, polys, [&](size_t, size_t i, size_t at) {
        b.path->mul_factor(b.modulus(i), x + at, b.factor(i, s[i]), out + at, b.n);
    });
}

void automorphism(const Basis& b, const u64* x, u64 k, u64* out, size_t polys) {
    for_each_row(b, polys, [&](size_t, size_t limb, size_t at) {
        const u64 q = b.q(limb), mask = 2 * u64{b.n} - 1;
        for (u64 i = 0, target = 0; i < b.n; ++i, target = (target + k) & mask) {
            const u64 v = x[at + i];
            const bool negate = target >= b.n && v != 0;
            out[at + (target & (b.n - 1))] = negate ? q - v : v;
        }
    });
}

void automorphism_ntt(const Basis& b, const u64* x, u64 k, u64* out, size_t polys) {
    const Scratch<u32> sources(b.n / 8);
    block_sources(k, sources.get(), b.n);
    for_each_row(b, polys, [&](size_t, size_t, size_t at) { b.path->permute(x + at, k, sources.get(), out + at, b.n); });
}

}  // namespace latticework
