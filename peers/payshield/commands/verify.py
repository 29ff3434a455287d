"""Verification of PINs and making of PVVs and offsets.

By PVV: DC, EC, GQ, DG, FW, CU. By IBM 3624 offset: DA, EA, GO, DE, BK, DU.
"""

from .. import dukpt, errors, pins
from ..errors import HsmError
from ..fields import Fields
from ..hsm import Hsm, Reply, command
from ..keys import PVK_IBM, PVK_PVV, TPK, ZPK, Key, Role
from ..pins import Account
from .pins import read_maximum_length

_PIN_KEY_TYPES = {"001": ZPK, "002": TPK, "FFF": Role("001", ZPK.usages | TPK.usages, aes=True)}


def _first_key(hsm: Hsm, fields: Fields, role: Role) -> Key:
    return hsm.lmk.read(fields, role, "decrypt", errors.FIRST_KEY_PARITY)


def _chosen_pin_key(hsm: Hsm, fields: Fields) -> Key:
    """The key of a customer-selected PIN, behind a field with its type."""
    key_type = fields.take(3)
    if key_type not in _PIN_KEY_TYPES:
        raise HsmError(errors.KEY_TYPE)
    hsm.lmk.require_key_type(key_type)
    return _first_key(hsm, fields, _PIN_KEY_TYPES[key_type])


def _pvk(hsm: Hsm, fields: Fields, role: Role, operation: str, error: str = errors.SECOND_KEY_PARITY) -> Key:
    return hsm.lmk.read(fields, role, operation, error)


def _warned(pvk: Key, fields: str = "") -> Reply:
    """IBM 3624 was made for single-length keys: others are warned of."""
    return Reply(fields, "00" if len(pvk.value) == 8 else errors.NOT_SINGLE_LENGTH)


def _require(verified: bool) -> None:
    if not verified:
        raise HsmError(errors.VERIFICATION_FAILED)


class _Block:
    """A PIN block with its format; the account is read later."""

    def __init__(self, hsm: Hsm, fields: Fields, key: Key) -> None:
        self.key = key
        self.block = pins.read_encrypted_block(fields, key)
        self.format = pins.read_format(fields, hsm.settings.pci)

    def account(self, fields: Fields) -> Account:
        """The account field, which depends on the format."""
        return pins.read_account(fields, self.format)

    def pin(self, account: Account) -> str:
        """The PIN in the block."""
        return pins.decode(self.format, self.key, self.block, account)


# By PVV.


def _verify_pvv(hsm: Hsm, fields: Fields, pin_key: Key, pvk: Key) -> Reply:
    """From the PIN block to the end."""
    block = _Block(hsm, fields, pin_key)
    account = block.account(fields)
    pvki, stored = fields.digits(1), fields.digits(4)
    fields.end(hsm.lmk_id)
    _require(pins.pvv(pvk, pvki, block.pin(account), account) == stored)
    return Reply()


@command("DC")
def verify_terminal_pvv(hsm: Hsm, fields: Fields) -> Reply:
    """A block under a TPK."""
    pin_key = _first_key(hsm, fields, TPK)
    return _verify_pvv(hsm, fields, pin_key, _pvk(hsm, fields, PVK_PVV, "verify"))


@command("EC")
def verify_zone_pvv(hsm: Hsm, fields: Fields) -> Reply:
    """A block under a ZPK."""
    pin_key = _first_key(hsm, fields, ZPK)
    return _verify_pvv(hsm, fields, pin_key, _pvk(hsm, fields, PVK_PVV, "verify"))


@command("GQ")
def verify_dukpt_pvv(hsm: Hsm, fields: Fields) -> Reply:
    """A block from a DUKPT terminal."""
    _require_mode_0(fields)
    bdk = dukpt.read_bdk(hsm, fields)
    pvk = _pvk(hsm, fields, PVK_PVV, "verify")
    return _verify_pvv(hsm, fields, dukpt.read_transaction(fields, bdk).pin_key(), pvk)


def _require_mode_0(fields: Fields) -> None:
    """Mode 0 has no MAC beside the PIN block; others are not offered here."""
    if fields.take(1) != "0":
        raise HsmError(errors.INPUT_DATA)


@command("DG")
def pvv_of_lmk_pin(hsm: Hsm, fields: Fields) -> Reply:
    """A PVV for a PIN under the LMK."""
    pvk = _pvk(hsm, fields, PVK_PVV, "generate", errors.FIRST_KEY_PARITY)
    stored = fields.take(hsm.pins.length)
    account = pins.read_account(fields)
    pvki = fields.digits(1)
    pin = hsm.pins.open(stored, account.twelve)
    pins.read_excluded(fields, pin)
    fields.end(hsm.lmk_id)
    return Reply(pins.pvv(pvk, pvki, pin, account))


@command("FW")
def pvv_of_block(hsm: Hsm, fields: Fields) -> Reply:
    """A PVV for a PIN that the customer selected."""
    pin_key = _chosen_pin_key(hsm, fields)
    pvk = _pvk(hsm, fields, PVK_PVV, "generate")
    block = _Block(hsm, fields, pin_key)
    account = block.account(fields)
    pvki = fields.digits(1)
    pin = block.pin(account)
    pins.read_excluded(fields, pin)
    fields.end(hsm.lmk_id)
    return Reply(pins.pvv(pvk, pvki, pin, account))


