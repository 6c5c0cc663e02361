"""CrypTen, made to run on today's torch and with its unsafe parts replaced; nothing else imports it.

CrypTen 0.4.1 stays as installed. What is replaced, through its own extension points: the dealer (its
default lets party 0 recover every secret), the randomness (a Mersenne Twister with 32 bits of seed), the
transport (clear TCP), and the division of shares by public numbers (wrong with a probability that grows with
the values).
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import torch

from mpc import INSTALL
from mpc.activations import add_activations
from mpc.choice import Comparing
from mpc.comparison import replace_comparisons
from mpc.corrections import replace_operations
from mpc.dealer.client import DealerClient
from mpc.defaults import replace_defaults
from mpc.division import division
from mpc.gpu import replace_convolutions
from mpc.helperless import replace_for_pair
from mpc.losses import replace_losses
from mpc.maximum import contest, replace_maximum
from mpc.pooling import replace_pooling
from mpc.products import replace_products
from mpc.provider import CPU, NAME, DealerProvider, Providers, require_cpu
from mpc.randomness import KEY_BYTES, Stream, Zeros
from mpc.read_layers import replace_layers
from mpc.reader import replace_readers
from mpc.rerandomise import replace_replicated
from mpc.scaled import replace_scaled
from mpc.settings import replace_settings
from mpc.smooth import replace_smooth
from mpc.sums import weighted_sums
from mpc.third import ThirdDealer, ThirdProvider
from mpc.transport import ChannelCommunicator
from mpc.updates import replace_updates

# CrypTen asks for a private module of torch by the name it had before torch 2.9.
_MOVED = "torch.onnx._internal.registration"
if _MOVED not in sys.modules:
    try:
        importlib.import_module(_MOVED)
    except ModuleNotFoundError:
        sys.modules[_MOVED] = importlib.import_module(
            "torch.onnx._internal.torchscript_exporter.registration"
        )

try:
    import crypten
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"mpc runs on CrypTen, and {missing.name!r} is not installed: {INSTALL}"
    ) from missing

from crypten.mpc.primitives import ArithmeticSharedTensor, BinarySharedTensor  # noqa: E402, F401

# Raw values (16 fractional bits) must stay below 2^62, also after one product with a number of size one.
LARGEST = 2.0**30


@dataclass(frozen=True, repr=False)
class SharedKeys:
    """Keys of the streams behind pseudo-random sharings of zero, and of coins that all parties know.

    Sharings of zero as in Araki, Furukawa, Lindell, Nof, Ohara, ePrint 2016/768, section 2.2.
    `previous` and `next` are shared with the neighbours in rank order, `coins` with everybody, `local` with
    nobody. An empty key stands for zeros in the place of a stream.
    """

    previous: bytes
    next: bytes
    coins: bytes
    local: bytes


def prepare() -> None:
    """Put our parts in the place of CrypTen's; done once, by `start` at the latest."""
    if crypten.communicator.DistributedCommunicator is _Door:
        return
    for place in (crypten.communicator, crypten.mpc.context):
        place.DistributedCommunicator = _Door
    crypten.communicator.InProcessCommunicator = _Door
    crypten.mpc.run_multiprocess = _run_multiprocess(crypten.mpc.run_multiprocess)
    crypten.mpc.context.run_multiprocess = crypten.mpc.run_multiprocess
    crypten.mpc.ttp_required = lambda: False
    crypten.cfg.mpc.provider = NAME
    for name in ("TrustedFirstParty", "TrustedThirdParty", "HomomorphicProvider", "TTPServer"):
        getattr(crypten.mpc.provider, name).__init__ = _refuse_clear_start
    for module in [module for name, module in sys.modules.items() if name.startswith("crypten.")]:
        for name, ours in _DRAWS.items():
            if hasattr(module, name):
                setattr(module, name, ours)
    ArithmeticSharedTensor.div_ = division(crypten)
    replace_settings(crypten)
    replace_readers(crypten)
    replace_defaults(crypten)
    replace_operations(crypten)
    replace_comparisons(crypten)
    replace_maximum(crypten)
    replace_pooling(crypten)
    replace_smooth(crypten)
    replace_scaled(crypten)
    add_activations(crypten)
    replace_losses(crypten)
    replace_products(crypten)
    replace_layers(crypten)
    replace_updates(crypten)
    replace_replicated(crypten)
    replace_convolutions(crypten)
    replace_for_pair(crypten)


