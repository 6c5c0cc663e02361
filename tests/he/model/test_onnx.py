"""ONNX models against the reference evaluator of the package onnx and, where torch exported them, torch."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as everybody calls it

import he
from he.model.builder import Builder
from he.model.graph import INPUT, Graph
from he.model.nonlinear import Activation
from he.model.onnx import read, recognises


def model(
    nodes: Sequence[Any], shape: Sequence[Any], constants: dict[str, Any] | None = None, opset: int = 21
) -> Any:
    """A ModelProto that computes y from x (shape, the batch first), in double."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, shape)],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def one(operation: str, shape: Sequence[Any], *constants: Any, opset: int = 21, **attributes: Any) -> Any:
    """A ModelProto of one node on x and constants; None leaves an input out."""
    named = {f"c{i}": value for i, value in enumerate(constants) if value is not None}
    inputs = ["x", *(f"c{i}" if value is not None else "" for i, value in enumerate(constants))]
    node = helper.make_node(operation, inputs, ["y"], "it", **attributes)
    return model([node], shape, named, opset)


def expect_equal(proto: Any, theirs: Any, x: np.ndarray[Any, Any]) -> Graph:
    """The graph gives what torch gives, on samples it was not read with."""
    graph, _ = read(proto, x[:1])
    expected = theirs.detach().numpy() if hasattr(theirs, "detach") else theirs
    np.testing.assert_allclose(graph(x).reshape(expected.shape), expected, rtol=0, atol=1e-10)
    return graph


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def exported(net: nn.Module, x: Any, opset: int = 17) -> Any:
    """By torch's exporter that needs nothing but torch, with an open batch; it warns of its own end."""
    file = io.BytesIO()
    names: dict[str, Any] = {"input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net.eval(), (torch.tensor(x),), file, dynamo=False, opset_version=opset, **names)
    return onnx.load_model_from_string(file.getvalue())


@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_convolutions(data: st.DataObject) -> None:
    def draw(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    def each(low: int, high: int) -> list[int]:
        return [draw(low, high) for _ in range(axes)]

    groups, axes, same = draw(1, 3), draw(1, 2), data.draw(st.booleans())
    x = normal(3, groups * draw(1, 2), *(draw(5, 8) for _ in range(axes)))
    w = normal(groups * draw(1, 2), x.shape[1] // groups, *each(1, 3), seed=1)
    bias = normal(len(w), seed=2) if data.draw(st.booleans()) else None
    strides, dilations, pads = [1] * axes if same else each(1, 2), each(1, 2), each(0, 2)
    padding: dict[str, Any] = {"auto_pad": "SAME_UPPER"} if same else {"pads": pads + pads}
    proto = one("Conv", x.shape, w, bias, group=groups, strides=strides, dilations=dilations, **padding)
    theirs = (F.conv1d, F.conv2d)[axes - 1](
        torch.tensor(x),
        torch.tensor(w),
        None if bias is None else torch.tensor(bias),
        strides,
        "same" if same else pads,
        dilations,
        groups,
    )
    expect_equal(proto, theirs, x)


@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_average_pooling(data: st.DataObject) -> None:
    def draw(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    axes, kernel, ceil, inside = draw(1, 2), draw(2, 4), data.draw(st.booleans()), data.draw(st.booleans())
    stride, pad = draw(1, 3), draw(0, kernel // 2)
    x = normal(3, draw(1, 3), *(draw(5, 9) for _ in range(axes)))
    proto = one(
        "AveragePool",
        x.shape,
        kernel_shape=[kernel] * axes,
        strides=[stride] * axes,
        pads=[pad] * (2 * axes),
        ceil_mode=int(ceil),
        count_include_pad=int(inside),
    )
    pool = (F.avg_pool1d, F.avg_pool2d)[axes - 1]
    expect_equal(proto, pool(torch.tensor(x), kernel, stride, pad, ceil, inside), x)


@settings(deadline=None, max_examples=15)
@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    outputs=st.integers(1, 4),
    transposed=st.booleans(),
)
def test_matrices(shape: list[int], outputs: int, transposed: bool) -> None:
    x, w, b = normal(3, *shape), normal(shape[-1], outputs, seed=1), normal(outputs, seed=2)
    expect_equal(one("MatMul", x.shape, w), x @ w, x)
    if len(shape) == 1:
        given = w.T if transposed else w
        proto = one("Gemm", x.shape, given, b, transB=int(transposed), alpha=0.5, beta=2.0)
        expect_equal(proto, 0.5 * x @ w + 2 * b, x)


X = normal(3, 2, 4, 6)
OPERATORS: dict[str, Any] = {
    "batch norm": one("BatchNormalization", X.shape, *(np.array([0.5, 2.0]),) * 4, epsilon=0.01),
    "global": one("GlobalAveragePool", X.shape),
    "mean": one("ReduceMean", X.shape, np.array([2, -1]), keepdims=0),
    "old mean": one("ReduceMean", X.shape, axes=[1, 3], opset=13),
    "sum": one("ReduceSum", X.shape, np.array([1]), keepdims=0),
    "same lower": one("Conv", X.shape, normal(2, 2, 2, 2), auto_pad="SAME_LOWER", strides=[2, 1]),
    "valid": one("Conv", X.shape, normal(2, 2, 2, 2), auto_pad="VALID"),
    "pad": one("Pad", X.shape, np.array([0, 0, 1, 0, 0, 0, 2, 3])),
    "pad axes": one("Pad", X.shape, np.array([1, 2]), np.array(0.0), np.array([3])),
    "old pad": one("Pad", X.shape, pads=[0, 0, 0, 1, 0, 0, 0, 1], opset=2),
    "add": one("Add", X.shape, normal(2, 1, 1)),
    "subtract": one("Sub", X.shape, np.array(2.0)),
    "multiply": one("Mul", X.shape, normal(1, 2, 4, 6)),
    "divide": one("Div", X.shape, np.array([3.0])),
    "negative": one("Neg", X.shape),
    "power": one("Pow", X.shape, np.array(3.0)),
    "flatten": one("Flatten", X.shape),
    "reshape": one("Reshape", X.shape, np.array([0, -1, 3])),
    "transpose": one("Transpose", X.shape, perm=[0, 2, 3, 1]),
    "unsqueeze": one("Unsqueeze", X.shape, np.array([1])),
    "slice": one("Slice", X.shape, *map(np.array, ([1, 0], [4, 6], [2, 3], [1, 2]))),
    "gather": one("Gather", X.shape, np.array([1, 0, 1]), axis=1),
    "expand": model(
        [helper.make_node("Unsqueeze", ["x", "a"], ["u"]), helper.make_node("Expand", ["u", "b"], ["y"])],
        X.shape,
        {"a": np.array([2]), "b": np.array([3, 2, 2, 4, 6])},
    ),
    "depth to space": one("SpaceToDepth", X.shape, blocksize=2),
    "identity": one("Identity", X.shape),
    "cast": one("Cast", X.shape, to=TensorProto.FLOAT),
    "dropout": one("Dropout", X.shape, np.array(0.5)),
    **{name: one(name, X.shape) for name in ("Relu", "Sigmoid", "Tanh", "Softplus", "Erf", "Gelu")},
}


EXACT = {  # the evaluator rounds these to single precision
    "Erf": lambda x: torch.erf(torch.tensor(x)).numpy(),
    "Gelu": lambda x: F.gelu(torch.tensor(x)).numpy(),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name: str) -> None:
    proto = OPERATORS[name]
    if name in ("identity", "cast", "dropout"):  # alone they give back the input, which is no network
        proto.graph.node[0].output[0] = "same"
        proto.graph.node.append(helper.make_node("Neg", ["same"], ["y"]))
    if name == "Sigmoid":  # a last one is left out
        proto.graph.node[0].output[0] = "inside"
        proto.graph.node.append(helper.make_node("Neg", ["inside"], ["y"]))
    theirs = EXACT[name](X) if name in EXACT else ReferenceEvaluator(proto).run(None, {"x": X})[0]
    graph, _ = read(proto, X)
    tolerance = 1e-6 if name == "cast" else 1e-12  # the evaluator rounds to float, the graph does not
    np.testing.assert_allclose(graph(X).reshape(theirs.shape), theirs, rtol=tolerance, atol=1e-12)


class Lambda(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)  # type: ignore[no-any-return]


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.second, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.norm(self.first(x)))
        x = torch.cat([x + self.second(x), x * x], dim=1)
        return F.log_softmax(self.head(F.adaptive_avg_pool2d(x, 1).view(x.size(0), -1)), dim=1)


NETS = {
    "residual": Residual(),
    "gelu": nn.Sequential(nn.GELU(), nn.Conv2d(2, 3, 3, stride=2), nn.Flatten(), nn.Linear(6, 2)),
    "silu": nn.Sequential(nn.Flatten(2), nn.Conv1d(2, 3, 3), nn.SiLU(), nn.AvgPool1d(2), nn.Softplus(2.0)),
    "functions": Lambda(lambda x: (2 - x) / 3 + x**2 - x * x.mean(-1, keepdim=True)),
    "split": Lambda(lambda x: torch.sub(*x.split(1, dim=1)) + x[:, 1:].square()),
    "half gelu": Lambda(lambda x: (0.5 * x) * (1 + torch.erf(x / 2**0.5))),
}


@pytest.mark.parametrize("name", NETS)
def test_what_torch_exports(name: str) -> None:
    net, x = NETS[name].double(), X
    graph, _ = read(exported(net, x), x)
    theirs = net(torch.tensor(x)).detach().numpy()
    ours = graph(x).reshape(theirs.shape)
    if name == "residual":
        ours = ours - np.log(np.exp(ours).sum(1, keepdims=True))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    if "gelu" in name:
        kinds = [node.layer.kind for node in graph.nodes if isinstance(node.layer, Activation)]
        assert kinds == ["gelu"]


def test_a_file_of_single_precision_compiles_as_the_network_it_was_exported_from(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(32, 3), nn.Softmax(1))
    x = normal(40, 1, 6, 6).astype(np.float32)
    path = tmp_path / "net.onnx"
    onnx.save(exported(net, x[:1]), path)
    mine, theirs = he.compile(path, samples=x.reshape(40, 36)), he.compile(net, samples=x)
    assert mine.plan.params == theirs.plan.params
    assert mine.plan.rotations == theirs.plan.rotations
    np.testing.assert_allclose(mine.predict_clear(x), theirs.predict_clear(x), rtol=0, atol=1e-12)
    assert recognises(str(path))
    assert not recognises("net.pt")


def test_a_fixed_batch_and_a_shape_that_the_model_says_itself() -> None:
    graph, _ = read(one("Reshape", [1, 2, 6], np.array([1, 12])), None)
    np.testing.assert_array_equal(graph(X.reshape(12, 2, 6)), X.reshape(12, 12))


W = normal(2, 2, 3, 3)


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (one("MaxPool", X.shape, kernel_shape=[2, 2]), r"\(MaxPool\) cannot be read, expected average"),
        (one("LeakyRelu", X.shape), r"it \(LeakyRelu\) cannot be read, expected linear layers, convolutions"),
        (one("Softmax", X.shape, axis=1), r"it \(Softmax\) cannot be read, expected it to be last"),
        (one("Frobnicate", X.shape), r"it \(Frobnicate\) cannot be read, expected linear"),
        (one("Gemm", [3, 2], normal(3, 1), transA=1), "transA=0: the batch comes first"),
        (one("MatMul", [3, 4, 2], normal(3, 2, 1)), r"a matrix on the right, not .* \(3, 2, 1\)"),
        (one("Conv", [3, 2, 3, 3, 3], normal(1, 2, 1, 1, 1)), "of one or two axes, not of 3"),
        (one("Pad", X.shape, np.array([0, 1, 0, 0, 0, 0, 0, 0])), "expected zeros behind and before"),
        (one("Pad", X.shape, np.array([0] * 7 + [1]), mode="edge"), "expected zeros behind and before"),
        (one("ReduceSum", X.shape, np.array([0])), "axes of one sample"),
        (one("ReduceSum", X.shape), "axes of one sample"),
        (one("Transpose", X.shape, perm=[1, 0, 2, 3]), "expected the batch first"),
        (one("Gelu", X.shape, approximate="tanh"), "approximate='none', not 'tanh'"),
        (one("Dropout", X.shape, None, np.array(True)), "expected it without: it is random"),
        (one("RandomNormalLike", X.shape), "it .RandomNormalLike. is random, expected a network that gives"),
        (one("Cast", X.shape, to=TensorProto.INT64), "rounds to ONNX type 7, expected a float type"),
        (model([helper.make_node("Div", ["x", "x"], ["y"])], X.shape), "a constant divisor"),
        (model([helper.make_node("MatMul", ["c", "x"], ["y"])], [3, 3], {"c": np.eye(3)}), "constant"),
        (model([helper.make_node("Scaler", ["x"], ["y"], domain="ai.onnx.ml")], X.shape), "scikit-learn"),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_is_named(proto: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        read(
            proto,
            normal(3, *(axis.dim_value for axis in proto.graph.input[0].type.tensor_type.shape.dim[1:])),
        )


def test_one_input_of_reals_and_one_output() -> None:
    proto = one("Neg", X.shape)
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    with pytest.raises(TypeError, match="input x has ONNX type 7, expected float"):
        read(proto, X)
    proto = one("Neg", X.shape)
    proto.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1]))
    with pytest.raises(TypeError, match=r"takes 2 inputs \(x, z\), expected one"):
        read(proto, X)
    proto = one("Neg", X.shape)
    proto.graph.output.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1]))
    with pytest.raises(TypeError, match=r"gives 2 outputs \(y, x\), expected the scores"):
        read(proto, X)
    with pytest.raises(TypeError, match=r"input x has shape \(4,\), expected the batch first"):
        read(one("Neg", [4]), X)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"samples have shape \(3, 2, 4, 6\), expected \(count, \*\(0, 5, 5\)"
    ):
        read(one("Neg", ["n", "c", 5, 5]), X)
    with pytest.raises(ValueError, match="no samples given, expected some: the ONNX model leaves"):
        read(one("Neg", ["n", "c", 5, 5]))
    with pytest.raises(ValueError, match=r"it \(Conv\): inputs of shapes \(3, 2, 4, 6\), \(2, 3, 3, 3\)"):
        read(one("Conv", X.shape, normal(2, 3, 3, 3)), X)
    with pytest.raises(ValueError, match="samples hold NaN"):
        read(one("Neg", X.shape), X * np.nan)
    with pytest.raises(ValueError, match="output y does not depend on the input"):
        read(model([helper.make_node("Neg", ["c"], ["y"])], X.shape, {"c": np.ones(3)}), X)


