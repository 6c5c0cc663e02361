"""Why a file cannot be opened; each is a ValueError."""


class EnvelopeError(ValueError):
    """Base of the three reasons below."""


class HeaderError(EnvelopeError):
    """The header breaks the format, or was changed."""


class NoMatchError(EnvelopeError):
    """None of the given keys opens this file."""


class PayloadError(EnvelopeError):
    """The body was cut, extended, reordered or changed. What was released before is authentic."""
