// One source for two compilers. For a GPU a kernel is what CUDA calls one. For the host a block is a function
// call, its threads are a loop, and a barrier is the end of one loop and the beginning of the next. So what is
// needed after a barrier stands in shared memory, and what is declared outside the loops is the same for all
// threads of a block.
//
//   KERNEL(name, Arguments) { SHARED(u64, tile, 64); EACH_THREAD { ... thread ... } AFTER_BARRIER { ... } }
//
// `a` are the arguments, one structure passed by value; `thread` of `threads` is the number within the block,
// `block_x`, `block_y`, `block_z` are those of the block.
#pragma once

typedef unsigned long long u64;
typedef long long i64;
typedef unsigned int u32;

#ifdef __CUDACC__

#define DEVICE __device__ __forceinline__
#define KERNEL(name, Arguments) extern "C" __global__ void name(const __grid_constant__ Arguments a)
#define SHARED(type, name, size) __shared__ type name[size]
#define EACH_THREAD for (u32 once = 1; once; once = 0)
#define thread threadIdx.x
#define threads blockDim.x
#define UNROLL _Pragma("unroll")
#define BARRIER __syncthreads()
#define block_x blockIdx.x
#define block_y blockIdx.y
#define block_z blockIdx.z
#define PAIR_ALIGNMENT 16

DEVICE u64 product_high(u64 x, u64 y) { return __umul64hi(x, y); }
DEVICE u32 reversed(u32 x) { return __brev(x); }
DEVICE double product_rounded(double x, double y) { return __dmul_rn(x, y); }
DEVICE double sum_rounded(double x, double y) { return __dadd_rn(x, y); }
DEVICE double fused(double x, double y, double z) { return __fma_rn(x, y, z); }
DEVICE double as_double(u64 x) { return __longlong_as_double(static_cast<i64>(x)); }
DEVICE u64 as_bits(double x) { return static_cast<u64>(__double_as_longlong(x)); }

#else

#include <cmath>
#include <cstring>

#define DEVICE static inline
static thread_local u32 block_x, block_y, block_z, threads;
#define KERNEL(name, Arguments)                                                                             \
    static void name(const Arguments& a);                                                                   \
    extern "C" void launch_##name(u32 x, u32 y, u32 z, u32 count, const Arguments* a) {                     \
        threads = count;                                                                                    \
        for (block_z = 0; block_z < z; ++block_z)                                                           \
            for (block_y = 0; block_y < y; ++block_y)                                                       \
                for (block_x = 0; block_x < x; ++block_x) name(*a);                                         \
    }                                                                                                       \
    static void name(const Arguments& a)
#define SHARED(type, name, size) static thread_local type name[size]
#define EACH_THREAD for (u32 thread = 0; thread < threads; ++thread)
#define BARRIER (void)0
#define UNROLL
#define PAIR_ALIGNMENT 8  // NumPy promises no more

DEVICE u64 product_high(u64 x, u64 y) { return static_cast<u64>((static_cast<unsigned __int128>(x) * y) >> 64); }
DEVICE u32 reversed(u32 x) {
    x = (x >> 16) | (x << 16);
    x = ((x & 0xFF00FF00u) >> 8) | ((x & 0x00FF00FFu) << 8);
    x = ((x & 0xF0F0F0F0u) >> 4) | ((x & 0x0F0F0F0Fu) << 4);
    x = ((x & 0xCCCCCCCCu) >> 2) | ((x & 0x33333333u) << 2);
    return ((x & 0xAAAAAAAAu) >> 1) | ((x & 0x55555555u) << 1);
}
// The build forbids the compiler to fuse these.
DEVICE double product_rounded(double x, double y) { return x * y; }
DEVICE double sum_rounded(double x, double y) { return x + y; }
DEVICE double fused(double x, double y, double z) { return std::fma(x, y, z); }
DEVICE double as_double(u64 x) {
    double out;
    std::memcpy(&out, &x, 8);
    return out;
}
DEVICE u64 as_bits(double x) {
    u64 out;
    std::memcpy(&out, &x, 8);
    return out;
}

#endif

#define AFTER_BARRIER \
    BARRIER;          \
    EACH_THREAD

struct alignas(PAIR_ALIGNMENT) Pair {
    u64 first, second;
};
