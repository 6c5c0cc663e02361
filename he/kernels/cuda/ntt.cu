// Number-theoretic transforms, batched over polynomials and limbs, with base conversion at their beginning and
// division by moduli at their end where those are wanted: mod-up and mod-down read and write memory once.
//
// The tower of Longa and Naehrig (ePrint 2016/504) is a binary tree: node i splits into 2i and 2i + 1 with the
// twiddle of number i. Its top down to tiles of 4096 is one pass of at most five levels in registers, each
// thread with one column; the tiles are a second pass in shared memory, four levels a barrier.
#include "field.cuh"
#include "permute.cuh"

static const u32 LOG_TILE = 12, TILE = 1u << LOG_TILE;
static const u32 TOGETHER = 64;  // exponents that fit into the arguments

// How a row comes from others by base conversion; count = 0: it is copied, being a transform already.
struct Conversion {
    u64 first, count;    // which sources
    const u64* factors;  // Q/q_i mod p for each, then -Q mod p
};

struct Transform {
    const u64* in;
    u64* out;
    u64 in_batch, out_batch;  // elements from one polynomial to the next
    const Modulus* moduli;    // of each row
    const u64* factors;       // backward: what to multiply each row with
    const Conversion* conversions;
    const u64* sources;  // y_i of each source
    u64 sources_batch;
    const Modulus* source_moduli;
    const u64* minuend;  // divide: (minuend - row) * factor, then X -> X^k
    u64 minuend_batch;
    u32 log_n, over_count, over_repeat, over[TOGETHER];  // 1/k of polynomial z: over[z / over_repeat % over_count]
};

DEVICE u32 padded(u32 i) { return i + (i >> 4); }  // keeps strides of 16 out of one bank

DEVICE const u64* row_in(const Transform& a) { return a.in + block_z * a.in_batch + (u64(block_y) << a.log_n); }
DEVICE u64* row_out(const Transform& a) { return a.out + block_z * a.out_batch + (u64(block_y) << a.log_n); }

// Entry n of a row that is converted: sum_i y_i (Q/q_i) - v Q, v = floor(0.5 + sum_i y_i / q_i), the second sum
// in doubles in exactly this order (Halevi, Polyakov and Shoup, ePrint 2018/117, section 2.2).
DEVICE word converted(const Transform& a, const Conversion& c, u32 n, const Field& f) {
    const u64* y = a.sources + block_z * a.sources_batch + (c.first << a.log_n) + n;
    word sum = 0;
    double v = 0.5;
    for (u32 i = 0; i < c.count; ++i) {
        const u64 value = y[u64(i) << a.log_n];
        sum = add(sum, mul(load(value), load(c.factors[i]), f), f);
        v = sum_rounded(v, product_rounded(static_cast<double>(value), a.source_moduli[c.first + i].inverse));
    }
    return add(sum, mul(load(static_cast<u64>(v)), load(c.factors[c.count]), f), f);
}

// R levels below `node` on 2^R numbers, from level S on.
template <int R, int S = 0>
DEVICE void down(word (&x)[1 << R], const u64* twiddles, u32 node, const Field& f) {
    constexpr u32 half = 1u << (R - 1 - S);
    UNROLL for (u32 i = 0; i < 1u << (R - 1); ++i) {
        const u32 g = i / half, u = 2 * g * half + i % half, v = u + half;
        const word t = mul(x[v], load(twiddles[(node << S) + g]), f);
        x[v] = sub(x[u], t, f);
        x[u] = add(x[u], t, f);
    }
    if constexpr (S + 1 < R) down<R, S + 1>(x, twiddles, node, f);
}

template <int R, int S = R - 1>
DEVICE void up(word (&x)[1 << R], const u64* twiddles, u32 node, const Field& f) {
    constexpr u32 half = 1u << (R - 1 - S);
    UNROLL for (u32 i = 0; i < 1u << (R - 1); ++i) {
        const u32 g = i / half, u = 2 * g * half + i % half, v = u + half;
        const word t = sub(x[u], x[v], f);
        x[u] = add(x[u], x[v], f);
        x[v] = mul(t, load(twiddles[(node << S) + g]), f);
    }
    if constexpr (S > 0) up<R, S - 1>(x, twiddles, node, f);
}

template <int R, bool CONVERT>
DEVICE void column_down(const Transform& a, u32 column) {
    const Modulus& m = a.moduli[block_y];
    const Field f = field_of(m);
    word x[1 << R];
    UNROLL for (u32 j = 0; j < 1u << R; ++j) {
        const u32 n = column + j * TILE;
        x[j] = CONVERT ? converted(a, a.conversions[block_y], n, f) : load(row_in(a)[n]);
    }
    down<R>(x, m.forward, 1, f);
    UNROLL for (u32 j = 0; j < 1u << R; ++j) row_out(a)[column + j * TILE] = store(x[j]);
}

