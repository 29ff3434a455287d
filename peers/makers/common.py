"""Random inputs, and the shape of a vector."""

from collections.abc import Callable
from random import Random
from typing import Any

from algorithms.ciphers import triple
from payshield.keys import Key

Vector = dict[str, Any]
Maker = Callable[[Random], Vector]

SOURCE = "generated with random inputs"


def vector(
    group: str,
    algorithm: str,
    confirmed_by: str,
    inputs: dict[str, Any],
    outputs: dict[str, Any],
    negative: bool = False,
) -> Vector:
    """A vector without its number. Bytes become upper-case hexadecimal."""
    made: Vector = {
        "group": group,
        "algorithm": algorithm,
        "inputs": {name: _text(value) for name, value in inputs.items()},
        "outputs": {name: _text(value) for name, value in outputs.items()},
        "source": SOURCE,
        "published": False,
        "confirmed_by": [confirmed_by],
    }
    if negative:
        made["negative"] = True
    return made


def refused(group: str, algorithm: str, confirmed_by: str, inputs: dict[str, Any], reason: str) -> Vector:
    """A vector that must be refused."""
    return vector(group, algorithm, confirmed_by, inputs, {"result": "reject", "reason": reason}, negative=True)


def _text(value: object) -> object:
    return value.hex().upper() if isinstance(value, bytes) else value


def digits(random: Random, length: int) -> str:
    """Random decimal digits."""
    return "".join(random.choices("0123456789", k=length))


def hex_digits(random: Random, length: int, among: str = "0123456789ABCDEF") -> str:
    """Random hexadecimal digits."""
    return "".join(random.choices(among, k=length))


def pin(random: Random) -> str:
    """A PIN of 4 to 12 digits; half of them of 4 or 6."""
    return digits(random, random.choice((4, 6, random.randint(4, 12), random.randint(4, 12))))


def pan(random: Random) -> str:
    """An account number of 12 to 19 digits. The check digit is random: none of the algorithms looks at it."""
    return digits(random, random.choice((16, 19, random.randint(12, 19))))


def des_key(random: Random, parts: int) -> bytes:
    """A DES key of one, two or three different parts with odd parity and no weak part."""
    while True:
        key = Key(random.randbytes(8 * parts)).with_odd_parity()
        different = {triple(key.value)[at : at + 8] for at in range(0, 8 * parts, 8)}
        if not key.is_weak() and len(different) == parts:
            return key.value


def message(random: Random) -> bytes:
    """Data of up to 100 bytes, often of whole blocks, and now and then none."""
    length = 0 if random.random() < 0.05 else random.choice((random.randint(1, 100), 8 * random.randint(1, 8), 16))
    return random.randbytes(length)


def padded_message(random: Random) -> tuple[bytes, int]:
    """Data and a padding method of ISO 9797-1.

    Not method 3 with no data: psec has a block of zeros behind the length block, others have the length block alone,
    and the text of the standard is not free to be quoted as an arbiter.
    """
    data = message(random)
    return data, random.choice((1, 2, 3) if data else (1, 2))