def open_door(join: Callable[[], Callable[[], None]]) -> None:
    """Let `crypten.init` start parties: `join` calls `start` in the end, and gives the function to leave."""
    prepare()
    _Door.join = staticmethod(join)


def start(
    communicator: ChannelCommunicator,
    dealer: DealerClient | ThirdDealer,
    keys: SharedKeys,
    comparing: Comparing,
) -> None:
    """Make this process a computing party; one process is one party at a time."""
    if _Door.communicator is not None:
        raise RuntimeError("this process is a party already: one process runs one party")
    prepare()
    _Door.communicator = communicator
    if isinstance(dealer, ThirdDealer):
        provider: DealerProvider = ThirdProvider(crypten, dealer, comparing)
    else:
        provider = DealerProvider(crypten, dealer, comparing)
    vars(crypten.mpc)["__SUPPORTED_PROVIDERS"] = Providers(provider, substitute=_Door.join is not None)
    set_streams(keys)


def secret(value: torch.Tensor | None, owner: int, size: Sequence[int]) -> Any:
    """A CrypTen tensor of shape `size`, shared from party `owner`'s `value` (None at the others)."""
    if value is not None:
        _check_input(value, size)
    placeholder = torch.empty(tuple(size)) if value is None else value
    return crypten.cryptensor(placeholder, src=owner)


def _check_input(value: torch.Tensor, size: Sequence[int]) -> None:
    if tuple(value.shape) != tuple(size):
        raise ValueError(f"value of shape {tuple(value.shape)} given, expected {tuple(size)}")
    if not torch.isfinite(value).all():
        raise ValueError(
            f"value has {int((~torch.isfinite(value)).sum())} entries that are not finite numbers"
        )
    if value.nelement() and float(value.abs().max()) >= LARGEST:
        raise ValueError(f"largest magnitude is {float(value.abs().max()):g}, must be below {LARGEST:g}")


def is_shared(value: Any) -> bool:
    """Whether it is a secret tensor."""
    return isinstance(value, crypten.CrypTensor)


def share_of(tensor: Any) -> tuple[torch.Tensor, int]:
    """This party's additive share (int64) of a secret tensor, and the factor that its values carry in it."""
    _check_additive(tensor)
    return tensor.share, tensor.encoder._scale


def _check_additive(tensor: Any) -> None:
    if not isinstance(tensor, crypten.mpc.MPCTensor) or tensor.ptype != crypten.mpc.arithmetic:
        raise TypeError(f"an additively shared tensor was expected, got {type(tensor).__name__}")


def from_share(share: torch.Tensor, scale: int) -> Any:
    """The secret tensor of which every party gives its share; `scale` is a power of two."""
    tensor = crypten.mpc.MPCTensor.from_shares(share, precision=scale.bit_length() - 1)
    tensor.encoder._scale = scale
    return tensor


def concatenate(parts: Sequence[Any], dim: int) -> Any:
    """Secret tensors joined along `dim`; nothing is sent."""
    return crypten.cat(list(parts), dim=dim)


# Fractional bits of the coefficients in `combine`.
_COEFFICIENT_BITS = 30


def combine(wanted: Sequence[Sequence[tuple[float, Any]]]) -> list[Any]:
    """Sums of coefficient times secret tensor, in one round for all; see `mpc.tensors.combinations`."""
    for tensor in (tensor for terms in wanted for _, tensor in terms):
        _check_additive(tensor)
    scale = 1 << crypten.cfg.encoder.precision_bits
    return [from_share(share, scale) for share in weighted_sums(crypten, wanted, scale, _COEFFICIENT_BITS)]


