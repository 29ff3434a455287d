"""DES, TDES and SM4 in the few shapes that the other modules need."""

from Crypto.Cipher import DES
from gmssl.sm4 import SM4_DECRYPT, SM4_ENCRYPT, CryptSM4


def xor(left: bytes, right: bytes) -> bytes:
    """Two byte strings of one length, XORed."""
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def triple(key: bytes) -> bytes:
    """A DES key of 8, 16 or 24 bytes as the 24 bytes of TDES."""
    return {8: key * 3, 16: key + key[:8], 24: key}[len(key)]


def des_encrypt(key: bytes, data: bytes) -> bytes:
    """Single DES, ECB."""
    return DES.new(key, DES.MODE_ECB).encrypt(data)


def tdes_encrypt(key: bytes, data: bytes) -> bytes:
    """TDES, ECB, composed of single DES: libraries refuse keys with equal parts, which old estates have."""
    one, two, three = (DES.new(triple(key)[at : at + 8], DES.MODE_ECB) for at in (0, 8, 16))
    return three.encrypt(two.decrypt(one.encrypt(data)))


def tdes_decrypt(key: bytes, data: bytes) -> bytes:
    """The inverse of :func:`tdes_encrypt`."""
    one, two, three = (DES.new(triple(key)[at : at + 8], DES.MODE_ECB) for at in (0, 8, 16))
    return one.decrypt(two.encrypt(three.decrypt(data)))


def sm4_encrypt(key: bytes, data: bytes) -> bytes:
    """SM4, ECB. The cipher is called block by block: gmssl's own ECB adds PKCS #7 padding."""
    return _sm4(key, SM4_ENCRYPT, data)


def sm4_decrypt(key: bytes, data: bytes) -> bytes:
    """The inverse of :func:`sm4_encrypt`."""
    return _sm4(key, SM4_DECRYPT, data)


def _sm4(key: bytes, direction: int, data: bytes) -> bytes:
    cipher = CryptSM4()
    cipher.set_key(key, direction)
    blocks = (data[at : at + 16] for at in range(0, len(data), 16))
    return b"".join(bytes(cipher.one_round(cipher.sk, list(block))) for block in blocks)
