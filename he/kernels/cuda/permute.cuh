// X -> X^k on NTT values moves them: the value at psi^(2 brv(i) + 1) goes where 2 brv(d) + 1 is that exponent
// over k. 4096 neighbours stay neighbours, since the lowest bits of an exponent decide those of its quotient.
#pragma once

#include "shim.cuh"

// Where value i goes. over: 1/k mod 2N; 1 moves nothing.
DEVICE u32 destination(u32 i, u32 over, u32 log_n) {
    const u32 turn = 32 - log_n;
    const u32 exponent = (over * (2 * (reversed(i) >> turn) + 1)) & ((2u << log_n) - 1);
    return reversed(exponent >> 1) >> turn;
}
