// ChaCha20 keystream (RFC 8439), several blocks side by side: vector lane i works on block i. Constant time: adds, xors, rotations.
#pragma once

#include <cstring>

#include "api.h"

namespace latticework {
namespace {

struct Lanes4 {
    typedef u32 Vec __attribute__((vector_size(16)));
};
struct Lanes8 {
    typedef u32 Vec __attribute__((vector_size(32)));
};
struct Lanes16 {
    typedef u32 Vec __attribute__((vector_size(64)));
};

template <class Lanes>
struct ChaCha {
    using Vec = typename Lanes::Vec;
    static constexpr size_t lanes = sizeof(Vec) / 4;

    template <int r>
    static Vec turn(Vec x) {
        return (x << r) | (x >> (32 - r));
    }

    static void quarter(Vec& a, Vec& b, Vec& c, Vec& d) {
        a += b, d = turn<16>(d ^ a);
        c += d, b = turn<12>(b ^ c);
        a += b, d = turn<8>(d ^ a);
        c += d, b = turn<7>(b ^ c);
    }

    static void blocks(const u32 key[8], const u32 nonce[3], u32 block, u64* out, size_t count) {
        Vec start[16];
        const u32 constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};  // "expand 32-byte k"
        for (int i = 0; i < 4; ++i) start[i] = Vec{} + constants[i];
        for (int i = 0; i < 8; ++i) start[4 + i] = Vec{} + key[i];
        for (int i = 0; i < 3; ++i) start[13 + i] = Vec{} + nonce[i];
        Vec lane{};
        for (size_t i = 0; i < lanes; ++i) lane[i] = static_cast<u32>(i);
        for (size_t done = 0; done < count; done += lanes) {
            start[12] = lane + (block + static_cast<u32>(done));
            const size_t left = count - done;
            emit(start, out + 8 * done, left < lanes ? left : lanes);
        }
    }

    static void emit(const Vec start[16], u64* out, size_t count) {
        Vec s[16];
        for (int i = 0; i < 16; ++i) s[i] = start[i];
        for (int round = 0; round < 10; ++round) {
            quarter(s[0], s[4], s[8], s[12]);
            quarter(s[1], s[5], s[9], s[13]);
            quarter(s[2], s[6], s[10], s[14]);
            quarter(s[3], s[7], s[11], s[15]);
            quarter(s[0], s[5], s[10], s[15]);
            quarter(s[1], s[6], s[11], s[12]);
            quarter(s[2], s[7], s[8], s[13]);
            quarter(s[3], s[4], s[9], s[14]);
        }
        u32 words[16][sizeof(Vec) / 4];
        for (int i = 0; i < 16; ++i) {
            s[i] += start[i];
            std::memcpy(words[i], &s[i], sizeof(Vec));
        }
        for (size_t l = 0; l < count; ++l)
            for (int i = 0; i < 8; ++i)
                out[8 * l + i] = words[2 * i][l] | static_cast<u64>(words[2 * i + 1][l]) << 32;
    }
};

}  // namespace
}  // namespace latticework
