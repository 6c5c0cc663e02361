// The product of two matrices modulo 2^64, whose words lie anywhere in memory.
#pragma once

#include "path.h"

namespace latticework::ring {

struct Result {
    u64* data;
    const i64* rows;
    const i64* columns;
};
struct Sizes {
    std::size_t height, depth, width;
};
struct Way {
    const Path& path;
    int threads;
    // Whether to add to what is there. Then a place of the result may be met again within `block` columns, but not beyond, and the
    // width is a multiple of it.
    bool add;
    std::size_t block;
};

// depth is at least 1.
void product(const Way& way, const Matrix& x, const Matrix& y, const Result& out, Sizes sizes);

}  // namespace latticework::ring
