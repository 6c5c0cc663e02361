"""The one door to fast arithmetic for CKKS: every kernel exists on several paths and means the same bits on
each.

Reading order: `dispatch` (which paths this machine has, and what an argument must look like), `handles`
(precomputed tables, built once by the caller), then the kernels: `ring` (NTT, element-wise, automorphisms),
`basis` (base conversion, division by moduli), `switching` (key switching), `matrix` (integers times vectors
of polynomials), `weights` (sums weighted with plaintexts), `stream` (random polynomials from seeds),
`embedding` (the encoder), `packing` (bytes).
`reference` holds the meaning of each; `native` the C++, `cuda` the same for NVIDIA GPUs, where "path" is
"cuda" and arrays are CuPy's, between `to_device` and `to_host`.

Conventions. A polynomial is a C-contiguous `uint64` array of shape (..., limbs, N), row i holding residues in
[0, q_i) of modulus i of the handle; values outside that range give undefined results, never a crash. Inputs
are never changed unless passed as `out`. The path and the number of threads are chosen when a handle is built
and never change a result.
"""

from he.kernels.basis import convert, mod_down
from he.kernels.dispatch import FOUR_BYTES, available, paths
from he.kernels.embedding import compose, embed, round_residues, unembed
from he.kernels.handles import Basis, Converter, Divider, Embedding, Gadget
from he.kernels.matrix import IntegerMatrix, alike_rows, matrix_product
from he.kernels.packing import pack, packed_bytes, unpack
from he.kernels.ring import (
    add,
    add_scalar,
    automorphism,
    automorphism_ntt,
    copy,
    empty,
    intt,
    mul,
    mul_add,
    mul_scalar,
    neg,
    ntt,
    sub,
    tensor,
    to_device,
    to_host,
    zero,
)
from he.kernels.stream import gaussian, lift, sample, ternary, uniform
from he.kernels.switching import (
    compact_key,
    decompose,
    inner_product,
    key_switch,
    key_switch_digits,
    relinearise_each,
)
from he.kernels.weights import Weights, weighted_sums

__all__ = [
    "FOUR_BYTES",
    "Basis",
    "Converter",
    "Divider",
    "Embedding",
    "Gadget",
    "IntegerMatrix",
    "Weights",
    "add",
    "add_scalar",
    "alike_rows",
    "automorphism",
    "automorphism_ntt",
    "available",
    "compact_key",
    "compose",
    "convert",
    "copy",
    "decompose",
    "embed",
    "empty",
    "gaussian",
    "inner_product",
    "intt",
    "key_switch",
    "key_switch_digits",
    "lift",
    "matrix_product",
    "mod_down",
    "mul",
    "mul_add",
    "mul_scalar",
    "neg",
    "ntt",
    "pack",
    "packed_bytes",
    "paths",
    "relinearise_each",
    "round_residues",
    "sample",
    "sub",
    "tensor",
    "ternary",
    "to_device",
    "to_host",
    "unembed",
    "uniform",
    "unpack",
    "weighted_sums",
    "zero",
]
