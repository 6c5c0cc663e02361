"""Read torch models and files into CrypTen on today's torch, which has moved what CrypTen relied on."""

from __future__ import annotations

import copy
import inspect
import io
from collections.abc import Callable
from typing import Any

import torch

# What `crypten.load_from_party` may receive: the class of a model's layers, and containers.
_LAYERS = tuple(
    layer
    for layer in vars(torch.nn).values()
    if inspect.isclass(layer) and issubclass(layer, torch.nn.Module)
)


def replace_readers(crypten: Any) -> None:
    """Make `crypten.nn.from_pytorch`, `crypten.load` and `crypten.load_from_party` work."""
    crypten.nn.onnx_converter._export_pytorch_model = _exporter(crypten.nn.onnx_converter._OPSET_VERSION)
    crypten.load = _load(crypten.load)
    crypten.load_from_party = _load_from_party(crypten)


class _Shell(torch.nn.Module):
    """A model as the exporter shall see it: layers evaluating, nothing merged.

    In evaluation the exporter ties parameters with equal values, and merges convolutions with
    normalisations; it decides by this module's flag, while the layers go by their own.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        inner = copy.deepcopy(model).eval()
        self._parameters, self._buffers, self._modules = inner._parameters, inner._buffers, inner._modules
        self._call = inner.forward

    def forward(self, *inputs: Any) -> Any:
        return self._call(*inputs)


def _exporter(opset: int) -> Callable[[Any, torch.nn.Module, Any], Any]:
    """What CrypTen calls to write a model as ONNX.

    CrypTen reads the graphs of torch's TorchScript exporter, which is no longer the default: the newer one
    writes shapes as parameters, which CrypTen would train.
    """

    def export(file: Any, model: torch.nn.Module, example: Any) -> Any:
        torch.onnx.export(
            _Shell(model),
            example if isinstance(example, tuple) else (example,),
            file,
            do_constant_folding=False,
            export_params=True,
            input_names=["input"],
            output_names=["output"],
            opset_version=opset,
            training=torch.onnx.TrainingMode.PRESERVE,
            dynamo=False,
        )
        return file

    return export


def _load(original: Callable[..., Any]) -> Callable[..., Any]:
    def load(f: Any, load_closure: Callable[..., Any] = torch.load, **options: Any) -> Any:
        """CrypTen's `load`, for files that this party wrote itself or trusts: it runs code found in them."""
        return original(f, load_closure=_trusting(load_closure), **options)

    return load


def _trusting(closure: Callable[..., Any]) -> Callable[..., Any]:
    """torch.load as it was when CrypTen was written: it unpickles everything."""
    if closure is not torch.load:
        return closure

    def load(f: Any, **options: Any) -> Any:
        return torch.load(f, **{"weights_only": False, **options})

    return load


def _load_from_party(crypten: Any) -> Callable[..., Any]:
    def load_from_party(
        f: Any = None,
        preloaded: Any = None,
        encrypted: bool = False,
        model_class: type | None = None,
        src: int = 0,
        load_closure: Callable[..., Any] = torch.load,
        **options: Any,
    ) -> Any:
        """Party `src`'s tensor, shared, or its model: as it is there, with all parameters zero elsewhere.

        Party `src` reads `f`, a file it trusts, or gives `preloaded`. The others learn the tensor's shape or
        the model's layers, and accept no other classes than torch's layers, `model_class`, and those given
        to `crypten.common.serial.register_safe_class`.
        """
        if encrypted:
            raise NotImplementedError("secret tensors are loaded by crypten.load, each party its own shares")
        communicator = crypten.communicator.get()
        if not isinstance(src, int) or not 0 <= src < communicator.get_world_size():
            raise AssertionError(f"src must be a rank below {communicator.get_world_size()}, got {src!r}")
        if communicator.get_rank() == src:
            if (f is None) == (preloaded is None):
                raise AssertionError("exactly one of f and preloaded must be given")
            result = preloaded if f is None else _trusting(load_closure)(f, **options)
            communicator.broadcast_obj(_describe(result), src)
        else:
            result = _imagine(communicator.broadcast_obj(None, src), _safe_classes(crypten, model_class))
        if not isinstance(result, torch.Tensor | torch.nn.Module):
            raise TypeError(f"a tensor or a module can be loaded from party {src}, not {result}")
        if isinstance(result, torch.Tensor):
            result = crypten.cryptensor(result, src=src)
        result.src = src
        return result

    return load_from_party


def _describe(loaded: Any) -> list[Any]:
    """What the other parties may know: the form, without any number in it."""
    if isinstance(loaded, torch.Tensor):
        return ["tensor", list(loaded.shape)]
    if not isinstance(loaded, torch.nn.Module):
        return ["other", type(loaded).__name__]
    empty = copy.deepcopy(loaded)
    for tensor in (*empty.parameters(), *empty.buffers()):
        tensor.data.zero_()
    file = io.BytesIO()
    torch.save(empty, file)
    return ["module", file.getvalue()]


def _imagine(description: list[Any], classes: list[type]) -> Any:
    kind, form = description
    if kind == "tensor":
        return torch.zeros(form)
    if kind == "module":
        with torch.serialization.safe_globals([set, *_LAYERS, *classes]):
            return torch.load(io.BytesIO(form), weights_only=True)
    return f"a {form}"


def _safe_classes(crypten: Any, model_class: type | None) -> list[type]:
    registered = vars(crypten.common.serial.RestrictedUnpickler)["_RestrictedUnpickler__SAFE_CLASSES"]
    known = [one for one in registered.values() if inspect.isclass(one) and issubclass(one, torch.nn.Module)]
    return known if model_class is None else [*known, model_class]
