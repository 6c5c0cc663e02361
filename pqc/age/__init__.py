"""The age v1 file format (c2sp.org/age): a text header that wraps a file key, then a body in chunks.

Read and written here: the hybrid recipient `mlkem768x25519` and passphrases (`scrypt`); read only: `X25519`.
Files go both ways between this package and the `age` tool from version 1.3 on.
"""
