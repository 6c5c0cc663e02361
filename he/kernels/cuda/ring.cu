// Entry by entry: sums, products, tensors; and automorphisms, which move entries.
#include "field.cuh"
#include "permute.cuh"

enum Operation : u32 { ADD, SUB, MUL, MUL_ADD, NEG, ADD_SCALAR, MUL_SCALAR, COPY, ZERO };

static const u32 MOST_LIMBS = 256;

struct Elementwise {
    const u64 *x, *y, *z;
    u64* out;
    u64 y_polynomials;  // y has this many, repeated
    u64 x_batch, out_batch;
    const Modulus* moduli;
    u64 scalars[MOST_LIMBS];
    u32 log_n, operation;
};

DEVICE u64 combined(const Elementwise& a, u64 x, u64 at_y, u64 at, word scalar, const Field& f) {
    switch (a.operation) {
        case ADD: return store(add(load(x), load(a.y[at_y]), f));
        case SUB: return store(sub(load(x), load(a.y[at_y]), f));
        case MUL: return store(mul(load(x), load(a.y[at_y]), f));
        case MUL_ADD: return store(add(mul(load(x), load(a.y[at_y]), f), load(a.z[at]), f));
        case NEG: return store(sub(0, load(x), f));
        case ADD_SCALAR: return store(add(load(x), scalar, f));
        case MUL_SCALAR: return store(mul(load(x), scalar, f));
        case COPY: return x;
        default: return 0;
    }
}

KERNEL(elementwise, Elementwise) {
    const Field f = field_of(a.moduli[block_y]);
    const u64 limb = u64(block_y) << a.log_n, row = block_z * a.x_batch + limb;
    const u64 row_y = a.y_polynomials ? block_z % a.y_polynomials * a.x_batch + limb : 0;
    const word scalar = load(a.scalars[block_y]);
    EACH_THREAD {
        const u64 n = 2 * (u64(block_x) * threads + thread);
        Pair p = {0, 0};
        if (a.operation != ZERO) p = *reinterpret_cast<const Pair*>(a.x + row + n);
        p.first = combined(a, p.first, row_y + n, row + n, scalar, f);
        p.second = combined(a, p.second, row_y + n + 1, row + n + 1, scalar, f);
        *reinterpret_cast<Pair*>(a.out + block_z * a.out_batch + limb + n) = p;
    }
}

struct Tensor {
    const u64 *x, *y;
    u64* out;
    u64 part;  // elements of one component
    const Modulus* moduli;
    u32 log_n;
};

// (x0 y0, x0 y1 + x1 y0, x1 y1), pair of ciphertexts by pair.
KERNEL(tensor, Tensor) {
    const Field f = field_of(a.moduli[block_y]);
    EACH_THREAD {
        const u64 n = (u64(block_y) << a.log_n) + block_x * threads + thread, at = 2 * block_z * a.part + n;
        const word x0 = load(a.x[at]), x1 = load(a.x[at + a.part]);
        const word y0 = load(a.y[at]), y1 = load(a.y[at + a.part]);
        u64* out = a.out + 3 * block_z * a.part + n;
        out[0] = store(mul(x0, y0, f));
        out[a.part] = store(add(mul(x0, y1, f), mul(x1, y0, f), f));
        out[2 * a.part] = store(mul(x1, y1, f));
    }
}

struct Automorphism {
    const u64* x;
    u64* out;
    u64 batch;
    const Modulus* moduli;
    u32 log_n, exponent, over;  // k and 1/k mod 2N
    u32 values;                 // whether x holds NTT values
};

KERNEL(automorphism, Automorphism) {
    const Field f = field_of(a.moduli[block_y]);
    const u64 row = block_z * a.batch + (u64(block_y) << a.log_n);
    const u32 n = 1u << a.log_n;
    EACH_THREAD {
        const u32 i = block_x * threads + thread;
        const u64 x = a.x[row + i];
        const u32 target = (i * a.exponent) & (2 * n - 1);
        if (a.values)
            a.out[row + destination(i, a.over, a.log_n)] = x;
        else
            a.out[row + (target & (n - 1))] = target < n ? x : store(sub(0, load(x), f));
    }
}

struct Twiddles {
    u64* out;            // (limbs, 2, N): psi^brv(i), then their inverses
    const u64* squares;  // (limbs, 2, log2 N): the root to the powers N/2, N/4, ..., 1
    const Modulus* moduli;
    u32 log_n;
};

// Bit t of i stands for N / 2^(t+1) in brv(i).
KERNEL(twiddles, Twiddles) {
    const Field f = field_of(a.moduli[block_y]);
    const u64 row = 2 * u64(block_y) + block_z;
    EACH_THREAD {
        const u32 i = block_x * threads + thread;
        word w = 1;
        for (u32 t = 0; t < a.log_n; ++t)
            if (i >> t & 1) w = mul(w, load(a.squares[row * a.log_n + t]), f);
        a.out[(row << a.log_n) + i] = store(w);
    }
}
