"""What the kernels take: the structures of `*.cuh` and `*.cu`, field by field."""

from ctypes import Structure, c_double, c_uint32, c_uint64

TOGETHER = 64
"""Operands of one kind that fit into the arguments of a launch."""
MOST_LIMBS = 256
"""Of a basis: one scalar each fits as well."""


class Modulus(Structure):
    """In field.cuh."""

    _fields_ = (
        ("q", c_uint64),
        ("reciprocal", c_uint64),
        ("inverse", c_double),
        ("bits", c_uint64),
        ("forward", c_uint64),
        ("backward", c_uint64),
    )


class Conversion(Structure):
    """In ntt.cu."""

    _fields_ = (("first", c_uint64), ("count", c_uint64), ("factors", c_uint64))


class Transform(Structure):
    """In ntt.cu."""

    _fields_ = (
        ("input", c_uint64),
        ("out", c_uint64),
        ("in_batch", c_uint64),
        ("out_batch", c_uint64),
        ("moduli", c_uint64),
        ("factors", c_uint64),
        ("conversions", c_uint64),
        ("sources", c_uint64),
        ("sources_batch", c_uint64),
        ("source_moduli", c_uint64),
        ("minuend", c_uint64),
        ("minuend_batch", c_uint64),
        ("log_n", c_uint32),
        ("over_count", c_uint32),
        ("over_repeat", c_uint32),
        ("over", c_uint32 * TOGETHER),
    )


class Elementwise(Structure):
    """In ring.cu."""

    _fields_ = (
        ("x", c_uint64),
        ("y", c_uint64),
        ("z", c_uint64),
        ("out", c_uint64),
        ("y_polynomials", c_uint64),
        ("x_batch", c_uint64),
        ("out_batch", c_uint64),
        ("moduli", c_uint64),
        ("scalars", c_uint64 * MOST_LIMBS),
        ("log_n", c_uint32),
        ("operation", c_uint32),
    )


OPERATIONS = ("add", "sub", "mul", "mul_add", "neg", "add_scalar", "mul_scalar", "copy", "zero")


class Tensor(Structure):
    """In ring.cu."""

    _fields_ = (
        ("x", c_uint64),
        ("y", c_uint64),
        ("out", c_uint64),
        ("part", c_uint64),
        ("moduli", c_uint64),
        ("log_n", c_uint32),
    )


class Automorphism(Structure):
    """In ring.cu."""

    _fields_ = (
        ("x", c_uint64),
        ("out", c_uint64),
        ("batch", c_uint64),
        ("moduli", c_uint64),
        ("log_n", c_uint32),
        ("exponent", c_uint32),
        ("over", c_uint32),
        ("values", c_uint32),
    )


class Twiddles(Structure):
    """In ring.cu."""

    _fields_ = (("out", c_uint64), ("squares", c_uint64), ("moduli", c_uint64), ("log_n", c_uint32))


class InnerProduct(Structure):
    """In switching.cu."""

    _fields_ = (
        ("digits", c_uint64),
        ("digits_batch", c_uint64),
        ("addend", c_uint64),
        ("addend_batch", c_uint64),
        ("out", c_uint64),
        ("key_limbs", c_uint64),
        ("moduli", c_uint64),
        ("special_product", c_uint64),
        ("log_n", c_uint32),
        ("level", c_uint32),
        ("limbs", c_uint32),
        ("digit_count", c_uint32),
        ("addend_parts", c_uint32),
        ("key_count", c_uint32),
        ("over", c_uint32 * TOGETHER),
        ("keys", c_uint64 * TOGETHER),
    )


class WeightedSum(Structure):
    """In switching.cu."""

    _fields_ = (
        ("out", c_uint64),
        ("moduli", c_uint64),
        ("log_n", c_uint32),
        ("limbs", c_uint32),
        ("count", c_uint32),
        ("more", c_uint32),
        ("log_run", c_uint32),
        ("narrow", c_uint32),
        ("weights", c_uint64 * TOGETHER),
        ("vectors", c_uint64 * TOGETHER),
    )


class MatrixProduct(Structure):
    """In switching.cu."""

    _fields_ = (
        ("vectors", c_uint64),
        ("weights", c_uint64),
        ("starts", c_uint64),
        ("rows", c_uint64),
        ("places", c_uint64),
        ("out", c_uint64),
        ("moduli", c_uint64),
        ("terms", c_uint64),
        ("log_n", c_uint32),
        ("limbs", c_uint32),
        ("components", c_uint32),
    )


class Uniform(Structure):
    """In stream.cu."""

    _fields_ = (
        ("key", c_uint32 * 8),
        ("stream", c_uint32),
        ("log_n", c_uint32),
        ("out", c_uint64),
        ("out_batch", c_uint64),
        ("moduli", c_uint64),
    )
