"""Local master keys: how keys lie in commands, under a variant LMK or under a key-block LMK.

The values are the test LMKs that Thales prints in its manuals.
"""

from typing import Protocol

from psec.mac import generate_cbc_mac

from algorithms.ciphers import tdes_decrypt, tdes_encrypt, xor

from . import errors, thales_block
from .errors import HsmError
from .fields import Fields
from .keys import Key, Role, tdes_algorithm

#: Parts and tags of keys that are not blocks: tag, number of 8-byte parts.
PARTS = {"Z": 1, "U": 2, "X": 2, "T": 3, "Y": 3}
_PART_VARIANTS = {"U": (0xA6, 0x5A), "T": (0x6A, 0xDE, 0x2B)}
_TYPE_VARIANTS = (0x00, 0xA6, 0x5A, 0x6A, 0xDE, 0x2B, 0x50, 0x74, 0x9C, 0xFA)
#: LMK pairs by the last two digits of a key type: 04-05, 06-07, 14-15, 16-17, 26-27, 28-29.
_PAIRS = {
    "00": "40404040404040405151515151515151",
    "01": "61616161616161617070707070707070",
    "02": "E0E0010101010101F1F1010101010101",
    "03": "1C587F1C13924FEF0101010101010101",
    "08": "16161616161616161919191919191919",
    "09": "1A1A1A1A1A1A1A1A1C1C1C1C1C1C1C1C",
}
_PIN_PAIR = bytes.fromhex("20202020202020203131313131313131")
_BLOCK_LMK = bytes.fromhex("0123456789ABCDEF8080808080808080FEDCBA9876543210")


def read_tagged(fields: Fields) -> tuple[str, bytes]:
    """An encrypted key that is not a block: its scheme and cryptogram."""
    scheme = fields.peek()
    if scheme in PARTS and scheme != "Z":
        fields.take(1)
    else:
        scheme = "Z"
    return scheme, fields.binary(16 * PARTS[scheme])


def read_block(fields: Fields) -> str:
    """A key block behind its tag."""
    start = fields.take(5)
    length = int(start[1:]) if start[1:].isdecimal() else 0
    if not 16 < length <= 9999:
        raise HsmError(errors.KEY_BLOCK)
    return start + fields.take(length - 5)


def skip_key(fields: Fields) -> None:
    """Passes over an encrypted key of any form."""
    if fields.accept("S"):
        read_block(fields)
    else:
        read_tagged(fields)


def _part_keys(key: bytes, scheme: str) -> list[bytes]:
    masks = _PART_VARIANTS.get(scheme, (0,) * PARTS[scheme])
    return [key[:8] + bytes((key[8] ^ mask,)) + key[9:] for mask in masks]


def encrypt_parts(key: bytes, scheme: str, value: bytes) -> str:
    """A key with its tag, each part under its variant of another key of double length."""
    if len(value) != 8 * PARTS[scheme] or len(key) != 16:
        raise HsmError(errors.KEY_LENGTH)
    parts = (value[at : at + 8] for at in range(0, len(value), 8))
    encrypted = b"".join(tdes_encrypt(under, part) for under, part in zip(_part_keys(key, scheme), parts))
    return ("" if scheme == "Z" else scheme) + encrypted.hex().upper()


def decrypt_parts(key: bytes, scheme: str, encrypted: bytes) -> bytes:
    """The inverse of :func:`encrypt_parts`, without the tag."""
    if len(key) != 16:
        raise HsmError(errors.KEY_LENGTH)
    parts = (encrypted[at : at + 8] for at in range(0, len(encrypted), 8))
    return b"".join(tdes_decrypt(under, part) for under, part in zip(_part_keys(key, scheme), parts))


class Lmk(Protocol):
    """What commands need of an LMK."""

    name: str
    default_id: str
    schemes: str

    def read(self, fields: Fields, role: Role, operation: str, parity_error: str) -> Key:
        """A key of a command, checked for what the command does with it."""

    def read_any(self, fields: Fields, key_type: str, parity_error: str) -> Key:
        """A key whose type the command names, for key management."""

    def write(self, key: Key, key_type: str, scheme: str) -> str:
        """A key under this LMK, with its tag."""

    def require_key_type(self, key_type: str) -> None:
        """Refuses key types that the LMK does not know."""

    def check_value(self) -> str:
        """Sixteen digits that tell one LMK from another."""

    def pin_key(self) -> bytes:
        """The key behind PINs under the LMK."""

    def table_key(self) -> bytes:
        """The key behind decimalisation tables under the LMK."""


