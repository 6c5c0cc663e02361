"""The latency layout: all features of a sample in as few ciphertexts as they fit into.

Reading order: `layout` (which feature lies in which slot), `transform` (a sparse matrix between two layouts
as diagonals), `plan` (levels, scales, rotations; no weights), `cost` (time out of counted transforms and
products), `calibrate` (what those take on this machine), `arrange` (layouts of least cost), `choose`
(parameters), `run` (a plan on any engine).
"""
