"""The meaning of every kernel: exact and slow, in Python integers and plain NumPy.

Each function has the name and the argument order of its fast twin in `he.kernels`, with the moduli in place
of the handle. Residues are `uint64` in `[0, q)`; a polynomial is an array of shape (..., limbs, N), one row
per modulus.
"""
