"""AES DUKPT, ANSI X9.24-3:2017, on the side of the host."""

from Crypto.Cipher import AES

MOST_ONE_BITS = 16

#: Key usages (6.3.2).
USAGES = {
    "key_enc": 0x0002,
    "pin": 0x1000,
    "mac_gen": 0x2000,
    "mac_ver": 0x2001,
    "mac_both": 0x2002,
    "data_enc": 0x3000,
    "data_dec": 0x3001,
    "data_both": 0x3002,
}
_KEY_DERIVATION, _INITIAL_KEY = 0x8000, 0x8001

#: Key types: algorithm indicator and length in bits.
KEY_TYPES = {
    "tdes2": (0, 128),
    "tdes3": (1, 192),
    "aes128": (2, 128),
    "aes192": (3, 192),
    "aes256": (4, 256),
    "hmac128": (5, 128),
    "hmac192": (5, 192),
    "hmac256": (5, 256),
}


def is_valid_counter(value: int) -> bool:
    """A terminal skips counters of more than sixteen one-bits and begins at 1."""
    return 0 < value <= 0xFFFFFFFF and value.bit_count() <= MOST_ONE_BITS


def _aes_type(key: bytes) -> str:
    return f"aes{8 * len(key)}"


def _derive(key: bytes, usage: int, key_type: str, rest: bytes) -> bytes:
    """6.3.1: the derivation data of each block, encrypted under the deriving key."""
    algorithm, bits = KEY_TYPES[key_type]
    fields = usage.to_bytes(2, "big") + algorithm.to_bytes(2, "big") + bits.to_bytes(2, "big") + rest
    cipher = AES.new(key, AES.MODE_ECB)
    blocks = (cipher.encrypt(bytes((1, number)) + fields) for number in range(1, -(-bits // 128) + 1))
    return b"".join(blocks)[: bits // 8]


def initial_key(bdk: bytes, initial_key_id: bytes) -> bytes:
    """The initial key of a terminal, as long as the base derivation key."""
    return _derive(bdk, _INITIAL_KEY, _aes_type(bdk), initial_key_id)


def transaction_key(key: bytes, ksn: bytes) -> bytes:
    """The intermediate derivation key of a counter: one derivation for each of its one-bits."""
    counter, reached = int.from_bytes(ksn[8:], "big"), 0
    for bit in reversed(range(32)):
        if counter >> bit & 1:
            reached |= 1 << bit
            rest = ksn[4:8] + reached.to_bytes(4, "big")
            key = _derive(key, _KEY_DERIVATION, _aes_type(key), rest)
    return key


def working_key(transaction: bytes, ksn: bytes, usage: str, key_type: str) -> bytes:
    """A working key; by the standard never stronger than the key that derives it."""
    return _derive(transaction, USAGES[usage], key_type, ksn[4:])


def update_key(key: bytes, initial_key_id: bytes, key_type: str) -> bytes:
    """The key that protects a new initial key: counter FFFFFFFF, through all 32 intermediate keys."""
    ksn = initial_key_id + b"\xff" * 4
    return working_key(transaction_key(key, ksn), ksn, "key_enc", key_type)


def key_for(bdk: bytes, ksn: bytes, usage: str, key_type: str = "aes128") -> bytes:
    """The working key of a transaction, straight from the base derivation key."""
    return working_key(transaction_key(initial_key(bdk, ksn[:8]), ksn), ksn, usage, key_type)
