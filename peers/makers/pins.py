"""PIN blocks, PVVs, IBM 3624 values, and the PIN blocks of Chinese banks."""

from collections.abc import Callable
from random import Random

from psec import pin as psec_pin

from algorithms import pin_blocks, pin_values
from algorithms.ciphers import sm4_encrypt, tdes_encrypt, xor

from .common import Vector, des_key, digits, hex_digits, pan, pin, refused, vector

_PSEC = "psec 1.3.0"
_BY_HAND = "formed by hand in Python"
_GMSSL = "gmssl 3.2.2"
_PSEC_AND_AES = "psec 1.3.0 fields, AES of pycryptodome; psec deciphers the same PIN"
#: How many one finds by chance in ten thousand is about one; a bound for the search of a rare case.
_LONGEST_SEARCH = 100_000


def formats_0_and_3(random: Random) -> Vector:
    """Clear and encrypted blocks of the formats that hold the account."""
    number, account, key = pin(random), pan(random), des_key(random, random.choice((2, 3)))
    fill = hex_digits(random, 14 - len(number), "ABCDEF")
    clear_0, clear_3 = pin_blocks.encode_0(number, account), pin_blocks.encode_3(number, account, fill)
    return vector(
        "pin_block",
        "ISO 9564-1 formats 0 and 3 under TDES",
        _PSEC,
        {"pin": number, "pan": account, "key_tdes": key, "fill3": fill},
        {
            "clear_0": clear_0,
            "encrypted_0": tdes_encrypt(key, clear_0),
            "clear_3": clear_3,
            "encrypted_3": tdes_encrypt(key, clear_3),
        },
    )


def format_1(random: Random) -> Vector:
    """A block without an account."""
    number = pin(random)
    fill = hex_digits(random, 14 - len(number))
    outputs = {"clear_pin_block": pin_blocks.encode_1(number, fill)}
    return vector("pin_block", "ISO 9564-1 format 1", _BY_HAND, {"pin": number, "fill": fill}, outputs)


def format_2(random: Random) -> Vector:
    """A block for a chip card."""
    number = pin(random)
    return vector(
        "pin_block", "ISO 9564-1 format 2", _PSEC, {"pin": number}, {"clear_pin_block": pin_blocks.encode_2(number)}
    )


def format_4(random: Random) -> Vector:
    """A block under an AES key."""
    number, account, key = pin(random), pan(random), random.randbytes(random.choice((16, 24, 32)))
    random8 = random.randbytes(8)
    block = pin_blocks.encrypt_4(key, number, account, random8)
    if pin_blocks.decrypt_4(key, block, account) != number:
        raise AssertionError("psec does not decipher what was made of its own fields")
    return vector(
        "pin_block",
        "ISO 9564-1 format 4 (AES)",
        _PSEC_AND_AES,
        {"pin": number, "pan": account, "key": key, "random8": random8},
        {
            "encrypted_pin_block": block,
            "pin_field": pin_blocks.pin_field_4(number, random8),
            "pan_field": pin_blocks.pan_field_4(account),
        },
    )


def format_4_decrypted(random: Random) -> Vector:
    """A block under an AES key, read."""
    number, account, key = pin(random), pan(random), random.randbytes(random.choice((16, 24, 32)))
    block = pin_blocks.encrypt_4(key, number, account, random.randbytes(8))
    return vector(
        "pin_block",
        "ISO 9564-1 format 4 (AES) decrypt",
        _PSEC,
        {"key": key, "encrypted_pin_block": block, "pan": account},
        {"pin": pin_blocks.decrypt_4(key, block, account)},
    )


def _clear_block(random: Random, form: int, account: str) -> bytes:
    number = pin(random)
    if form == 0:
        return pin_blocks.encode_0(number, account)
    if form == 1:
        return pin_blocks.encode_1(number, hex_digits(random, 14 - len(number)))
    if form == 2:
        return pin_blocks.encode_2(number)
    return pin_blocks.encode_3(number, account, hex_digits(random, 14 - len(number), "ABCDEF"))


def _decode(form: int, block: bytes, account: str) -> str:
    decode: tuple[Callable[[], str], ...] = (
        lambda: pin_blocks.decode_0(block, account),
        lambda: pin_blocks.decode_1(block),
        lambda: pin_blocks.decode_2(block),
        lambda: pin_blocks.decode_3(block, account),
    )
    return decode[form]()


def decoded_or_refused(random: Random) -> Vector:
    """A block of format 0 to 3 with up to two digits altered, or another account: whatever psec makes of it."""
    form, account = random.randrange(4), pan(random)
    block = _clear_block(random, form, account)
    for _ in range(random.randrange(3)):
        place = random.randrange(64)
        block = xor(block, (1 << place).to_bytes(8, "big"))
    if random.random() < 0.25:
        account = pan(random)
    inputs = {"clear_pin_block": block, "pan": account}
    confirmed_by = _BY_HAND if form == 1 else _PSEC
    try:
        number = _decode(form, block, account)
    except ValueError as error:
        reason = str(error).partition(":")[0]
        return refused("pin_block", f"ISO 9564-1 format {form} decode, invalid block", confirmed_by, inputs, reason)
    return vector("pin_block", f"ISO 9564-1 format {form} decode", confirmed_by, inputs, {"pin": number})


