"""The CKKS scheme (Cheon, Kim, Kim and Song, ePrint 2016/421) in its RNS form, one idea a file.

In reading order: security, primes, params, smallest (from a task to checked parameters); ring (tables and
polynomials); sampling, encoding, keys, cipher, encrypt; keyswitch, evaluate; linear and transform (matrices),
poly (polynomials); noise and flooding (what is lost, what is hidden); frame and wire (bytes). All are
functions of immutable objects; arithmetic is done by `he.kernels`, and its meaning is the same on every path.
"""