class VariantLmk:
    """The test set of double-length pairs."""

    name = "variant"
    default_id = "00"
    schemes = "ZUTXY"

    def _pair(self, key_type: str) -> bytes:
        self.require_key_type(key_type)
        pair = bytes.fromhex(_PAIRS[key_type[1:]])
        return bytes((pair[0] ^ _TYPE_VARIANTS[int(key_type[0])],)) + pair[1:]

    def read(self, fields: Fields, role: Role, operation: str, parity_error: str) -> Key:
        del operation  # a variant tells the type of a key and nothing of its modes
        return self.read_any(fields, role.key_type, parity_error)

    def read_any(self, fields: Fields, key_type: str, parity_error: str) -> Key:
        if fields.peek() in ("S", "R"):
            raise HsmError(errors.LMK_SCHEME)
        scheme, encrypted = read_tagged(fields)
        key = Key(decrypt_parts(self._pair(key_type), scheme, encrypted), tdes_algorithm(len(encrypted)))
        key.require_sound(parity_error)
        return key

    def write(self, key: Key, key_type: str, scheme: str) -> str:
        if scheme not in self.schemes:
            raise HsmError(errors.KEY_SCHEME)
        return encrypt_parts(self._pair(key_type), scheme, key.value)

    def require_key_type(self, key_type: str) -> None:
        if not key_type[:1].isdecimal() or key_type[1:] not in _PAIRS:
            raise HsmError(errors.KEY_TYPE)

    def check_value(self) -> str:
        return tdes_encrypt(self._pair("000"), bytes(8)).hex().upper()

    def pin_key(self) -> bytes:
        return _PIN_PAIR

    def table_key(self) -> bytes:
        return self._pair("000")


class BlockLmk:
    """The test LMK for key blocks, triple-length DES, identifier 01."""

    name = "keyblock"
    default_id = "01"
    schemes = "S"

    def read(self, fields: Fields, role: Role, operation: str, parity_error: str) -> Key:
        key = self._read(fields)
        role.require(key, operation)
        key.require_sound(parity_error)
        return key

    def read_any(self, fields: Fields, key_type: str, parity_error: str) -> Key:
        self.require_key_type(key_type)
        key = self._read(fields)
        key.require_sound(parity_error)
        return key

    @staticmethod
    def _read(fields: Fields) -> Key:
        if fields.peek() != "S":
            raise HsmError(errors.LMK_SCHEME if fields.peek() else errors.INPUT_DATA)
        fields.take(1)
        return thales_block.unwrap(_BLOCK_LMK, read_block(fields))

    def write(self, key: Key, key_type: str, scheme: str) -> str:
        self.require_key_type(key_type)
        if scheme not in self.schemes:
            raise HsmError(errors.KEY_SCHEME)
        return "S" + thales_block.wrap(_BLOCK_LMK, key, self.default_id)

    def require_key_type(self, key_type: str) -> None:
        if key_type != "FFF":
            raise HsmError(errors.KEY_TYPE)

    def check_value(self) -> str:
        return tdes_encrypt(_BLOCK_LMK, bytes(8)).hex().upper()

    def pin_key(self) -> bytes:
        return xor(_BLOCK_LMK, b"\x50" * 24)

    def table_key(self) -> bytes:
        return xor(_BLOCK_LMK, b"\x54" * 24)


LMKS: dict[str, type[Lmk]] = {"keyblock": BlockLmk, "variant": VariantLmk}


class PinsUnderLmk:
    """PINs under the LMK: this counterpart's own form, see README.md."""

    def __init__(self, key: bytes, length: int) -> None:
        self._key = key
        self.length = length

    def seal(self, pin: str, account: str) -> str:
        """The PIN for a field of a reply."""
        shifted = "".join(str((int(a) + b) % 10) for a, b in zip(pin, self._shifts(account)))
        return (self._check_digit(pin, account) + shifted).ljust(self.length, "F")

    def open(self, field: str, account: str) -> str:
        """The PIN in a field of a command."""
        check, digits = field[:1], field[1:].rstrip("Ff")
        if not 4 <= len(digits) <= 12 or not (check + digits).isdecimal():
            raise HsmError(errors.PIN_UNDER_LMK)
        if check == "0":
            return digits
        pin = "".join(str((int(a) - b) % 10) for a, b in zip(digits, self._shifts(account)))
        if self._check_digit(pin, account) != check:
            raise HsmError(errors.PIN_UNDER_LMK)
        return pin

    def _shifts(self, account: str) -> list[int]:
        return [int(digit, 16) % 10 for digit in tdes_encrypt(self._key, bytes.fromhex(account + "0000")).hex()]

    def _check_digit(self, pin: str, account: str) -> str:
        return str(1 + generate_cbc_mac(self._key, (account + pin).encode(), 2)[0] % 9)
