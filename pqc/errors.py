"""What can go wrong on a channel, by what the caller can do about it."""


class ChannelError(ConnectionError):
    """A channel cannot be used, or cannot be made; the message says why."""


class ChannelClosed(ChannelError):
    """The peer ended the channel in order: everything it sent has arrived."""


class ChannelCut(ChannelError):
    """The connection was lost or broken without an authenticated end: bytes may be missing."""


class PeerRefused(ChannelError):
    """One end will not talk to the other: wrong key exchange, unknown or unexpected identity."""


class Ending:
    """What ended the two directions of a channel; the first error of each is raised anew by every later use.

    A lost sending direction leaves what the peer has already sent to be received.
    """

    __slots__ = ("_receiving", "_sending")

    def __init__(self) -> None:
        self._sending: ChannelError | None = None
        self._receiving: ChannelError | None = None

    def sending(self, error: ChannelError) -> ChannelError:
        """Remember that nothing can be sent any more; return what to raise."""
        self._sending = self._sending or error
        return _anew(self._sending)

    def both(self, error: ChannelError) -> ChannelError:
        """Remember that nothing can be received any more, nor sent; return what to raise."""
        self._sending = self._sending or error
        self._receiving = self._receiving or error
        return _anew(self._receiving)

    def check_sending(self) -> None:
        """Raise what ended sending, if anything did."""
        if self._sending is not None:
            raise _anew(self._sending)

    def check_receiving(self) -> None:
        """Raise what ended receiving, if anything did."""
        if self._receiving is not None:
            raise _anew(self._receiving)

    @property
    def in_order(self) -> bool:
        """Whether an orderly end can still be sent: nothing has broken sending midway."""
        return self._sending is None or isinstance(self._sending, ChannelClosed)


def _anew(error: ChannelError) -> ChannelError:
    """A fresh copy: one raised twice would drag its old traceback along."""
    return type(error)(*error.args)
