// Uniform residues from a seed: the keystream of ChaCha20 (RFC 8439) under the label of the modulus, words that
// are too large for an even share of residues left out, the others in their order.
#include "field.cuh"

static const u32 STREAM_THREADS = 256;

struct Uniform {
    u32 key[8];
    u32 stream, log_n;
    u64* out;
    u64 out_batch;
    const Modulus* moduli;
};

DEVICE u32 turned(u32 x, u32 bits) { return (x << bits) | (x >> (32 - bits)); }

DEVICE void quarter_round(u32& a, u32& b, u32& c, u32& d) {
    a += b, d = turned(d ^ a, 16);
    c += d, b = turned(b ^ c, 12);
    a += b, d = turned(d ^ a, 8);
    c += d, b = turned(b ^ c, 7);
}

// Eight 64-bit words of keystream (RFC 8439, section 2.3): nonce LE32(stream) || LE64(label).
DEVICE void keystream(const u32* key, u32 counter, u32 stream, u64 label, u64* words) {
    const u32 start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, key[0], key[1], key[2], key[3],
                           key[4],     key[5],     key[6],     key[7],     counter, stream,
                           static_cast<u32>(label), static_cast<u32>(label >> 32)};
    u32 x[16];
    for (int i = 0; i < 16; ++i) x[i] = start[i];
    for (int i = 0; i < 10; ++i) {
        for (int c = 0; c < 4; ++c) quarter_round(x[c], x[4 + c], x[8 + c], x[12 + c]);
        for (int c = 0; c < 4; ++c)
            quarter_round(x[c], x[4 + (c + 1) % 4], x[8 + (c + 2) % 4], x[12 + (c + 3) % 4]);
    }
    for (int i = 0; i < 8; ++i)
        words[i] = (u64(x[2 * i + 1] + start[2 * i + 1]) << 32) | (x[2 * i] + start[2 * i]);
}

// One block a row; the words of 256 keystream blocks at a time.
KERNEL(uniform, Uniform) {
    SHARED(u64, words, 8 * STREAM_THREADS);
    SHARED(u32, places, STREAM_THREADS + 1);  // accepted words before those of each thread
    const u64 q = a.moduli[block_y].q, limit = ~0ull / q * q;  // q is odd: no multiple of it is 2^64
    const u32 n = 1u << a.log_n;
    u64* out = a.out + block_z * a.out_batch + (u64(block_y) << a.log_n);
    u32 done = 0;
    for (u32 counter = 0; done < n; counter += STREAM_THREADS) {
        AFTER_BARRIER {
            u64* own = words + 8 * thread;
            keystream(a.key, counter + thread, a.stream + block_z, q, own);
            u32 accepted = 0;
            for (int i = 0; i < 8; ++i) accepted += own[i] < limit;
            places[thread + 1] = accepted;
        }
        AFTER_BARRIER {
            if (thread == 0) {
                places[0] = 0;
                for (u32 i = 0; i < STREAM_THREADS; ++i) places[i + 1] += places[i];
            }
        }
        AFTER_BARRIER {
            u32 to = done + places[thread];
            for (int i = 0; i < 8; ++i) {
                const u64 w = words[8 * thread + i];
                if (w < limit && to < n) out[to] = w % q;
                to += w < limit;
            }
        }
        done += places[STREAM_THREADS];
    }
}
