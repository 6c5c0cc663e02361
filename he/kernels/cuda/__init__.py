"""The kernels in CUDA C++, and the launches that make of them what `he.kernels._native` offers.

`shim.cuh` says how one source serves a GPU and, in tests, the host. `arguments` are the structures passed to
the kernels; `host` and `device` are the two machines that launch them; `module` is the launch layer, written
once for both.
"""
