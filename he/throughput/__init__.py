"""The throughput layout: one feature a ciphertext, thousands of inputs side by side in its slots.

Dowlin, Gilad-Bachrach, Laine, Lauter, Naehrig and Wernsing, CryptoNets, ICML 2016. Linear layers are sums of
numbers times ciphertexts and need no rotations, so that a client sends one evaluation key. Reading order:
`plan` (levels, scales, sizes; no weights), `choose` (the
smallest parameters for a precision), `run` (a plan on any engine).
"""
