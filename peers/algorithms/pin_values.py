"""Values that PINs are verified with: the Visa PVV, and IBM 3624 natural PINs and offsets."""

from psec import pin as psec_pin

from .ciphers import tdes_encrypt


def pvv(pvk: bytes, pvki: str, pin: str, account: str) -> str:
    """The Visa PVV; ``account`` is the twelve digits without the check digit."""
    return psec_pin.generate_visa_pvv(pvk, pvki, pin[:4], account + "0")


def natural_digits(pvk: bytes, table: str, validation_data: str) -> str:
    """The sixteen decimalised digits of IBM 3624. psec does this for decimal validation data only."""
    encrypted = tdes_encrypt(pvk, bytes.fromhex(validation_data)).hex()
    return "".join(table[int(digit, 16)] for digit in encrypted)


def offset(natural: str, pin: str) -> str:
    """What a natural PIN lacks to a chosen PIN, digit by digit modulo 10."""
    return "".join(str((int(chosen) - int(own)) % 10) for chosen, own in zip(pin, natural))