def row_maximum(x: Any) -> Any:
    """The largest entry along the last dimension of a secret tensor, which is kept with size 1."""
    return contest(crypten, x).best()


def one_hot_maximum(x: Any) -> Any:
    """1 at the first largest entry along the last dimension of a secret tensor, without fractional bits."""
    return contest(crypten, x).place()


class _Door:
    """Stands where CrypTen looks up its communicator class."""

    communicator: ChannelCommunicator | None = None
    join: Callable[[], Callable[[], None]] | None = None
    _leave: Callable[[], None] | None = None

    @classmethod
    def is_initialized(cls) -> bool:
        return cls.communicator is not None

    @classmethod
    def get(cls) -> ChannelCommunicator | None:
        return cls.communicator

    @classmethod
    def initialize(cls, *_: Any, **__: Any) -> None:
        if cls.join is None:
            _refuse_clear_start()
        cls._leave = cls.join()

    @classmethod
    def shutdown(cls) -> None:
        leave = cls._leave or (cls.communicator.close if cls.communicator else None)
        cls.communicator = cls._leave = None
        if leave:
            leave()


def _refuse_clear_start(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError(
        "CrypTen's own launchers connect parties in the clear with an insecure dealer; "
        "start them with mpc.run_local or mpc.Party.join, or call mpc.install first"
    )


def _run_multiprocess(original: Callable[..., Any]) -> Callable[..., Any]:
    def run_multiprocess(world_size: int, maxsize: int | None = None) -> Any:
        """CrypTen's decorator: the function runs in `world_size` processes; their results in rank order."""
        if _Door.join is None:
            _refuse_clear_start()
        return original(world_size, maxsize)

    return run_multiprocess


def set_streams(keys: SharedKeys, index: int = 0) -> None:
    """Draw from streams of these keys from now on, each from number `index` of its key's."""
    # Coins need no secrecy among the parties; CrypTen hands them to torch, which wants its own generator.
    seed = hashlib.blake2b(keys.coins + index.to_bytes(8, "big"), digest_size=8).digest()
    own = {
        "prev": _stream(keys.previous, index),
        "next": _stream(keys.next, index),
        "local": _stream(keys.local, index),
        "global": torch.Generator().manual_seed(int.from_bytes(seed, "little", signed=True)),
    }
    for name, generator in own.items():
        crypten.generators[name] = {CPU: generator}


def _stream(key: bytes, index: int) -> Stream | Zeros:
    return Stream(key, index) if key else Zeros()


def _random_ring_element(
    size: Sequence[int],
    ring_size: int = 1 << 64,
    generator: Stream | torch.Generator | None = None,
    device: Any = None,
) -> torch.Tensor:
    """Uniform over a ring of a power of two, in CrypTen's signed range [-ring_size / 2, ring_size / 2)."""
    if ring_size & (ring_size - 1) or not 2 <= ring_size <= 1 << 64:
        raise ValueError(f"ring size must be a power of two up to 2^64, got {ring_size}")
    bitlength = ring_size.bit_length() - 1
    words = _random_bits(size, bitlength, generator, device)
    return words if bitlength == 64 else words - ring_size // 2


def _random_bits(
    size: Sequence[int],
    bitlength: int | None = None,
    generator: Stream | torch.Generator | None = None,
    device: Any = None,
) -> torch.Tensor:
    require_cpu(device)
    stream = crypten.generators["local"][CPU] if generator is None else generator
    if isinstance(stream, torch.Generator):
        stream = Stream(bytes(torch.randint(256, (KEY_BYTES,), generator=stream).tolist()))
    words: torch.Tensor = stream.bits(size, 64 if bitlength is None else bitlength)
    return words


_DRAWS = {"generate_random_ring_element": _random_ring_element, "generate_kbit_random_tensor": _random_bits}
