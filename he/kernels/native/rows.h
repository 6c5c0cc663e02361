// Row kernels written once against a small vector type `V` (a path's arithmetic); included by each path in its own namespace.
//
// V offers: width, Word, Mod (constants of a modulus), Fac (a loaded factor), Acc (a lazy sum of products), max_terms (products an
// Acc may hold beside one canonical value; max_lazy_terms for lazy factors; max_sum_terms where acc_reduce_sum follows), tile (see
// matrix_rows), Spread (loads weights of which each stands for 2^log_run words), Centre (see centre), and static functions load, store, add, sub, neg, mul_factor, acc_*.
#pragma once

#include "api.h"

namespace latticework {
namespace {

template <class V>
struct Rows {
    using W = typename V::Word;
    using Mod = typename V::Mod;

    static void elementwise(Op op, const Modulus& m, const u64* x, const u64* y, const u64* z, u64* out, size_t n) {
        const Mod mod(m);
        switch (op) {
            case Op::add:
                for (size_t i = 0; i < n; i += V::width) V::store(out + i, V::add(V::load(x + i), V::load(y + i), mod));
                break;
            case Op::sub:
                for (size_t i = 0; i < n; i += V::width) V::store(out + i, V::sub(V::load(x + i), V::load(y + i), mod));
                break;
            case Op::neg:
                for (size_t i = 0; i < n; i += V::width) V::store(out + i, V::sub(V::zero(), V::load(x + i), mod));
                break;
            case Op::mul:
                for (size_t i = 0; i < n; i += V::width) {
                    auto acc = V::acc(V::zero());
                    V::acc_add(acc, V::load(x + i), V::load(y + i), mod);
                    V::store(out + i, V::acc_reduce(acc, mod));
                }
                break;
            case Op::mul_add:
                for (size_t i = 0; i < n; i += V::width) {
                    auto acc = V::acc(V::load(z + i));
                    V::acc_add(acc, V::load(x + i), V::load(y + i), mod);
                    V::store(out + i, V::acc_reduce(acc, mod));
                }
                break;
        }
    }

    static void add_scalar(const Modulus& m, const u64* x, u64 s, u64* out, size_t n) {
        const Mod mod(m);
        const W scalar = V::broadcast(s);
        for (size_t i = 0; i < n; i += V::width) V::store(out + i, V::add(V::load(x + i), scalar, mod));
    }

    static void mul_factor(const Modulus& m, const u64* x, Factor f, u64* out, size_t n) {
        const Mod mod(m);
        const typename V::Fac fac(f);
        for (size_t i = 0; i < n; i += V::width) V::store(out + i, V::mul_factor(V::load(x + i), fac, mod));
    }

    static void sub_mul_add(const Modulus& m, const u64* x, const u64* t, Factor f, const u64* addend, u64* out, size_t n) {
        const Mod mod(m);
        const typename V::Fac fac(f);
        for (size_t i = 0; i < n; i += V::width) {
            W d = V::load(x + i);
            if (t != nullptr) d = V::sub(d, V::load(t + i), mod);
            d = V::mul_factor(d, fac, mod);
            if (addend != nullptr) d = V::add(d, V::load(addend + i), mod);
            V::store(out + i, d);
        }
    }

    template <class T>
    static void dot_of(const Modulus& m, const u64* const* x, const void* const* rows, size_t terms, u64* out, size_t n, bool lazy) {
        const Mod mod(m);
        const T* const* y = reinterpret_cast<const T* const*>(rows);
        const size_t most = lazy ? V::max_lazy_terms(m.q) : V::max_terms;
        for (size_t i = 0; i < n; i += V::width) {
            auto acc = V::acc(V::zero());
            size_t t = 0;
            for (size_t end = most; end < terms; end += most) {
                for (; t < end; ++t) V::acc_add(acc, V::load(x[t] + i), V::load(y[t] + i), mod);
                acc = V::acc(V::acc_reduce(acc, mod));
            }
            for (; t < terms; ++t) {
                __builtin_prefetch(y[t] + i + piece, 0, 2);  // the next piece of a key: it comes from memory
                V::acc_add(acc, V::load(x[t] + i), V::load(y[t] + i), mod);
            }
            V::store(out + i, V::acc_reduce(acc, mod));
        }
    }

    static void dot(const Modulus& m, const u64* const* x, const void* const* y, size_t terms, u64* out, size_t n, bool lazy,
                    bool narrow) {
        narrow ? dot_of<u32>(m, x, y, terms, out, n, lazy) : dot_of<u64>(m, x, y, terms, out, n, lazy);
    }

    static void combine(const Modulus& m, const u64* const* x, const u64* f, size_t terms, u64* out, size_t n) {
        const Mod mod(m);
        for (size_t i = 0; i < n; i += V::width) {
            auto acc = V::acc(V::zero());
            size_t t = 0;
            for (size_t end = V::max_terms; end < terms; end += V::max_terms) {
                for (; t < end; ++t) V::acc_add(acc, V::load(x[t] + i), V::broadcast(f[t]), mod);
                acc = V::acc(V::acc_reduce(acc, mod));
            }
            for (; t < terms; ++t) V::acc_add(acc, V::load(x[t] + i), V::broadcast(f[t]), mod);
            V::store(out + i, V::acc_reduce_lazy(acc, mod));
        }
    }

