"""Clear and encrypted PIN blocks: ISO 9564-1 formats 0 to 4 and the two SM4 layouts of Chinese banks."""

from Crypto.Cipher import AES
from psec import pinblock

from .ciphers import sm4_encrypt, xor


def account12(pan: str) -> str:
    """The twelve rightmost digits without the check digit, filled with zeros from the left."""
    return pan[:-1].rjust(12, "0")[-12:]


def _filled(pan: str) -> str:
    """psec refuses account numbers of fewer than 13 digits."""
    return pan.rjust(13, "0")


def encode_0(pin: str, pan: str) -> bytes:
    """Format 0."""
    return pinblock.encode_pinblock_iso_0(pin, _filled(pan))


def decode_0(block: bytes, pan: str) -> str:
    """Format 0; ValueError if the block is not one."""
    return pinblock.decode_pinblock_iso_0(block, _filled(pan))


def encode_1(pin: str, fill: str) -> bytes:
    """Format 1, with hexadecimal digits that complete the block."""
    return bytes.fromhex(f"1{len(pin):X}{pin}{fill}")


def decode_1(block: bytes) -> str:
    """Format 1; ValueError if the block is not one."""
    text = block.hex()
    length = int(text[1], 16)
    pin = text[2 : 2 + length]
    if len(text) != 16 or text[0] != "1" or not 4 <= length <= 12 or not pin.isdecimal():
        raise ValueError("not a PIN block of format 1")
    return pin


def encode_2(pin: str) -> bytes:
    """Format 2."""
    return pinblock.encode_pinblock_iso_2(pin)


def decode_2(block: bytes) -> str:
    """Format 2; ValueError if the block is not one."""
    return pinblock.decode_pinblock_iso_2(block)


def encode_3(pin: str, pan: str, fill: str) -> bytes:
    """Format 3 with a given fill of A to F: psec's own fill is random, so it gives the rest of the block."""
    account = bytes.fromhex("0000" + account12(pan))
    psec_block = xor(pinblock.encode_pinblock_iso_3(pin, _filled(pan)), account).hex()
    return xor(bytes.fromhex(psec_block[: 2 + len(pin)] + fill), account)


def decode_3(block: bytes, pan: str) -> str:
    """Format 3; ValueError if the block is not one."""
    return pinblock.decode_pinblock_iso_3(block, _filled(pan))


def pin_field_4(pin: str, random8: bytes) -> bytes:
    """The plain text PIN field of format 4 with given random bytes."""
    return pinblock.encode_pin_field_iso_4(pin)[:8] + random8


def pan_field_4(pan: str) -> bytes:
    """The plain text account field of format 4."""
    return pinblock.encode_pan_field_iso_4(pan)


def encrypt_4(key: bytes, pin: str, pan: str, random8: bytes) -> bytes:
    """Format 4 under an AES key."""
    cipher = AES.new(key, AES.MODE_ECB)
    return cipher.encrypt(xor(cipher.encrypt(pin_field_4(pin, random8)), pan_field_4(pan)))


def decrypted_pin_field_4(key: bytes, block: bytes, pan: str) -> bytes:
    """The PIN field inside an encrypted block of format 4, whatever it holds."""
    cipher = AES.new(key, AES.MODE_ECB)
    return cipher.decrypt(xor(cipher.decrypt(block), pan_field_4(pan)))


def decrypt_4(key: bytes, block: bytes, pan: str) -> str:
    """Format 4 under an AES key; ValueError if the block is not one."""
    return pinblock.decipher_pinblock_iso_4(key, block, pan)


def sm4_pin_field(pin: str) -> bytes:
    """SM4 layout 1, PIN field: length, digits, F to 16 bytes."""
    return bytes.fromhex(f"{len(pin):02X}{pin}".ljust(32, "F"))


def sm4_pan_field(account: str) -> bytes:
    """SM4 layout 1, account field: the twelve digits, right-justified in 16 bytes."""
    return bytes.fromhex(account.rjust(32, "0"))


def sm4_layout_1(pin: str, account: str) -> bytes:
    """SM4 layout 1, clear."""
    return xor(sm4_pin_field(pin), sm4_pan_field(account))


def sm4_layout_2(key: bytes, block: bytes) -> bytes:
    """SM4 layout 2: an 8-byte block of format 0, filled with zeros to 16 bytes, encrypted."""
    return sm4_encrypt(key, block.ljust(16, b"\0"))
