"""Bech32 (BIP 173) without its limit of 90 characters: how age writes keys as text."""

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
CHECKSUM_LENGTH = 6


def encode(prefix: str, data: bytes) -> str:
    """Write `data` behind a lower-case prefix, with a checksum."""
    values = _regroup(data, 8, 5, pad=True)
    polymod = _polymod(_expand(prefix) + values + [0] * CHECKSUM_LENGTH) ^ 1
    checksum = [(polymod >> 5 * (5 - place)) & 31 for place in range(CHECKSUM_LENGTH)]
    return prefix + "1" + "".join(ALPHABET[value] for value in values + checksum)


def decode(prefix: str, text: str) -> bytes:
    """Read what `encode` wrote, in lower or in upper case. Raises ValueError without showing the text."""
    if text not in (text.lower(), text.upper()):
        raise ValueError("bech32: expected all lower or all upper case, got both")
    lowered = text.lower()
    start = len(prefix) + 1
    if not lowered.startswith(prefix + "1"):
        raise ValueError(f"bech32: expected text starting with {prefix}1, got something else")
    if len(lowered) < start + CHECKSUM_LENGTH or not set(lowered[start:]) <= set(ALPHABET):
        raise ValueError(
            f"bech32: expected at least {CHECKSUM_LENGTH} characters of {ALPHABET} behind {prefix}1"
        )
    values = [ALPHABET.index(character) for character in lowered[start:]]
    if _polymod(_expand(prefix) + values) != 1:
        raise ValueError(f"bech32: the checksum of the text starting with {prefix}1 is wrong")
    return bytes(_regroup(bytes(values[:-CHECKSUM_LENGTH]), 5, 8, pad=False))


def _expand(prefix: str) -> list[int]:
    return [ord(each) >> 5 for each in prefix] + [0] + [ord(each) & 31 for each in prefix]


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(GENERATOR):
            if top >> place & 1:
                check ^= generator
    return check


def _regroup(data: bytes, from_bits: int, to_bits: int, *, pad: bool) -> list[int]:
    held, bits, groups = 0, 0, []
    for value in data:
        held, bits = held << from_bits | value, bits + from_bits
        while bits >= to_bits:
            bits -= to_bits
            groups.append(held >> bits & (1 << to_bits) - 1)
        held &= (1 << bits) - 1
    if pad and bits:
        groups.append(held << to_bits - bits & (1 << to_bits) - 1)
    elif not pad and (bits >= from_bits or held):
        raise ValueError("bech32: expected zero bits at the end, got a non-canonical ending")
    return groups
