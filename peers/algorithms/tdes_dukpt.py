"""TDES DUKPT, ANSI X9.24-1:2009 Annex A, on the side of the host."""

from .ciphers import des_encrypt, tdes_encrypt, xor

COUNTER_BITS = 21
MOST_ONE_BITS = 10
_COUNTER_MASK = (1 << COUNTER_BITS) - 1
_RIGHT_HALF_MASK = bytes.fromhex("C0C0C0C000000000") * 2
#: The byte of each half that a variant inverts.
_VARIANTS = {"pin": 7, "mac_request": 6, "mac_response": 4, "data_request": 5, "data_response": 3}


def counter(ksn: bytes) -> int:
    """The transaction counter: the rightmost 21 bits of the key serial number."""
    return int.from_bytes(ksn, "big") & _COUNTER_MASK


def is_valid_counter(value: int) -> bool:
    """A terminal skips counters of more than ten one-bits and begins at 1."""
    return 0 < value <= _COUNTER_MASK and value.bit_count() <= MOST_ONE_BITS


def initial_key(bdk: bytes, ksn: bytes) -> bytes:
    """The initial PIN encryption key of a terminal (A.6)."""
    cleared = (int.from_bytes(ksn, "big") & ~_COUNTER_MASK).to_bytes(10, "big")[:8]
    return tdes_encrypt(bdk, cleared) + tdes_encrypt(xor(bdk, _RIGHT_HALF_MASK), cleared)


def transaction_key(ipek: bytes, ksn: bytes) -> bytes:
    """The key of a transaction, before any variant (A.3)."""
    register = int.from_bytes(ksn[-8:], "big") & ~_COUNTER_MASK
    key = ipek
    for bit in reversed(range(COUNTER_BITS)):
        if counter(ksn) >> bit & 1:
            register |= 1 << bit
            key = _non_reversible(key, register.to_bytes(8, "big"))
    return key


def _non_reversible(key: bytes, register: bytes) -> bytes:
    halves = []
    for variant in (xor(key, _RIGHT_HALF_MASK), key):
        left, right = variant[:8], variant[8:]
        halves.append(xor(des_encrypt(left, xor(register, right)), right))
    return b"".join(halves)


def working_key(key: bytes, purpose: str) -> bytes:
    """A variant of the transaction key; data keys are then encrypted under themselves."""
    mask = bytearray(16)
    place = _VARIANTS[purpose]
    mask[place] = mask[place + 8] = 0xFF
    variant = xor(key, bytes(mask))
    return tdes_encrypt(variant, variant) if purpose.startswith("data") else variant


def key_for(bdk: bytes, ksn: bytes, purpose: str) -> bytes:
    """The working key of a transaction, straight from the base derivation key."""
    return working_key(transaction_key(initial_key(bdk, ksn), ksn), purpose)
