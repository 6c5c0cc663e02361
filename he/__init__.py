"""CKKS-encrypted inference: a trained model becomes a plan, the plan runs on ciphertexts.

    model = he.compile(net)                                   # scikit-learn, torch, ONNX, or a list of layers
    client = he.Client(model.plan)                            # holds the secret key
    server = he.Server(model, client.evaluation_keys())       # holds the weights
    scores = client.decrypt(server.predict(client.encrypt(x)))

The server sees ciphertexts and public keys, the client sees scores. A plan has neither weights nor keys and
is known to both. Data flows from model to plan to engine to scheme; the folders stand in that order.
"""

from he.ckks.params import CkksParams, CkksSpec
from he.client import Client
from he.compile import compile
from he.compiled import Model
from he.latency.plan import Plan
from he.model.layers import Dense
from he.model.nonlinear import Square
from he.model.polynomialise import polynomialise
from he.server import Server

__all__ = [
    "CkksParams",
    "CkksSpec",
    "Client",
    "Dense",
    "Model",
    "Plan",
    "Server",
    "Square",
    "compile",
    "polynomialise",
]
