"""Encrypted MNIST as the separate programs of the public `fhe-benchmarking` ML-inference suite.

    python -m benchmarks.stages SIZE      # all of them, timed: 0 single, 1 small, 2 medium, 3 large

Each stage is a program of its own, `python -m benchmarks.stages.NAME SIZE`, run in the folder in which the
suite keeps `datasets/` and `io/`; they talk through files there. In the suite's order: build (once; makes the
public plan and the server's model), client_key_generation, server_preprocess_model, client_preprocess_input,
client_encode_encrypt_input, server_encrypted_compute, client_decrypt_decode, client_postprocess.

The secret key is never written: client_key_generation leaves a process behind that holds it and encrypts and
decrypts for the client's other stages over a socket that only this user can open. The last stage does not end
it, since a suite may repeat the stages: it ends with its folder, or after an hour without a question.
"""
