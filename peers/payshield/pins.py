"""PIN blocks, decimalisation tables and the other PIN fields of commands."""

import secrets
from dataclasses import dataclass

from algorithms import pin_blocks, pin_values
from algorithms.ciphers import tdes_decrypt

from . import errors
from .errors import HsmError
from .fields import Fields
from .keys import Key

ISO_0, DIEBOLD, ISO_1, ISO_3, ISO_4 = "01", "03", "05", "47", "48"
FORMATS = (ISO_0, DIEBOLD, ISO_1, ISO_3, ISO_4)
SHORTEST_PIN, LONGEST_PIN = 4, 12


@dataclass(frozen=True)
class Account:
    """An account number as a command gives it: twelve digits, or whole for ISO format 4."""

    twelve: str
    whole: str

    @property
    def for_psec(self) -> str:
        """psec strips a check digit before it takes twelve digits."""
        return self.twelve + "0"


def read_account(fields: Fields, *formats: str) -> Account:
    """The account field; whole and ended by a semicolon if one of the formats is ISO 4."""
    if ISO_4 not in formats:
        twelve = fields.digits(12, errors.ACCOUNT)
        return Account(twelve, "")
    whole = fields.until(";", 19)
    if not whole.isdecimal() or not 12 <= len(whole) <= 19:
        raise HsmError(errors.ACCOUNT)
    return Account(pin_blocks.account12(whole), whole)


def read_format(fields: Fields, pci: bool) -> str:
    """A PIN block format code that is known and not disabled."""
    code = fields.take(2)
    if code not in FORMATS:
        raise HsmError(errors.PIN_BLOCK_FORMAT)
    if pci and code == DIEBOLD:
        raise HsmError(errors.FORMAT_DISABLED)
    return code


def require_translation(source: str, destination: str, pci: bool) -> None:
    """PCI PIN Security requirement 3-3: never from a format that holds the account to one that does not."""
    if pci and source != ISO_1 and destination == ISO_1:
        raise HsmError(errors.FORMAT_DISABLED)


def read_encrypted_block(fields: Fields, key: Key) -> bytes:
    """A PIN block as long as the blocks of the key's cipher."""
    return fields.binary(2 * key.block_length)


def decode(code: str, key: Key, block: bytes, account: Account) -> str:
    """The PIN in an encrypted block."""
    _require_cipher(code, key)
    try:
        if code == ISO_4:
            _require_length(pin_blocks.decrypted_pin_field_4(key.value, block, account.whole).hex())
            return pin_blocks.decrypt_4(key.value, block, account.whole)
        clear = key.decrypt(block)
        if code == DIEBOLD:
            return _decode_diebold(clear)
        _require_length(clear.hex())
        if code == ISO_1:
            return pin_blocks.decode_1(clear)
        if code == ISO_3:
            return pin_blocks.decode_3(clear, account.for_psec)
        return pin_blocks.decode_0(clear, account.for_psec)
    except ValueError:
        raise HsmError(errors.PIN_BLOCK) from None


def encode(code: str, key: Key, pin: str, account: Account) -> str:
    """An encrypted block of a PIN."""
    _require_cipher(code, key)
    if code == ISO_4:
        block = pin_blocks.encrypt_4(key.value, pin, account.whole, secrets.token_bytes(8))
        return block.hex().upper()
    if code == DIEBOLD:
        clear = bytes.fromhex(pin.ljust(16, "F"))
    elif code == ISO_1:
        clear = pin_blocks.encode_1(pin, secrets.token_hex(8)[: 14 - len(pin)])
    elif code == ISO_3:
        fill = "".join(secrets.choice("ABCDEF") for _ in range(14 - len(pin)))
        clear = pin_blocks.encode_3(pin, account.for_psec, fill)
    else:
        clear = pin_blocks.encode_0(pin, account.for_psec)
    return key.encrypt(clear).hex().upper()


def _require_cipher(code: str, key: Key) -> None:
    if (code == ISO_4) != key.is_aes:
        raise HsmError(errors.BLOCK_ALGORITHM)


def _require_length(digits: str) -> None:
    """A wrong length has a code of its own if the format digit is right by itself; else the block is garbled."""
    if digits[0] in "0134" and not SHORTEST_PIN <= int(digits[1], 16) <= LONGEST_PIN:
        raise HsmError(errors.PIN_LENGTH)


def _decode_diebold(clear: bytes) -> str:
    pin = clear.hex().rstrip("f")
    if not pin.isdecimal():
        raise HsmError(errors.PIN_BLOCK)
    if not SHORTEST_PIN <= len(pin) <= LONGEST_PIN:
        raise HsmError(errors.PIN_LENGTH)
    return pin


def read_table(fields: Fields, table_key: bytes) -> str:
    """A decimalisation table, clear or under the LMK."""
    field = fields.hex(16)
    table = field if field.isdecimal() else tdes_decrypt(table_key, bytes.fromhex(field)).hex()
    counts = [table.count(digit) for digit in set(table)]
    if not table.isdecimal() or len(counts) < 8 or max(counts) > 4:
        raise HsmError(errors.DECIMALISATION_TABLE)
    return table


def read_excluded(fields: Fields, pin: str) -> None:
    """The optional table of excluded PINs; the chosen PIN must not be in it."""
    if not fields.accept("*"):
        return
    count, length = fields.number(2), fields.number(2)
    try:
        table = [fields.digits(length) for _ in range(count)]
    except HsmError:
        raise HsmError(errors.COUNT) from None
    if count and length != len(pin):
        raise HsmError(errors.EXCLUDED_PIN_LENGTH)
    if pin in table:
        raise HsmError(errors.EXCLUDED_PIN)


@dataclass(frozen=True)
class IbmMethod:
    """The parameters of an IBM 3624 command."""

    check_length: int
    table: str
    validation: str

    def offset(self, pvk: Key, pin: str) -> str:
        """The offset of a PIN as a field."""
        if not SHORTEST_PIN <= self.check_length <= len(pin):
            raise HsmError(errors.PIN_LENGTH)
        natural = pin_values.natural_digits(pvk.value, self.table, self.validation)
        return pin_values.offset(natural, pin[: self.check_length]).ljust(12, "F")


def read_check_length(fields: Fields) -> int:
    """How many digits of the PIN are verified."""
    length = fields.number(2)
    if not SHORTEST_PIN <= length <= LONGEST_PIN:
        raise HsmError(errors.INPUT_DATA)
    return length


def read_ibm_method(fields: Fields, check_length: int, account: Account, table_key: bytes) -> IbmMethod:
    """Decimalisation table and validation data."""
    table = read_table(fields, table_key)
    field = fields.take(12).upper()
    if field.count("N") != 1:
        raise HsmError(errors.INPUT_DATA)
    validation = field.replace("N", account.twelve[-5:])
    try:
        bytes.fromhex(validation)
    except ValueError:
        raise HsmError(errors.INPUT_DATA) from None
    return IbmMethod(check_length, table, validation)


def read_offset(fields: Fields) -> str:
    """An offset: digits, then F."""
    field = fields.hex(12)
    digits = field.rstrip("F")
    if not digits.isdecimal() or len(digits) < SHORTEST_PIN:
        raise HsmError(errors.INPUT_DATA)
    return field


def pvv(pvk: Key, pvki: str, pin: str, account: Account) -> str:
    """The Visa PVV; its key is of double length."""
    if len(pvk.value) != 16:
        raise HsmError(errors.KEY_LENGTH)
    return pin_values.pvv(pvk.value, pvki, pin, account.twelve)
