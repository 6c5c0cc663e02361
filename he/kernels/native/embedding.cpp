// The encoder: transform, rounding into residues, and centred composition. See engine.h and ../reference/embedding.py.
#include <algorithm>
#include <cmath>

#include "engine.h"
#include "pool.h"

namespace latticework {
namespace {

__extension__ typedef unsigned __int128 u128;

// The residue of an integer too large for 64 bits, |v| >= 2^62 held exactly by a double: mantissa times a power of two.
u64 large_residue(double v, u64 q) {
    int exponent = 0;
    const double fraction = std::frexp(std::fabs(v), &exponent);
    u64 r = static_cast<u64>(std::ldexp(fraction, 53)) % q;
    for (int e = exponent - 53; e > 0; --e) r = 2 * r >= q ? 2 * r - q : 2 * r;
    return v < 0 && r != 0 ? q - r : r;
}

u64 any_residue(double v, u64 q) {
    if (std::fabs(v) >= 4611686018427387904.0) return large_residue(v, q);  // 2^62
    const i64 r = static_cast<i64>(v) % static_cast<i64>(q);
    return static_cast<u64>(r < 0 ? r + static_cast<i64>(q) : r);
}

// Integers as little-endian 64-bit words, a fixed number of them, modulo their power of two.
using Words = std::vector<u64>;

void add_product(u64* sum, const u64* x, u64 y, size_t words) {
    u64 carry = 0;
    for (size_t i = 0; i < words; ++i) {
        const u128 t = static_cast<u128>(x[i]) * y + sum[i] + carry;
        sum[i] = static_cast<u64>(t);
        carry = static_cast<u64>(t >> 64);
    }
}

bool less(const u64* x, const u64* y, size_t words) {
    for (size_t i = words; i-- > 0;)
        if (x[i] != y[i]) return x[i] < y[i];
    return false;
}

// x if mask is zero, -x if it is all ones.
void negate_if(u64* x, u64 mask, size_t words) {
    u64 carry = mask & 1;
    for (size_t i = 0; i < words; ++i) {
        const u128 t = static_cast<u128>(x[i] ^ mask) + carry;
        x[i] = static_cast<u64>(t);
        carry = static_cast<u64>(t >> 64);
    }
}

// Rounded to nearest, ties to even: the top 64 bits, with any bit below them pressed into the last.
double to_double(const u64* x, size_t words) {
    size_t top = words;
    while (top > 0 && x[top - 1] == 0) --top;
    if (top <= 1) return static_cast<double>(x[0]);
    const int shift = __builtin_clzll(x[top - 1]);
    u64 head = shift == 0 ? x[top - 1] : x[top - 1] << shift | x[top - 2] >> (64 - shift);
    u64 rest = shift == 0 ? x[top - 2] : x[top - 2] << shift;
    for (size_t i = 0; i + 2 < top; ++i) rest |= x[i];
    head |= rest != 0 ? 1 : 0;
    return std::ldexp(static_cast<double>(head), static_cast<int>(64 * (top - 1)) - shift);
}

u64 power(u64 base, u64 exponent, u64 q) {
    u64 out = 1;
    for (; exponent != 0; exponent /= 2, base = static_cast<u64>(static_cast<u128>(base) * base % q))
        if (exponent % 2 == 1) out = static_cast<u64>(static_cast<u128>(out) * base % q);
    return out;
}

// The centred integer behind residues: sum_i y_i Q/q_i - v Q with y_i = x_i (Q/q_i)^-1 mod q_i and v = floor(1/2 + sum_i y_i / q_i),
// exact in words that hold 2^8 Q, and corrected in the rare case that v, computed in doubles, is one off.
struct Composition {
    size_t words;
    Words terms;  // Q/q_0, Q/q_1, ..., -Q
    Words product, half;
    std::vector<Factor> hat_inverse;
    std::vector<double> inverse;

    explicit Composition(const Basis& b) : words((50 * b.limbs() + 8 + 63) / 64) {
        for (size_t i = 0; i < b.limbs(); ++i) {
            const Words hat = product_without(b, i);
            terms.insert(terms.end(), hat.begin(), hat.end());
            u64 r = 1;
            for (size_t k = 0; k < b.limbs(); ++k)
                if (k != i) r = static_cast<u64>(static_cast<u128>(r) * (b.q(k) % b.q(i)) % b.q(i));
            hat_inverse.push_back(b.factor(i, power(r, b.q(i) - 2, b.q(i))));
            inverse.push_back(b.modulus(i).inverse);
        }
        product = half = product_without(b, b.limbs());
        for (size_t i = 0; i < words; ++i) half[i] = product[i] >> 1 | (i + 1 < words ? product[i + 1] << 63 : 0);
        Words minus = product;
        negate_if(minus.data(), ~u64{0}, words);
        terms.insert(terms.end(), minus.begin(), minus.end());
    }

    Words product_without(const Basis& b, size_t skipped) const {
        Words out(words), next(words);
        out[0] = 1;
        for (size_t k = 0; k < b.limbs(); ++k) {
            if (k == skipped) continue;
            next.assign(words, 0);
            add_product(next.data(), out.data(), b.q(k), words);
            out.swap(next);
        }
        return out;
    }

    // y: the y_i and then v, `step` apart. sum: room for `words`. With few words their number is a constant, for the compiler.
    template <size_t constant>
    double centred(const u64* y, size_t step, u64* sum) const {
        const size_t size = constant != 0 ? constant : words;
        for (size_t i = 0; i < size; ++i) sum[i] = 0;
        for (size_t i = 0; i <= hat_inverse.size(); ++i) add_product(sum, terms.data() + i * size, y[i * step], size);
        u64 negative = -(sum[size - 1] >> 63);
        negate_if(sum, negative, size);
        if (less(half.data(), sum, size)) {  // beyond Q/2: v was one off
            negate_if(sum, ~u64{0}, size);
            add_product(sum, product.data(), 1, size);
            negative = ~negative;
        }
        const double size_of = to_double(sum, size);
        return negative != 0 ? -size_of : size_of;
    }