def format_4_refused(random: Random) -> Vector:
    """Under another key or for another account a block of format 4 is no block, but for rare chances."""
    while True:
        number, account, key = pin(random), pan(random), random.randbytes(16)
        block = pin_blocks.encrypt_4(key, number, account, random.randbytes(8))
        if random.random() < 0.5:
            key = random.randbytes(16)
        else:
            account = pan(random)
        try:
            pin_blocks.decrypt_4(key, block, account)
        except ValueError:
            inputs = {"key": key, "encrypted_pin_block": block, "pan": account}
            return refused("pin_block", "ISO 9564-1 format 4 decrypt, invalid block", _PSEC, inputs, "garbled")


def pvv(random: Random) -> Vector:
    """A PVV."""
    key, index = des_key(random, 2), str(random.randint(0, 6))
    number, account = pin(random), pan(random)
    value = pin_values.pvv(key, index, number, pin_blocks.account12(account))
    inputs = {"pvk": key, "pvki": index, "pin": number, "pan": account}
    return vector("pvv", "Visa PVV", _PSEC, inputs, {"pvv": value})


def pvv_second_scan(random: Random) -> Vector:
    """A PVV whose cryptogram has fewer than four decimal digits, so that letters must be used."""
    for _ in range(_LONGEST_SEARCH):
        key, index, number, account = des_key(random, 2), str(random.randint(0, 6)), digits(random, 4), pan(random)
        parameter = pin_blocks.account12(account)[1:] + index + number
        encrypted = tdes_encrypt(key, bytes.fromhex(parameter))
        if sum(digit.isdecimal() for digit in encrypted.hex()) < 4:
            value = pin_values.pvv(key, index, number, pin_blocks.account12(account))
            inputs = {"pvk": key, "pvki": index, "pin": number, "pan": account}
            return vector(
                "pvv",
                "Visa PVV, second decimalisation pass needed",
                _PSEC,
                inputs,
                {"pvv": value, "tsp_ciphertext": encrypted},
            )
    raise AssertionError("no such cryptogram was found, which cannot be")


def _table(random: Random) -> str:
    """A decimalisation table with at least eight different digits and none more than four times."""
    while True:
        table = random.choice(("0123456789012345", digits(random, 16)))
        if len(set(table)) >= 8 and max(table.count(digit) for digit in table) <= 4:
            return table


def ibm3624(random: Random) -> Vector:
    """An IBM 3624 offset and natural PIN."""
    key, table, data, number = des_key(random, random.choice((2, 3))), _table(random), digits(random, 16), pin(random)
    return vector(
        "ibm3624",
        "IBM 3624 PIN / offset",
        _PSEC,
        {"pvk": key, "decimalization_table": table, "validation_data": data, "pin": number},
        {
            "offset": psec_pin.generate_ibm3624_offset(key, table, number, data, 0, 16, "F"),
            "natural_pin": psec_pin.generate_ibm3624_pin(key, table, "0" * len(number), data, 0, 16, "F"),
            "natural_pin_16": psec_pin.generate_ibm3624_pin(key, table, "0" * 16, data, 0, 16, "F"),
        },
    )


def ibm3624_pin(random: Random) -> Vector:
    """The PIN that an IBM 3624 offset stands for."""
    key, table, data, offset = des_key(random, random.choice((2, 3))), _table(random), digits(random, 16), pin(random)
    return vector(
        "ibm3624",
        "IBM 3624 PIN from offset",
        _PSEC,
        {"pvk": key, "decimalization_table": table, "validation_data": data, "offset": offset},
        {"pin": psec_pin.generate_ibm3624_pin(key, table, offset, data, 0, 16, "F")},
    )


def sm4_layout_1(random: Random) -> Vector:
    """A 16-byte block under SM4."""
    key, number, account = random.randbytes(16), pin(random), pan(random)
    clear = pin_blocks.sm4_layout_1(number, pin_blocks.account12(account))
    return vector(
        "sm4",
        "SM4 16-byte PIN block encrypted (China, with PAN)",
        _GMSSL,
        {"key": key, "pin": number, "pan": account},
        {"clear_pin_block": clear, "encrypted_pin_block": sm4_encrypt(key, clear)},
    )


def sm4_layout_2(random: Random) -> Vector:
    """An 8-byte block of format 0, filled with zeros, under SM4."""
    key, number, account = random.randbytes(16), pin(random), pan(random)
    clear = pin_blocks.encode_0(number, account)
    return vector(
        "sm4",
        "SM4 over an 8-byte ANSI X9.8 block (bank variant)",
        f"{_PSEC}, {_GMSSL}",
        {"key": key, "pin": number, "pan": account},
        {"clear_pin_block": clear, "encrypted_pin_block": pin_blocks.sm4_layout_2(key, clear)},
    )


def sm4_decrypted(random: Random) -> Vector:
    """Either layout, read."""
    made = random.choice((sm4_layout_1, sm4_layout_2))(random)
    inputs = {name: made["inputs"][name] for name in ("key", "pan")}
    inputs["encrypted_pin_block"] = made["outputs"]["encrypted_pin_block"]
    return vector("sm4", made["algorithm"], made["confirmed_by"][0], inputs, {"pin": made["inputs"]["pin"]})


MAKERS = (
    formats_0_and_3,
    format_1,
    format_2,
    format_4,
    format_4_decrypted,
    decoded_or_refused,
    decoded_or_refused,
    decoded_or_refused,
    format_4_refused,
    pvv,
    pvv_second_scan,
    ibm3624,
    ibm3624_pin,
    sm4_layout_1,
    sm4_layout_2,
    sm4_decrypted,
)
