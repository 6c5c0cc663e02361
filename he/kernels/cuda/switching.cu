// Key switching's product of digits and keys, and sums of many products: plaintext diagonals times
// ciphertexts, matrices of integers times ciphertexts. Every operand is read once.
#include "field.cuh"
#include "permute.cuh"

static const u32 MOST = 64;  // operands that fit into the arguments

struct InnerProduct {
    const u64* digits;
    u64 digits_batch;
    const u64* addend;  // null for none
    u64 addend_batch;
    u64* out;
    u64 key_limbs;
    const Modulus* moduli;
    const u64* special_product;  // P mod each modulus of the level
    u32 log_n, level, limbs, digit_count, addend_parts, key_count, over[MOST];
    const u64* keys[MOST];
};

// out[b, r] = sum_j digits[b, j] keys[r, j] + P addend[b], then X -> X^k_r: hoisted rotations of many ciphertexts.
KERNEL(inner_product, InnerProduct) {
    const u32 key = block_z % a.key_count, polynomial = block_z / a.key_count, limb = block_y;
    const Field f = field_of(a.moduli[limb]);
    const u64 key_limb = limb < a.level ? limb : a.key_limbs - (a.limbs - limb);
    const u64* digits = a.digits + polynomial * a.digits_batch + (u64(limb) << a.log_n);
    const u64* keys = a.keys[key] + (key_limb << a.log_n);
    u64* out = a.out + ((u64(block_z) * 2 * a.limbs + limb) << a.log_n);
    EACH_THREAD {
        const u32 n = block_x * threads + thread;
        word sum[2] = {0, 0};
        for (u32 j = 0; j < a.digit_count; ++j) {
            const word digit = load(digits[((u64(j) * a.limbs) << a.log_n) + n]);
            UNROLL for (u32 c = 0; c < 2; ++c) {
                const word k = load(keys[(((2 * u64(j) + c) * a.key_limbs) << a.log_n) + n]);
                sum[c] = add(sum[c], mul(digit, k, f), f);
            }
        }
        if (a.addend != nullptr && limb < a.level) {
            const u64* addend = a.addend + polynomial * a.addend_batch + (u64(limb) << a.log_n) + n;
            const word p = load(a.special_product[limb]);
            UNROLL for (u32 c = 0; c < 2; ++c)
                if (c < a.addend_parts) sum[c] = add(sum[c], mul(load(addend[(u64(c) * a.level) << a.log_n]), p, f), f);
        }
        const u32 to = destination(n, a.over[key], a.log_n);
        out[to] = store(sum[0]);
        out[(u64(a.limbs) << a.log_n) + to] = store(sum[1]);
    }
}

struct WeightedSum {
    u64* out;
    const Modulus* moduli;
    u32 log_n, limbs, count, more;  // more: add to what is in `out`
    u32 log_run, narrow;            // one entry of a weight stands for 2^log_run; narrow: it has four bytes
    const void* weights[MOST];
    const u64* vectors[MOST];
};

KERNEL(weighted_sum, WeightedSum) {
    const Field f = field_of(a.moduli[block_y]);
    EACH_THREAD {
        const u64 n = (u64(block_y) << a.log_n) + block_x * threads + thread;
        const u64 at = ((u64(block_z) * a.limbs) << a.log_n) + n;
        word sum = a.more ? load(a.out[at]) : 0;
        for (u32 t = 0; t < a.count; ++t) {
            const u64 entry = n >> a.log_run;  // rows of weights follow each other as those of polynomials do
            const u64 weight = a.narrow ? static_cast<const u32*>(a.weights[t])[entry] : static_cast<const u64*>(a.weights[t])[entry];
            sum = add(sum, mul(load(a.vectors[t][at]), load(weight), f), f);
        }
        a.out[at] = store(sum);
    }
}

struct MatrixProduct {
    const u64* const* vectors;
    const u64* weights;  // (limbs, terms, 4): residues
    const i64 *starts, *rows, *places;
    u64* out;
    const Modulus* moduli;
    u64 terms;
    u32 log_n, limbs, components;
};

// Four rows with the same columns at a time: each residue is read once for them.
KERNEL(matrix_product, MatrixProduct) {
    const u32 limb = block_y % a.limbs;
    const Field f = field_of(a.moduli[limb]);
    const u64* weights = a.weights + limb * a.terms * 4;
    EACH_THREAD {
        const u64 at = (u64(block_y) << a.log_n) + block_x * threads + thread;
        word sum[4] = {0, 0, 0, 0};
        for (i64 t = a.starts[block_z]; t < a.starts[block_z + 1]; ++t) {
            const word x = load(a.vectors[a.places[t]][at]);
            UNROLL for (u32 r = 0; r < 4; ++r) sum[r] = add(sum[r], mul(x, load(weights[4 * t + r]), f), f);
        }
        UNROLL for (u32 r = 0; r < 4; ++r) {
            const i64 row = a.rows[4 * u64(block_z) + r];
            if (row >= 0) a.out[((u64(row) * a.components * a.limbs) << a.log_n) + at] = store(sum[r]);
        }
    }
}
