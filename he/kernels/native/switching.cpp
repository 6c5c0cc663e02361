// Coarse calls of base conversion and key switching. See engine.h.
//
// A key switch goes modulus by modulus: for one target modulus all digits are converted, transformed and multiplied with the key
// while they are in the cache, so that the raised digits as a whole never exist in memory.
#include <algorithm>
#include <cstring>

#include "engine.h"
#include "permute.h"
#include "pool.h"

namespace latticework {
namespace {

using Rows = std::vector<const u64*>;

size_t piece_of(const Basis& b) { return b.n < piece ? b.n : piece; }

// The rows x_0 .. x_{count-1} that lie `stride` apart, at an offset.
Rows rows_at(const u64* x, size_t count, size_t stride) {
    Rows rows(count);
    for (size_t i = 0; i < count; ++i) rows[i] = x + i * stride;
    return rows;
}

// v of a conversion for all y (source limbs, n), in pieces spread over threads; count conversions one after the other.
void quotients(const Converter& c, const u64* y, u64* v, size_t count) {
    const size_t n = c.source.n, len = piece_of(c.source), pieces = n / len, limbs = c.source.limbs();
    if (limbs == 1) return;  // convert_row centres instead
    parallel_for(count * pieces, c.source.threads, [&](size_t i) {
        const size_t which = i / pieces, at = i % pieces * len;
        const Rows rows = rows_at(y + which * limbs * n + at, limbs, n);
        c.source.path->quotient(rows.data(), c.inverse.data(), limbs, v + which * n + at, len);
    });
}

// One target row of a conversion, in [0, 4q).
void convert_row(const Converter& c, size_t target, const u64* y, const u64* v, u64* out) {
    if (c.source.limbs() == 1) return c.target.path->centre(c.target.modulus(target), y, c.source.q(0), out, c.target.n);
    Rows rows = rows_at(y, c.source.limbs(), c.source.n);
    rows.push_back(v);
    c.target.path->combine(c.target.modulus(target), rows.data(), c.factors[target].data(), rows.size(), out, c.target.n);
}

// Component c of digit d of a key, in limb r of the basis, from word `at` on.
const void* key_row(const Gadget& g, const Key& key, size_t d, size_t c, size_t r, size_t at) {
    const size_t limb = r < g.level() ? r : key.limbs - g.basis.limbs() + r;
    const size_t word = ((2 * d + c) * key.limbs + limb) * g.basis.n + at;
    return static_cast<const char*>(key.data) + word * (key.narrow ? sizeof(u32) : sizeof(u64));
}

// sum_d digit_d key_d + P addend in limb r of the basis for both components of every key, `step` apart; digit rows given, key rows
// found. Piece by piece, so that a piece of the digits stays in the cache for all keys.
void multiply_keys(const Gadget& g, size_t r, const Rows& digits, const std::vector<Switch>& switches, Addend addend, u64* out,
                   size_t step, bool lazy) {
    const size_t n = g.basis.n, level = g.level(), len = piece_of(g.basis), terms = digits.size();
    Rows x(terms);
    std::vector<const void*> y(terms);
    for (size_t at = 0; at < n; at += len) {
        for (size_t t = 0; t < terms; ++t) x[t] = digits[t] + at;
        for (size_t i = 0; i < 2 * switches.size(); ++i) {
            const size_t c = i % 2;
            const Key& key = switches[i / 2].key;
            for (size_t t = 0; t < terms; ++t) y[t] = key_row(g, key, t, c, r, at);
            u64* to = out + i * step + at;
            g.basis.path->dot(g.basis.modulus(r), x.data(), y.data(), terms, to, len, lazy, key.narrow);
            if (c >= addend.components || r >= level) continue;
            const u64* more = addend.data + (c * level + r) * n + at;
            g.basis.path->sub_mul_add(g.basis.modulus(r), more, nullptr, g.special_product[r], to, to, len);
        }
    }
}

// y_i of every digit: the coefficients of x, already times the digit's (D/q_i)^-1. And v of every digit.
void open_digits(const Gadget& g, const u64* x, u64* y, u64* v) {
    const size_t n = g.basis.n;
    parallel_for(g.level(), g.basis.threads, [&](size_t i) {
        size_t d = 0;
        while (g.first[d + 1] <= i) ++d;
        g.basis.path->intt(g.basis.ntt(i), g.digits[d]->prepare[i - g.first[d]].data(), x + i * n, y + i * n);
    });
    for (size_t d = 0; d < g.digits.size(); ++d) quotients(*g.digits[d], y + g.first[d] * n, v + d * n, 1);
}

// Limb r of digit d as NTT values: x itself inside the digit, otherwise converted and transformed (maybe lazily) into `room`.
const u64* digit_row(const Gadget& g, size_t d, size_t r, const u64* x, const u64* y, const u64* v, u64* room, bool lazy) {
    const size_t n = g.basis.n, begin = g.first[d], end = g.first[d + 1], target = r < begin ? r : r - (end - begin);
    if (r >= begin && r < end) return x + r * n;
    convert_row(*g.digits[d], target, y + begin * n, v + d * n, room);
    g.basis.path->ntt(g.basis.ntt(r), room, room, lazy);
    return room;
}

// (x - c) / P of one kept limb, permuted by galois with its block_sources. y and v hold the dropped limbs, ready for conversion.
void finish_row(const Divider& d, size_t i, const u64* x, const u64* y, const u64* v, u64 galois, const u32* sources, u64* out) {
    const Basis& kept = d.kept();
    const Scratch<u64> room(kept.n);
    convert_row(*d.converter, i, y, v, room.get());
    kept.path->ntt(kept.ntt(i), room.get(), room.get(), false);
    u64* to = galois == 1 ? out : room.get();
    kept.path->sub_mul_add(kept.modulus(i), x, room.get(), d.inverse[i], nullptr, to, kept.n);
    if (galois != 1) kept.path->permute(to, galois, sources, out, kept.n);
}

// Key switches from the same digit rows, as many as there are keys: rows(r, room) gives those of limb r, using up to (digits, n) of
// room. out: (keys, 2, kept limbs, n). The dropped limbs come first: then a kept limb can be summed up and finished in one go, with
// its twiddles and sums in the cache. With more threads than dropped limbs all limbs are summed up at once instead, to keep all busy.
template <class DigitRows>
void switch_rows(const Gadget& g, const Divider& by, const std::vector<Switch>& switches, Addend addend, u64* out,
                 bool lazy, DigitRows digit_rows) {
    const size_t n = g.basis.n, kept = by.kept().limbs(), dropped = by.dropped().limbs(), count = 2 * switches.size();
    const int threads = g.basis.threads;
    const bool together = static_cast<size_t>(threads) > dropped;
    const Scratch<u64> acc(together ? count * kept * n : 0), y(count * dropped * n), v(count * n);
    const Converter& down = *by.converter;
    const auto sum_up = [&](size_t r, u64* first, size_t step) {
        const Scratch<u64> room(g.digits.size() * n);
        multiply_keys(g, r, digit_rows(r, room.get()), switches, addend, first, step, lazy);
    };
    parallel_for(dropped + (together ? kept : 0), threads, [&](size_t i) {
        if (i >= dropped) return sum_up(i - dropped, acc.get() + (i - dropped) * n, kept * n);
        u64* const first = y.get() + i * n;
        sum_up(kept + i, first, dropped * n);
        for (size_t c = 0; c < count; ++c) {
            u64* sum = first + c * dropped * n;
            g.basis.path->intt(g.basis.ntt(kept + i), down.prepare[i].data(), sum, sum);
        }
    });
    quotients(down, y.get(), v.get(), count);
    const Scratch<u32> sources(switches.size() * (n / 8));
    for (size_t i = 0; i < switches.size(); ++i) block_sources(switches[i].galois, sources.get() + i * (n / 8), g.basis.n);
    parallel_for(kept, threads, [&](size_t r) {
        const Scratch<u64> sums(together ? 0 : count * n);
        if (!together) sum_up(r, sums.get(), n);
        for (size_t c = 0; c < count; ++c) {
            const u64* sum = together ? acc.get() + (c * kept + r) * n : sums.get() + c * n;
            finish_row(by, r, sum, y.get() + c * dropped * n, v.get() + c * n, switches[c / 2].galois,
                       sources.get() + c / 2 * (n / 8), out + (c * kept + r) * n);
        }
    });
}

}  // namespace

void convert(const Converter& c, const u64* x, u64* out, size_t polys) {
    const size_t n = c.source.n, from = c.source.limbs(), to = c.target.limbs();
    const Scratch<u64> y(polys * from * n), v(polys * n);
    parallel_for(polys * from, c.source.threads, [&](size_t r) {
        c.source.path->mul_factor(c.source.modulus(r % from), x + r * n, c.hat_factor[r % from], y.get() + r * n, n);
    });
    quotients(c, y.get(), v.get(), polys);
    parallel_for(polys * to, c.source.threads, [&](size_t r) {
        u64* row = out + r * n;
        convert_row(c, r % to, y.get() + r / to * from * n, v.get() + r / to * n, row);
        c.target.path->reduce_words(c.target.modulus(r % to), row, row, n);
    });
}

void mod_down(const Divider& d, const u64* x, u64* out, size_t polys) {
    const Basis& gone = d.dropped();
    const size_t n = gone.n, drop = gone.limbs(), keep = d.kept().limbs(), limbs = d.limbs();
    const Scratch<u64> y(polys * drop * n), v(polys * n);
    parallel_for(polys * drop, gone.threads, [&](size_t r) {
        const size_t p = r / drop, i = r % drop;
        gone.path->intt(gone.ntt(i), d.converter->prepare[i].data(), x + (p * limbs + keep + i) * n, y.get() + r * n);
    });
    quotients(*d.converter, y.get(), v.get(), polys);
    parallel_for(polys * keep, gone.threads, [&](size_t r) {
        const size_t p = r / keep, i = r % keep;
        finish_row(d, i, x + (p * limbs + i) * n, y.get() + p * drop * n, v.get() + p * n, 1, nullptr, out + r * n);
    });
}

void decompose(const Gadget& g, const u64* x, u64* out) {
    const size_t n = g.basis.n, limbs = g.basis.limbs(), digits = g.digits.size();
    const Scratch<u64> y(g.level() * n), v(digits * n);
    open_digits(g, x, y.get(), v.get());
    parallel_for(limbs * digits, g.basis.threads, [&](size_t i) {
        const size_t r = i / digits, d = i % digits;  // one modulus after the other, for its twiddles
        u64* to = out + (d * limbs + r) * n;
        const u64* row = digit_row(g, d, r, x, y.get(), v.get(), to, false);
        if (row != to) std::memcpy(to, row, n * sizeof(u64));
    });
}

void inner_product(const Gadget& g, const u64* digits, Switch key, Addend addend, u64* out) {
    const size_t n = g.basis.n, limbs = g.basis.limbs();
    const bool moved = key.galois != 1;
    const Scratch<u32> sources(n / 8);
    block_sources(key.galois, sources.get(), g.basis.n);
    parallel_for(limbs, g.basis.threads, [&](size_t r) {
        const Scratch<u64> room(moved ? 2 * n : 0);
        const Rows rows = rows_at(digits + r * n, g.digits.size(), limbs * n);
        multiply_keys(g, r, rows, {key}, addend, moved ? room.get() : out + r * n, moved ? n : limbs * n, false);
        for (size_t c = 0; moved && c < 2; ++c)
            g.basis.path->permute(room.get() + c * n, key.galois, sources.get(), out + (c * limbs + r) * n, g.basis.n);
    });
}

void key_switch(const Gadget& g, const Divider& by, const u64* x, Switch key, Addend addend, u64* out) {
    const size_t n = g.basis.n, digits = g.digits.size();
    const Scratch<u64> y(g.level() * n), v(digits * n);
    open_digits(g, x, y.get(), v.get());
    switch_rows(g, by, {key}, addend, out, true, [&](size_t r, u64* room) {
        Rows rows(digits);
        for (size_t d = 0; d < digits; ++d) rows[d] = digit_row(g, d, r, x, y.get(), v.get(), room + d * n, true);
        return rows;
    });
}

void key_switch_digits(const Gadget& g, const Divider& by, const u64* digits, const std::vector<Switch>& switches, Addend addend,
                       u64* out) {
    constexpr size_t together = 4;  // keys that share one reading of the digits; each needs memory for its sums
    const size_t each = 2 * by.kept().limbs() * g.basis.n;
    for (size_t i = 0; i < switches.size(); i += together) {
        const std::vector<Switch> some(switches.begin() + i, switches.begin() + std::min(i + together, switches.size()));
        switch_rows(g, by, some, addend, out + i * each, false, [&](size_t r, u64*) {
            return rows_at(digits + r * g.basis.n, g.digits.size(), g.basis.limbs() * g.basis.n);
        });
    }
}

}  // namespace latticework