template <bool CONVERT>
DEVICE void columns_down(const Transform& a) {
    if (CONVERT && a.conversions[block_y].count == 0) return;
    EACH_THREAD {
        const u32 column = block_x * threads + thread;
        switch (a.log_n - LOG_TILE) {
            case 1: column_down<1, CONVERT>(a, column); break;
            case 2: column_down<2, CONVERT>(a, column); break;
            case 3: column_down<3, CONVERT>(a, column); break;
            case 4: column_down<4, CONVERT>(a, column); break;
            default: column_down<5, CONVERT>(a, column);
        }
    }
}

KERNEL(forward_columns, Transform) { columns_down<false>(a); }
KERNEL(converted_columns, Transform) { columns_down<true>(a); }

template <int R>
DEVICE void column_up(const Transform& a, u32 column) {
    const Modulus& m = a.moduli[block_y];
    const Field f = field_of(m);
    const word factor = load(a.factors[block_y]);
    u64* row = row_out(a);
    word x[1 << R];
    UNROLL for (u32 j = 0; j < 1u << R; ++j) x[j] = load(row[column + j * TILE]);
    up<R>(x, m.backward, 1, f);
    UNROLL for (u32 j = 0; j < 1u << R; ++j) row[column + j * TILE] = store(mul(x[j], factor, f));
}

KERNEL(backward_columns, Transform) {
    EACH_THREAD {
        const u32 column = block_x * threads + thread;
        switch (a.log_n - LOG_TILE) {
            case 1: column_up<1>(a, column); break;
            case 2: column_up<2>(a, column); break;
            case 3: column_up<3>(a, column); break;
            case 4: column_up<4>(a, column); break;
            default: column_up<5>(a, column);
        }
    }
}

// R levels of a tile of 2^log_tile numbers, from its level `s` on; `node` is the tile's own.
template <int R, bool DOWN>
DEVICE void round(u64* tile, u32 log_tile, u32 s, u32 node, const Modulus& m, u32 worker, u32 workers) {
    const Field f = field_of(m);
    const u32 log_stride = log_tile - s - R;
    for (u32 k = worker; k < 1u << (log_tile - R); k += workers) {
        const u32 part = k >> log_stride, base = (part << (log_tile - s)) + (k & ((1u << log_stride) - 1));
        word x[1 << R];
        UNROLL for (u32 j = 0; j < 1u << R; ++j) x[j] = load(tile[padded(base + (j << log_stride))]);
        if (DOWN)
            down<R>(x, m.forward, (node << s) + part, f);
        else
            up<R>(x, m.backward, (node << s) + part, f);
        UNROLL for (u32 j = 0; j < 1u << R; ++j) tile[padded(base + (j << log_stride))] = store(x[j]);
    }
}

template <bool DOWN>
DEVICE void some_round(u64* tile, u32 log_tile, u32 s, u32 levels, u32 node, const Modulus& m, u32 worker,
                       u32 workers) {
    switch (levels) {
        case 1: round<1, DOWN>(tile, log_tile, s, node, m, worker, workers); break;
        case 2: round<2, DOWN>(tile, log_tile, s, node, m, worker, workers); break;
        case 3: round<3, DOWN>(tile, log_tile, s, node, m, worker, workers); break;
        default: round<4, DOWN>(tile, log_tile, s, node, m, worker, workers);
    }
}

DEVICE u32 min_of(u32 x, u32 y) { return x < y ? x : y; }

