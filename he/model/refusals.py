"""What no reader can take, and what to take instead."""


class Refused(TypeError):
    """A layer that has no exact counterpart on ciphertexts; the message says what to take instead."""


KNOWN = (
    "linear layers, convolutions, batch norm, average pooling, sums, concatenation, polynomials and the "
    "activations relu, gelu, silu, sigmoid, tanh, softplus"
)
INSTEAD = {
    "max_pool": "average pooling (AvgPool2d, then train again): a maximum has no exact form on ciphertexts",
    "softmax": "it to be last, where it is left out: elsewhere it has no exact form on ciphertexts",
    "norm": "batch norm: its factors do not depend on the sample",
}


def alternative(operation: str) -> str:
    """What to take instead of an operation that is not known, by its name in torch or ONNX."""
    plain = operation.lower().replace("maxpool", "max_pool")
    return next((text for part, text in INSTEAD.items() if part in plain), KNOWN)
