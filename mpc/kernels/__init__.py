"""Products of shares modulo 2^64 on the CPU, where torch multiplies int64 on one thread and without BLAS.

Reading order: `dispatch` (which paths this machine has, and which tensors they take), `product` (matrices),
`convolution` (maps and kernels, as products of matrices whose words lie anywhere in memory). `native` holds
the C++. The path "torch" is torch's own product: the meaning of each function, and what other tensors get
(of other types, on a GPU, in groups). Every path gives the same bits with any number of threads, which is
that of `torch.set_num_threads`. Two terms share one multiplication, and the multiplier is the
limit: about one and a half times torch's speed a core where AVX-512 is, and torch has one core only
(benchmarks/test_mpc.py, test_ring_product).
"""

from mpc.kernels.convolution import conv1d, conv2d, conv2d_weight, conv_transpose1d, conv_transpose2d
from mpc.kernels.dispatch import available, paths
from mpc.kernels.named import named
from mpc.kernels.product import matmul

__all__ = [
    "available",
    "conv1d",
    "conv2d",
    "conv2d_weight",
    "conv_transpose1d",
    "conv_transpose2d",
    "matmul",
    "named",
    "paths",
]