    // In tiles of four sums times `tile` vectors, which stay in registers over all terms.
    static void matrix_rows(const Modulus& m, const u64* x, size_t len, const u32* places, const u64* w, size_t terms,
                            u64* const out[4]) {
        constexpr size_t tile = V::tile;
        const Mod mod(m);
        for (size_t i = 0; i < len; i += tile * V::width) {
            typename V::Acc acc[4][tile];
            for (auto& sums : acc)
                for (auto& sum : sums) sum = V::acc(V::zero());
            for (size_t t = 0, end = 0; t < terms;) {
                for (end = terms - t < V::max_sum_terms ? terms : t + V::max_sum_terms; t < end; ++t) {
                    W v[tile];
                    for (size_t j = 0; j < tile; ++j) v[j] = V::load(x + places[t] * len + i + j * V::width);
                    for (size_t k = 0; k < 4; ++k) {
                        const W f = V::broadcast(w[4 * t + k]);
                        for (size_t j = 0; j < tile; ++j) V::acc_add(acc[k][j], v[j], f, mod);
                    }
                }
                for (auto& sums : acc)
                    for (auto& sum : sums) sum = V::acc(V::acc_reduce_sum(sum, mod));
            }
            for (size_t k = 0; k < 4; ++k)
                for (size_t j = 0; j < tile; ++j) V::store(out[k] + i + j * V::width, V::acc_value(acc[k][j]));
        }
    }

    // Both components share the loading of a weight, and sums stay in registers over all terms.
    template <class T, size_t components>
    static void weigh(const Mod& mod, const u64* x, size_t stride, const T* w, size_t chunk, u32 log_run, const u32* places,
                      size_t terms, u64* out, size_t component_step) {
        constexpr size_t tile = V::tile;
        const typename V::Spread spread(log_run);
        for (size_t i = 0; i < tile_words; i += tile * V::width) {
            typename V::Acc acc[components][tile];
            for (auto& sums : acc)
                for (auto& sum : sums) sum = V::acc(V::zero());
            for (size_t t = 0, end = 0; t < terms;) {
                for (end = terms - t < V::max_sum_terms ? terms : t + V::max_sum_terms; t < end; ++t) {
                    W f[tile];
                    for (size_t j = 0; j < tile; ++j) f[j] = spread.load(w + t * chunk, i + j * V::width);
                    const u64* from = x + places[t] * stride + i;
                    for (size_t c = 0; c < components; ++c)
                        for (size_t j = 0; j < tile; ++j)
                            V::acc_add(acc[c][j], V::load(from + c * tile_words + j * V::width), f[j], mod);
                }
                for (auto& sums : acc)
                    for (auto& sum : sums) sum = V::acc(V::acc_reduce_sum(sum, mod));
            }
            for (size_t c = 0; c < components; ++c)
                for (size_t j = 0; j < tile; ++j) V::store(out + c * component_step + i + j * V::width, V::acc_value(acc[c][j]));
        }
    }

    template <class T>
    static void weighted(const Modulus& m, const u64* x, size_t components, const WeightRow& row, size_t first, const u32* places,
                         const size_t* starts, size_t sums, u64* out, size_t sum_step, size_t component_step) {
        const Mod mod(m);
        const size_t stride = components * tile_words, chunk = row.chunk();
        for (size_t s = 0; s < sums; ++s) {
            const size_t begin = starts[s], terms = starts[s + 1] - begin;
            const T* w = static_cast<const T*>(row.data) + first + begin * chunk;
            const auto sum_up = [&](auto weigh, size_t c) {
                weigh(mod, x + c * tile_words, stride, w, chunk, row.log_run, places + begin, terms,
                      out + s * sum_step + c * component_step, component_step);
            };
            size_t c = 0;
            for (; c + 2 <= components; c += 2) sum_up(weigh<T, 2>, c);
            if (c < components) sum_up(weigh<T, 1>, c);
        }
    }

    static void weighted_tile(const Modulus& m, const u64* x, size_t components, const WeightRow& row, size_t first,
                              const u32* places, const size_t* starts, size_t sums, u64* out, size_t sum_step,
                              size_t component_step) {
        const auto path = row.narrow ? weighted<u32> : weighted<u64>;
        path(m, x, components, row, first, places, starts, sums, out, sum_step, component_step);
    }

    static void centre(const Modulus& m, const u64* x, u64 source, u64* out, size_t n) {
        const Mod mod(m);
        const u64 half = (source - 1) / 2, offset = (half + m.q - 1) / m.q * m.q;
        const typename V::Centre how(source, half, offset);
        if (half + offset < 4 * m.q) {
            for (size_t i = 0; i < n; i += V::width) V::store(out + i, V::template centred<false>(V::load(x + i), how, mod));
        } else {
            for (size_t i = 0; i < n; i += V::width) V::store(out + i, V::template centred<true>(V::load(x + i), how, mod));
        }
    }

    static void quotient(const u64* const* x, const double* inverse, size_t terms, u64* out, size_t n) {
        for (size_t i = 0; i < n; i += V::width) {
            auto total = V::real(0.5);
            for (size_t t = 0; t < terms; ++t) total = V::real_mul_add(V::to_real(x[t] + i), inverse[t], total);
            V::store_floor(out + i, total);
        }
    }

    static void reduce_words(const Modulus& m, const u64* x, u64* out, size_t n) {
        const Mod mod(m);
        for (size_t i = 0; i < n; i += V::width) V::store(out + i, V::reduce_word(V::load_word(x + i), mod));
    }

    static void lift(const Modulus& m, const i64* x, u64* out, size_t n) {
        const Mod mod(m);
        const auto offset = V::broadcast_word(m.lift_offset);
        const u64* words = reinterpret_cast<const u64*>(x);
        for (size_t i = 0; i < n; i += V::width)
            V::store(out + i, V::reduce_word(V::add_word(V::load_word(words + i), offset), mod));
    }
};

}  // namespace
}  // namespace latticework
