"""Keys, and what a command may ask of them."""

from dataclasses import dataclass, replace

from Crypto.Cipher import AES
from psec.des import adjust_key_parity

from algorithms import check_values
from algorithms.ciphers import tdes_decrypt, tdes_encrypt

from . import errors
from .errors import HsmError

#: The 4 weak and 12 semi-weak keys of DES (NIST SP 800-67), as pairs of byte patterns that alternate.
_WEAK_HALVES = ("01010101", "FEFEFEFE", "1F1F0E0E", "E0E0F1F1")


def _weak_des_keys() -> frozenset[bytes]:
    patterns = [bytes.fromhex(half) for half in _WEAK_HALVES]
    keys = set()
    for first in patterns:
        for second in patterns:
            keys.add(bytes((first[0], second[0])) * 2 + bytes((first[2], second[2])) * 2)
    return frozenset(keys)


WEAK_DES_KEYS = _weak_des_keys()

#: Bytes of the keys of each algorithm.
KEY_LENGTHS = {"D": (8,), "T": (16, 24), "A": (16, 24, 32)}
#: Modes of use that allow an operation.
MODES = {"decrypt": "BDN", "encrypt": "BEN", "verify": "CNV", "generate": "CGN", "derive": "NX"}
ALL_MODES = "BCDEGNSTVXY"
EXPORTABILITIES = "ENS"
#: Usages that a key block may have here: those of TR-31 and the numeric ones of Thales.
USAGES = frozenset(
    "B0 B1 B2 C0 D0 D1 D2 E0 E1 E2 E3 E4 E5 E6 I0 K0 K1 K2 K3 M0 M1 M3 M5 M6 M7 M8 P0 V0 V1 V2 V3 V4 "
    "41 42 43 51 52 53 71 72 73".split()
)


@dataclass(frozen=True)
class Key:
    """A key in clear. With a variant LMK only ``value`` and ``algorithm`` are known."""

    value: bytes
    algorithm: str = "T"
    usage: str = ""
    mode: str = "N"
    version: str = "00"
    exportability: str = "E"

    def __repr__(self) -> str:
        return f"Key({self.algorithm}, {8 * len(self.value)} bits, usage {self.usage})"

    @property
    def is_aes(self) -> bool:
        """Whether this is an AES key, else it is a DES or TDES key."""
        return self.algorithm == "A"

    @property
    def block_length(self) -> int:
        """Bytes of a block of the key's cipher."""
        return 16 if self.is_aes else 8

    def encrypt(self, data: bytes) -> bytes:
        """ECB."""
        if self.is_aes:
            return AES.new(self.value, AES.MODE_ECB).encrypt(data)
        return tdes_encrypt(self.value, data)

    def decrypt(self, data: bytes) -> bytes:
        """ECB."""
        if self.is_aes:
            return AES.new(self.value, AES.MODE_ECB).decrypt(data)
        return tdes_decrypt(self.value, data)

    def check_value(self, digits: int) -> str:
        """The check value: a zero block encrypted, or the CMAC of one with AES."""
        value = check_values.aes_cmac(self.value) if self.is_aes else check_values.tdes_zeros(self.value)
        return value.hex().upper()[:digits]

    def require_length(self) -> None:
        """Refuses a length that the algorithm does not have, and algorithms other than DES, TDES and AES."""
        if self.algorithm not in KEY_LENGTHS:
            raise HsmError(errors.BLOCK_ALGORITHM)
        if len(self.value) not in KEY_LENGTHS[self.algorithm]:
            raise HsmError(errors.BLOCK_KEY_LENGTH)

    def has_odd_parity(self) -> bool:
        """Whether all bytes of a DES or TDES key have odd parity; AES keys have none."""
        return self.is_aes or all(byte.bit_count() % 2 for byte in self.value)

    def is_weak(self) -> bool:
        """Whether a part of a DES or TDES key is a weak or semi-weak DES key, whatever its parity."""
        parts = adjust_key_parity(self.value)
        return not self.is_aes and any(parts[at : at + 8] in WEAK_DES_KEYS for at in range(0, len(parts), 8))

    def with_odd_parity(self) -> "Key":
        """The same key with its parity set right."""
        return self if self.is_aes else replace(self, value=adjust_key_parity(self.value))

    def require_sound(self, error: str) -> None:
        """Refuses wrong parity and weak keys."""
        if not self.has_odd_parity() or self.is_weak():
            raise HsmError(error)


def tdes_algorithm(length: int) -> str:
    """The algorithm letter for a DES key of so many bytes."""
    return "D" if length == 8 else "T"


@dataclass(frozen=True)
class Role:
    """What a command uses a key for: the type under a variant LMK, the usages of a key block."""

    key_type: str
    usages: frozenset[str]
    aes: bool = False

    def require(self, key: Key, operation: str) -> None:
        """Refuses a key block of another usage, algorithm or mode of use."""
        if key.usage not in self.usages:
            raise HsmError(errors.BLOCK_USAGE)
        if key.is_aes and not self.aes:
            raise HsmError(errors.BLOCK_ALGORITHM)
        if key.mode not in MODES[operation]:
            raise HsmError(errors.BLOCK_MODE)


ZMK = Role("000", frozenset(("K0", "K1", "52")), aes=True)
TMK = Role("002", frozenset(("K0", "K1", "51")), aes=True)
TPK = Role("002", frozenset(("P0", "71")), aes=True)
ZPK = Role("001", frozenset(("P0", "72")), aes=True)
PVK_IBM = Role("002", frozenset(("V0", "V1")))
PVK_PVV = Role("002", frozenset(("V0", "V2")))
BDK = Role("009", frozenset(("B0", "41", "42")), aes=True)
BDK_2 = Role("609", frozenset(("B0", "41", "42")), aes=True)
