"""Message authentication codes: ISO 9797-1, ANSI X9.9 and X9.19, CMAC, and those of China."""

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.cmac import CMAC
from psec import mac

from .ciphers import sm4_encrypt, tdes_encrypt, triple, xor


def algorithm_1(key: bytes, data: bytes, padding: int) -> bytes:
    """ISO 9797-1 MAC algorithm 1 with DES or TDES (ANSI X9.9 with a single-length key and padding 1)."""
    return mac.generate_cbc_mac(triple(key), data, padding)


def algorithm_1_aes(key: bytes, data: bytes, padding: int) -> bytes:
    """ISO 9797-1 MAC algorithm 1 with AES."""
    return mac.generate_cbc_mac(key, data, padding, algorithm=mac.Algorithm.AES)


def algorithm_3(key: bytes, data: bytes, padding: int) -> bytes:
    """ISO 9797-1 MAC algorithm 3 with a double-length key (ANSI X9.19 with padding 1)."""
    return algorithm_3_of(key[:8], key[8:], data, padding)


def algorithm_3_of(key1: bytes, key2: bytes, data: bytes, padding: int) -> bytes:
    """psec's algorithm 3, which also takes two TDES keys."""
    return mac.generate_retail_mac(triple(key1), triple(key2), data, padding)


def cmac_aes(key: bytes, data: bytes) -> bytes:
    """AES-CMAC, 16 bytes."""
    return _cmac(AES(key), data)


def cmac_tdes(key: bytes, data: bytes) -> bytes:
    """TDES-CMAC, 8 bytes."""
    return _cmac(TripleDES(triple(key)), data)


def cmac_sm4(key: bytes, data: bytes) -> bytes:
    """SM4-CMAC, 16 bytes."""
    return _cmac(SM4(key), data)


def _cmac(algorithm: AES | TripleDES | SM4, data: bytes) -> bytes:
    computation = CMAC(algorithm)
    computation.update(data)
    return computation.finalize()


def cbc_mac_sm4(key: bytes, data: bytes, padding: int) -> bytes:
    """ISO 9797-1 MAC algorithm 1 with SM4, initial value 0."""
    pad = {1: mac.pad_iso_1, 2: mac.pad_iso_2, 3: mac.pad_iso_3}[padding]
    padded = pad(data, 16)
    value = bytes(16)
    for at in range(0, len(padded), 16):
        value = sm4_encrypt(key, xor(value, padded[at : at + 16]))
    return value


def union_pay_ecb(key: bytes, data: bytes) -> bytes:
    """The eight characters of field 64 of a UnionPay terminal message, under DES or TDES."""
    padded = data + bytes(-len(data) % 8)
    folded = bytes(8)
    for at in range(0, len(padded), 8):
        folded = xor(folded, padded[at : at + 8])
    characters = folded.hex().upper().encode()
    first = tdes_encrypt(key, characters[:8])
    return tdes_encrypt(key, xor(first, characters[8:])).hex().upper()[:8].encode()