@command("CU")
def change_pin_by_pvv(hsm: Hsm, fields: Fields) -> Reply:
    """A PVV for a new PIN, if the current one is right."""
    pin_key = _chosen_pin_key(hsm, fields)
    pvk = _pvk(hsm, fields, PVK_PVV, "generate")
    current = _Block(hsm, fields, pin_key)
    account = current.account(fields)
    pvki, stored = fields.digits(1), fields.digits(4)
    new_block = pins.read_encrypted_block(fields, pin_key)
    _require(pins.pvv(pvk, pvki, current.pin(account), account) == stored)
    new_pin = pins.decode(current.format, pin_key, new_block, account)
    pins.read_excluded(fields, new_pin)
    fields.end(hsm.lmk_id)
    return Reply(pins.pvv(pvk, pvki, new_pin, account))


# By IBM 3624 offset.


def _verify_offset(hsm: Hsm, fields: Fields, pin_key: Key, pvk: Key) -> Reply:
    """From the PIN block to the end."""
    block = _Block(hsm, fields, pin_key)
    check_length = pins.read_check_length(fields)
    account = block.account(fields)
    method = pins.read_ibm_method(fields, check_length, account, hsm.lmk.table_key())
    stored = pins.read_offset(fields)
    fields.end(hsm.lmk_id)
    _require_offset(method, pvk, block.pin(account), stored)
    return _warned(pvk)


def _require_offset(method: pins.IbmMethod, pvk: Key, pin: str, stored: str) -> None:
    _require(len(pin) >= method.check_length)
    _require(method.offset(pvk, pin)[: method.check_length] == stored[: method.check_length])


def _static_offset(hsm: Hsm, fields: Fields, role: Role) -> Reply:
    pin_key = _first_key(hsm, fields, role)
    pvk = _pvk(hsm, fields, PVK_IBM, "verify")
    read_maximum_length(fields)
    return _verify_offset(hsm, fields, pin_key, pvk)


@command("DA")
def verify_terminal_offset(hsm: Hsm, fields: Fields) -> Reply:
    """A block under a TPK."""
    return _static_offset(hsm, fields, TPK)


@command("EA")
def verify_zone_offset(hsm: Hsm, fields: Fields) -> Reply:
    """A block under a ZPK."""
    return _static_offset(hsm, fields, ZPK)


@command("GO")
def verify_dukpt_offset(hsm: Hsm, fields: Fields) -> Reply:
    """A block from a DUKPT terminal."""
    _require_mode_0(fields)
    bdk = dukpt.read_bdk(hsm, fields)
    pvk = _pvk(hsm, fields, PVK_IBM, "verify")
    return _verify_offset(hsm, fields, dukpt.read_transaction(fields, bdk).pin_key(), pvk)


@command("DE")
def offset_of_lmk_pin(hsm: Hsm, fields: Fields) -> Reply:
    """An offset for a PIN under the LMK."""
    pvk = _pvk(hsm, fields, PVK_IBM, "generate", errors.FIRST_KEY_PARITY)
    stored = fields.take(hsm.pins.length)
    check_length = pins.read_check_length(fields)
    account = pins.read_account(fields)
    method = pins.read_ibm_method(fields, check_length, account, hsm.lmk.table_key())
    pin = hsm.pins.open(stored, account.twelve)
    pins.read_excluded(fields, pin)
    fields.end(hsm.lmk_id)
    return _warned(pvk, method.offset(pvk, pin))


@command("BK")
def offset_of_block(hsm: Hsm, fields: Fields) -> Reply:
    """An offset for a PIN that the customer selected."""
    pin_key = _chosen_pin_key(hsm, fields)
    pvk = _pvk(hsm, fields, PVK_IBM, "generate")
    block = _Block(hsm, fields, pin_key)
    check_length = pins.read_check_length(fields)
    account = block.account(fields)
    method = pins.read_ibm_method(fields, check_length, account, hsm.lmk.table_key())
    pin = block.pin(account)
    pins.read_excluded(fields, pin)
    fields.end(hsm.lmk_id)
    return _warned(pvk, method.offset(pvk, pin))


@command("DU")
def change_pin_by_offset(hsm: Hsm, fields: Fields) -> Reply:
    """An offset for a new PIN, if the current one is right."""
    pin_key = _chosen_pin_key(hsm, fields)
    pvk = _pvk(hsm, fields, PVK_IBM, "generate")
    current = _Block(hsm, fields, pin_key)
    check_length = pins.read_check_length(fields)
    account = current.account(fields)
    method = pins.read_ibm_method(fields, check_length, account, hsm.lmk.table_key())
    stored = pins.read_offset(fields)
    new_block = pins.read_encrypted_block(fields, pin_key)
    _require_offset(method, pvk, current.pin(account), stored)
    new_pin = pins.decode(current.format, pin_key, new_block, account)
    pins.read_excluded(fields, new_pin)
    fields.end(hsm.lmk_id)
    return Reply(method.offset(pvk, new_pin))