def test_corrupt_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    good = one("Conv", X.shape, W).SerializeToString()
    for damaged in (b"", b"hello world", good[: len(good) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="export it again"):
            read(path, X)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "missing.onnx", X)
    unsorted = [helper.make_node("Neg", ["a"], ["y"]), helper.make_node("Neg", ["x"], ["a"])]
    with pytest.raises(ValueError, match=r"corrupt \(Nodes in a graph must be topologically sorted"):
        read(model(unsorted, X.shape), X)


@pytest.mark.parametrize("flip", [1, 128])
def test_damaged_bytes_end_in_a_clear_error_or_another_network(flip: int) -> None:
    good, refused = one("Conv", X.shape, W).SerializeToString(), 0
    for place in range(len(good)):
        damaged = bytearray(good)
        damaged[place] ^= flip
        try:
            read(onnx.load_model_from_string(bytes(damaged)), X)
        except (TypeError, ValueError) as problem:
            assert str(problem)
            refused += 1
        except DecodeError:
            refused += 1
    assert 20 < refused < len(good)


def test_values_of_absurd_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"gives \(2, 4, 10000006\) for one sample, expected at most"):
        Builder((2, 4, 6)).pad("pad", INPUT, ((0, 0), (0, 10**7)))
    with pytest.raises(ValueError, match="takes batches of 5000, expected at most 4096"):
        read(one("Neg", [5000, 2]))
