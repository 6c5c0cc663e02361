// All kernels, as one source for whichever compiler: nvcc or NVRTC, or a C++ compiler for the host.
#include "ntt.cu"
#include "ring.cu"
#include "stream.cu"
#include "switching.cu"
