"""The Thales key block, version 0: TR-31 version A in all but its first character and the LMK identifier."""

import secrets

from psec import des, mac

from algorithms.ciphers import triple, xor

from . import errors
from .errors import HsmError
from .keys import Key

HEADER_LENGTH = 16
MAC_LENGTH = 4


def _protection_keys(key: bytes) -> tuple[bytes, bytes]:
    return triple(xor(key, b"\x45" * len(key))), triple(xor(key, b"\x4d" * len(key)))


def _mac(key: bytes, data: bytes) -> bytes:
    return mac.generate_cbc_mac(key, data, 1, MAC_LENGTH)


def wrap(protection_key: bytes, key: Key, lmk_id: str) -> str:
    """A key block without its tag S."""
    clear = (8 * len(key.value)).to_bytes(2, "big") + key.value
    clear += secrets.token_bytes(-len(clear) % 8)
    length = HEADER_LENGTH + 2 * len(clear) + 2 * MAC_LENGTH
    attributes = f"{key.usage}{key.algorithm}{key.mode}{key.version}{key.exportability}"
    header = f"0{length:04}{attributes}00{lmk_id}".encode()
    encryption, authentication = _protection_keys(protection_key)
    encrypted = des.encrypt_tdes_cbc(encryption, header[:8], clear)
    code = _mac(authentication, header + encrypted)
    return header.decode() + encrypted.hex().upper() + code.hex().upper()


def unwrap(protection_key: bytes, block: str) -> Key:
    """The key in a block without its tag S; any alteration is one error."""
    header = block[:HEADER_LENGTH]
    try:
        body = bytes.fromhex(block[HEADER_LENGTH:])
    except ValueError:
        raise HsmError(errors.KEY_BLOCK) from None
    encrypted, code = body[:-MAC_LENGTH], body[-MAC_LENGTH:]
    if header[:5] != f"0{len(block):04}" or len(encrypted) < 16 or len(encrypted) % 8:
        raise HsmError(errors.KEY_BLOCK)
    if header[12:14] != "00":
        raise HsmError(errors.BLOCK_OPTIONAL)
    encryption, authentication = _protection_keys(protection_key)
    if _mac(authentication, header.encode("latin-1") + encrypted) != code:
        raise HsmError(errors.KEY_BLOCK)
    clear = des.decrypt_tdes_cbc(encryption, header[:8].encode("latin-1"), encrypted)
    bits = int.from_bytes(clear[:2], "big")
    value = clear[2 : 2 + bits // 8]
    if 8 * len(value) != bits:
        raise HsmError(errors.BLOCK_KEY_LENGTH)
    key = Key(value, header[7], header[5:7], header[8], header[9:11], header[11])
    key.require_length()
    return key
