"""TR-31 key blocks of versions A to D, by psec."""

from collections.abc import Callable
from unittest.mock import patch

from psec import tr31

VERSIONS = "ABCD"


def unwrap(kbpk: bytes, block: str) -> tuple[tr31.Header, bytes]:
    """Header and key of a block; ValueError if it was altered or is malformed."""
    try:
        return tr31.unwrap(kbpk, block)
    except (tr31.KeyBlockError, tr31.HeaderError) as error:
        raise ValueError(str(error)) from None


def wrap(kbpk: bytes, header: tr31.Header, key: bytes, masked_length: int, random: Callable[[int], bytes]) -> str:
    """A block; psec's own source of random padding is replaced so that a seed makes the same block again."""
    with patch("psec.tr31._urandom", random):
        return tr31.wrap(kbpk, header, key, masked_length)
