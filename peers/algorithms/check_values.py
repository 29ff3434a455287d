"""Key check values by the methods in use."""

from Crypto.Cipher import AES

from .ciphers import sm4_encrypt, tdes_encrypt
from .macs import cmac_aes


def tdes_zeros(key: bytes) -> bytes:
    """DES or TDES of a zero block."""
    return tdes_encrypt(key, bytes(8))


def aes_zeros(key: bytes) -> bytes:
    """AES of a zero block."""
    return AES.new(key, AES.MODE_ECB).encrypt(bytes(16))


def aes_cmac(key: bytes) -> bytes:
    """AES-CMAC of a zero block (ANSI X9.24-1:2017)."""
    return cmac_aes(key, bytes(16))


def sm4_zeros(key: bytes) -> bytes:
    """SM4 of a zero block."""
    return sm4_encrypt(key, bytes(16))
