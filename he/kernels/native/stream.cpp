// Random polynomials from a seed. See engine.h and ../reference/stream.py.
#include <cstring>

#include "engine.h"
#include "pool.h"

namespace latticework {
namespace {

constexpr u64 label_sample = 1;

struct Nonce {
    u32 words[3];
    Nonce(u32 stream, u64 label) : words{stream, static_cast<u32>(label), static_cast<u32>(label >> 32)} {}
};

// n uniform residues: words below q floor(2^64 / q) in order, modulo q. Public values: rejection may be seen in the timing.
void uniform_row(const Path& path, const Modulus& m, const u32 key[8], u32 stream, u64* out, size_t n) {
    const Nonce nonce(stream, m.q);
    const u64 limit = m.ratio64 * m.q;
    path.keystream(key, nonce.words, 0, out, n / 8);
    size_t kept = 0;
    for (size_t i = 0; i < n; ++i) {
        out[kept] = out[i];
        kept += out[i] < limit ? 1 : 0;
    }
    for (u32 block = static_cast<u32>(n / 8); kept < n; ++block) {
        u64 more[8];
        path.keystream(key, nonce.words, block, more, 1);
        for (size_t i = 0; i < 8 && kept < n; ++i)
            if (more[i] < limit) out[kept++] = more[i];
    }
    path.reduce_words(m, out, out, n);
}

}  // namespace

void uniform(const Basis& b, const u32 key[8], u32 stream, u64* out) {
    parallel_for(b.limbs(), b.threads, [&](size_t i) { uniform_row(*b.path, b.modulus(i), key, stream, out + i * b.n, b.n); });
}

void sample(const Path& path, const u32 key[8], u32 stream, const u64* thresholds, size_t count, i64 offset, i64* out,
            size_t n) {
    const Nonce nonce(stream, label_sample);
    const Scratch<u64> words(n);
    path.keystream(key, nonce.words, 0, words.get(), n / 8);
    path.count_reached(words.get(), thresholds, count, offset, out, n);
    std::memset(words.get(), 0, n * sizeof(u64));
    __asm__ __volatile__("" : : "r"(words.get()) : "memory");  // keeps the wipe: the pool would hand the secret words on
}

void lift(const Basis& b, const i64* x, u64* out, size_t polys, bool values) {
    const size_t limbs = b.limbs();
    parallel_for(polys * limbs, b.threads, [&](size_t r) {
        b.path->lift(b.modulus(r % limbs), x + r / limbs * b.n, out + r * b.n, b.n);
        if (values) b.path->ntt(b.ntt(r % limbs), out + r * b.n, out + r * b.n, false);
    });
}

}  // namespace latticework