    double centred(const u64* y, size_t step, u64* sum) const {
        switch (words) {
            case 1: return centred<1>(y, step, sum);
            case 2: return centred<2>(y, step, sum);
            case 3: return centred<3>(y, step, sum);
            case 4: return centred<4>(y, step, sum);
            default: return centred<0>(y, step, sum);
        }
    }
};

// The composition of messages far below Q: the lowest word alone gives a candidate below 2^62 in size, which is the centred integer
// if it has the right residues. False if one of the n does not; then nothing counts. y: as for centred. room: 2 n words.
bool compose_small(const Basis& b, const Composition& all, const std::vector<const u64*>& residues, const u64* y, size_t n,
                   u64* room, double scale, double* out) {
    u64 *low = room, *lifted = room + n;
    for (size_t j = 0; j < n; ++j) low[j] = 0;
    for (size_t i = 0; i <= b.limbs(); ++i) {
        const u64 factor = all.terms[i * all.words];
        for (size_t j = 0; j < n; ++j) low[j] += factor * y[i * n + j];
    }
    // From -2^62 to 2^62, and from -Q/2 to Q/2 where that is less (v may have been one off).
    u64 most = u64{1} << 62;
    if (all.words == 1 || (all.product[1] == 0 && all.words == 2)) most = std::min(most, all.half[0]);
    u64 wrong = 0;
    for (size_t j = 0; j < n; ++j) wrong |= low[j] + most > 2 * most ? 1 : 0;
    for (size_t i = 0; wrong == 0 && i < b.limbs(); ++i) {
        b.path->lift(b.modulus(i), reinterpret_cast<const i64*>(low), lifted, n);
        for (size_t j = 0; j < n; ++j) wrong |= lifted[j] ^ residues[i][j];
    }
    for (size_t j = 0; wrong == 0 && j < n; ++j) out[j] = static_cast<double>(static_cast<i64>(low[j])) / scale;
    return wrong == 0;
}

}  // namespace

void embed(const Embedding& e, const double* x, double* slots, size_t polys) {
    const u32 n = static_cast<u32>(e.order.size());
    parallel_for(polys, e.threads, [&](size_t p) {
        const Scratch<double> room(2 * n);
        double *re = room.get(), *im = re + n;
        for (u32 j = 0; j < 2 * n; ++j) re[j] = x[p * 2 * n + j];
        e.path->embed(re, im, e.root_re.data(), e.root_im.data(), n);
        double* out = slots + p * 2 * n;
        for (u32 j = 0; j < n; ++j) out[2 * j] = re[e.order[j]], out[2 * j + 1] = im[e.order[j]];
    });
}

void unembed(const Embedding& e, const double* slots, double* out, size_t polys) {
    const u32 n = static_cast<u32>(e.order.size());
    parallel_for(polys, e.threads, [&](size_t p) {
        double *re = out + p * 2 * n, *im = re + n;
        const double* in = slots + p * 2 * n;
        for (u32 j = 0; j < n; ++j) re[e.order[j]] = in[2 * j], im[e.order[j]] = in[2 * j + 1];
        e.path->unembed(re, im, e.root_re.data(), e.root_im.data(), n);
    });
}

void round_residues(const Basis& b, const double* x, double scale, u64* out, size_t polys, bool values) {
    const size_t n = b.n, limbs = b.limbs();
    for (size_t p = 0; p < polys; ++p) {
        const Scratch<i64> rounded(n);
        const double* from = x + p * n;
        u64* to = out + p * limbs * n;
        const bool fits = b.path->round_scaled(from, scale, rounded.get(), n);
        parallel_for(limbs, b.threads, [&](size_t i) {
            u64* row = to + i * n;
            if (fits) b.path->lift(b.modulus(i), rounded.get(), row, n);
            for (size_t j = 0; !fits && j < n; ++j) row[j] = any_residue(std::nearbyint(from[j] * scale), b.q(i));
            if (values) b.path->ntt(b.ntt(i), row, row, false);
        });
    }
}

void compose(const Basis& b, const u64* x, double scale, double* out, size_t polys) {
    constexpr size_t chunk = 512;
    const Composition all(b);
    const size_t n = b.n, limbs = b.limbs(), len = n < chunk ? n : chunk, pieces = n / len;
    parallel_for(polys * pieces, b.threads, [&](size_t piece) {
        const size_t p = piece / pieces, at = piece % pieces * len;
        const Scratch<u64> y((limbs + 1) * len), small(2 * len);
        std::vector<const u64*> residues(limbs), rows(limbs);
        for (size_t i = 0; i < limbs; ++i) {
            residues[i] = x + (p * limbs + i) * n + at;
            u64* row = y.get() + i * len;
            b.path->mul_factor(b.modulus(i), residues[i], all.hat_inverse[i], row, len);
            rows[i] = row;
        }
        b.path->quotient(rows.data(), all.inverse.data(), limbs, y.get() + limbs * len, len);
        double* to = out + p * n + at;
        if (compose_small(b, all, residues, y.get(), len, small.get(), scale, to)) return;
        const Scratch<u64> sum(all.words);
        for (size_t j = 0; j < len; ++j) to[j] = all.centred(y.get() + j, len, sum.get()) / scale;
    });
}

}  // namespace latticework
