"""Which protocol compares: the tree, with few bytes, or keys, with one round; agreed by all parties."""

from __future__ import annotations

from dataclasses import dataclass

from mpc.cost import Cost, Network
from mpc.dealer.schedule import words_of
from mpc.dealer.tuples import Request
from mpc.protocols.compare_dcf import tuples_for

TREE, DCF = "tree", "dcf"
# A message of the channel has its length in front.
_FRAME_BYTES = 8
# Bits of a test that each round opens.
_TREE_BITS, _DCF_BITS = (64, 27, 6, 1), (64,)
# Seconds of one call and of each test in it, dealing, computing and channels together: rounded from what was
# measured on an x86 machine with AES instructions (benchmarks/test_mpc.py, test_relu), and fixed, so that all
# parties find the same.
_TREE_S, _DCF_S = (1.0e-3, 5.0e-7), (4.0e-3, 2.5e-5)


@dataclass(frozen=True)
class Comparing:
    """`method` is "tree" (mpc.protocols.compare), "dcf" (mpc.protocols.compare_dcf), or a network.

    On a network each call takes the one that is sooner there, if what the dealer sends shares the line; it
    does not where keys come from a stock, then ask for "dcf". Which is taken depends on the number of tests,
    which is public, and on nothing measured: all parties find the same. "dcf" is for two parties, and by cost
    others take the tree; ValueError for anything else. `parties` are those that open values: two as well on
    replicated shares (mpc.sharing).
    """

    method: str | Network
    parties: int

    def __post_init__(self) -> None:
        if not isinstance(self.method, Network) and self.method not in (TREE, DCF):
            raise ValueError(f"comparison is 'tree', 'dcf' or a mpc.cost.Network, got {self.method!r}")
        if self.method == DCF and self.parties != 2:
            raise ValueError(f"comparison 'dcf' is for 2 parties, got {self.parties}")

    @classmethod
    def from_text(cls, text: str, parties: int) -> Comparing:
        """From "tree", "dcf", or a network's latency in seconds and bytes a second with a comma between."""
        latency, comma, bandwidth = text.partition(",")
        try:
            return cls(Network(float(latency), float(bandwidth)) if comma else text, parties)
        except ValueError as error:
            raise ValueError(f"comparison {text!r}: {error}") from None

    def fact(self) -> str:
        """What the parties compare before they compute."""
        if isinstance(self.method, Network):
            return f"{float(self.method.latency_s)!r},{float(self.method.bandwidth_bytes_s)!r}"
        return self.method

    def by_key(self, count: int) -> bool:
        """Whether `count` tests at once go by keys."""
        if not isinstance(self.method, Network):
            return self.method == DCF
        network = self.method
        return self.parties == 2 and dcf_cost(count).seconds_on(network) < tree_cost(count).seconds_on(
            network
        )


def tree_cost(count: int) -> Cost:
    """Of `count` tests to the first of two parties, dealing included."""
    dealt = 8 * words_of(Request("comparison", ((count,),)))
    return _cost(count, _TREE_BITS, dealt, _TREE_S)


def dcf_cost(count: int) -> Cost:
    """As `tree_cost`."""
    dealt = sum(8 * words_of(Request("dcf", ((part,),))) for part in tuples_for(count))
    return _cost(count, _DCF_BITS, dealt, _DCF_S)


def _cost(count: int, opened: tuple[int, ...], dealt: int, seconds_s: tuple[float, float]) -> Cost:
    sent = sum(-(-bits * count // 8) + _FRAME_BYTES for bits in opened)
    call_s, test_s = seconds_s
    return Cost(len(opened), sent, dealer_bytes_received=dealt, seconds_s=call_s + test_s * count)