template <bool CONVERT, bool DIVIDE>
DEVICE void tile_down(const Transform& a, u64* tile) {
    const Modulus& m = a.moduli[block_y];
    const u32 log_tile = min_of(a.log_n, LOG_TILE), first = block_x << log_tile;
    const u32 node = (1u << (a.log_n - log_tile)) + block_x;
    const u64* in = row_in(a) + first;
    u64* out = row_out(a);
    EACH_THREAD {
        for (u32 i = 2 * thread; i < 1u << log_tile; i += 2 * threads) {
            Pair p;
            if (CONVERT) {
                const Field f = field_of(m);
                const Conversion& c = a.conversions[block_y];
                p = {store(converted(a, c, first + i, f)), store(converted(a, c, first + i + 1, f))};
            } else {
                p = *reinterpret_cast<const Pair*>(in + i);
            }
            tile[padded(i)] = p.first;
            tile[padded(i + 1)] = p.second;
        }
    }
    for (u32 s = 0; s < log_tile; s += 4) {
        AFTER_BARRIER { some_round<true>(tile, log_tile, s, min_of(4, log_tile - s), node, m, thread, threads); }
    }
    AFTER_BARRIER {
        if (DIVIDE) {
            const Field f = field_of(m);
            const word factor = load(a.factors[block_y]);
            const u64* minuend = a.minuend + block_z * a.minuend_batch + (u64(block_y) << a.log_n);
            const u32 over = a.over[block_z / a.over_repeat % a.over_count];
            for (u32 i = thread; i < 1u << log_tile; i += threads) {
                const word x = sub(load(minuend[first + i]), load(tile[padded(i)]), f);
                out[destination(first + i, over, a.log_n)] = store(mul(x, factor, f));
            }
        } else {
            for (u32 i = 2 * thread; i < 1u << log_tile; i += 2 * threads)
                *reinterpret_cast<Pair*>(out + first + i) = {tile[padded(i)], tile[padded(i + 1)]};
        }
    }
}

// Rows of a digit's own moduli are what they were before: block_x-th part of the source's values.
DEVICE void copy_tile(const Transform& a) {
    const u32 log_tile = min_of(a.log_n, LOG_TILE), first = block_x << log_tile;
    const u64* in = a.minuend + block_z * a.minuend_batch + (a.conversions[block_y].first << a.log_n) + first;
    EACH_THREAD {
        for (u32 i = 2 * thread; i < 1u << log_tile; i += 2 * threads)
            *reinterpret_cast<Pair*>(row_out(a) + first + i) = *reinterpret_cast<const Pair*>(in + i);
    }
}

KERNEL(forward_tiles, Transform) {
    SHARED(u64, tile, TILE + TILE / 16);
    if (a.conversions != nullptr && a.conversions[block_y].count == 0)
        copy_tile(a);
    else
        tile_down<false, false>(a, tile);
}

KERNEL(converted_tiles, Transform) {
    SHARED(u64, tile, TILE + TILE / 16);
    if (a.conversions[block_y].count == 0)
        copy_tile(a);
    else
        tile_down<true, false>(a, tile);
}

KERNEL(divided_tiles, Transform) {
    SHARED(u64, tile, TILE + TILE / 16);
    tile_down<false, true>(a, tile);
}

KERNEL(converted_divided_tiles, Transform) {
    SHARED(u64, tile, TILE + TILE / 16);
    tile_down<true, true>(a, tile);
}

KERNEL(backward_tiles, Transform) {
    SHARED(u64, tile, TILE + TILE / 16);
    const Modulus& m = a.moduli[block_y];
    const u32 log_tile = min_of(a.log_n, LOG_TILE), first = block_x << log_tile;
    const u32 node = (1u << (a.log_n - log_tile)) + block_x;
    const u64* in = row_in(a) + first;
    u64* out = row_out(a) + first;
    EACH_THREAD {
        for (u32 i = 2 * thread; i < 1u << log_tile; i += 2 * threads) {
            const Pair p = *reinterpret_cast<const Pair*>(in + i);
            tile[padded(i)] = p.first;
            tile[padded(i + 1)] = p.second;
        }
    }
    for (u32 left = log_tile; left > 0;) {
        const u32 levels = left % 4 ? left % 4 : 4;
        left -= levels;
        AFTER_BARRIER { some_round<false>(tile, log_tile, left, levels, node, m, thread, threads); }
    }
    AFTER_BARRIER {
        const Field f = field_of(m);
        const bool last = a.log_n <= LOG_TILE;
        const word factor = load(last ? a.factors[block_y] : 1);
        for (u32 i = 2 * thread; i < 1u << log_tile; i += 2 * threads) {
            Pair p = {tile[padded(i)], tile[padded(i + 1)]};
            if (last) p = {store(mul(load(p.first), factor, f)), store(mul(load(p.second), factor, f))};
            *reinterpret_cast<Pair*>(out + i) = p;
        }
    }
}

// Base conversion alone, without a transform.
KERNEL(convert, Transform) {
    EACH_THREAD {
        const u32 n = block_x * threads + thread;
        const Field f = field_of(a.moduli[block_y]);
        row_out(a)[n] = store(converted(a, a.conversions[block_y], n, f));
    }
}

// What a base conversion starts from: y_i = x_i (Q/q_i)^-1 mod q_i.
KERNEL(scale, Transform) {
    EACH_THREAD {
        const u32 n = block_x * threads + thread;
        const Field f = field_of(a.moduli[block_y]);
        row_out(a)[n] = store(mul(load(row_in(a)[n]), load(a.factors[block_y]), f));
    }
}
