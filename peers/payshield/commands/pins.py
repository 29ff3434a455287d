"""Translation of PIN blocks (CA, CC, G0), and PINs under the LMK (BA, JA, BC, BE)."""

import secrets

from .. import dukpt, errors, pins
from ..errors import HsmError
from ..fields import Fields
from ..hsm import Hsm, Reply, command
from ..keys import TPK, ZPK, Key, Role


def _translate(hsm: Hsm, fields: Fields, source: Key, destination: Key) -> Reply:
    """From the source block to the end."""
    pci = hsm.settings.pci
    block = pins.read_encrypted_block(fields, source)
    source_format, destination_format = pins.read_format(fields, pci), pins.read_format(fields, pci)
    account = pins.read_account(fields, source_format, destination_format)
    fields.end(hsm.lmk_id)
    pins.require_translation(source_format, destination_format, pci)
    pin = pins.decode(source_format, source, block, account)
    translated = pins.encode(destination_format, destination, pin, account)
    return Reply(f"{len(pin):02}{translated}{destination_format}")


def _between_static_keys(hsm: Hsm, fields: Fields, source_role: Role) -> Reply:
    source = hsm.lmk.read(fields, source_role, "decrypt", errors.FIRST_KEY_PARITY)
    destination = hsm.lmk.read(fields, ZPK, "encrypt", errors.SECOND_KEY_PARITY)
    read_maximum_length(fields)
    return _translate(hsm, fields, source, destination)


def read_maximum_length(fields: Fields) -> None:
    """The maximum PIN length is always 12."""
    if fields.take(2) != "12":
        raise HsmError(errors.INPUT_DATA)


@command("CA")
def terminal_to_zone(hsm: Hsm, fields: Fields) -> Reply:
    """A block from a terminal's key to a zone's."""
    return _between_static_keys(hsm, fields, TPK)


@command("CC")
def zone_to_zone(hsm: Hsm, fields: Fields) -> Reply:
    """A block from one zone's key to another's."""
    return _between_static_keys(hsm, fields, ZPK)


@command("G0")
def dukpt_to_zone(hsm: Hsm, fields: Fields) -> Reply:
    """A block from a DUKPT terminal to a zone's key."""
    bdk = dukpt.read_bdk(hsm, fields)
    destination = hsm.lmk.read(fields, ZPK, "encrypt", errors.SECOND_KEY_PARITY)
    source = dukpt.read_transaction(fields, bdk).pin_key()
    return _translate(hsm, fields, source, destination)


@command("BA")
def encrypt_clear_pin(hsm: Hsm, fields: Fields) -> Reply:
    """A clear PIN under the LMK."""
    pin = fields.take(hsm.pins.length).rstrip("Ff")
    account = pins.read_account(fields)
    fields.end(hsm.lmk_id)
    if not pin.isdecimal():
        raise HsmError(errors.INPUT_DATA)
    _require_pin_length(hsm, len(pin))
    return Reply(hsm.pins.seal(pin, account.twelve))


@command("JA")
def random_pin(hsm: Hsm, fields: Fields) -> Reply:
    """A new PIN under the LMK."""
    account = pins.read_account(fields)
    length = fields.number(2)
    fields.end(hsm.lmk_id)
    _require_pin_length(hsm, length)
    pin = "".join(secrets.choice("0123456789") for _ in range(length))
    return Reply(hsm.pins.seal(pin, account.twelve))


def _require_pin_length(hsm: Hsm, length: int) -> None:
    if not pins.SHORTEST_PIN <= length < hsm.pins.length:
        raise HsmError(errors.PIN_LENGTH)


@command("BC")
def compare_terminal_pin(hsm: Hsm, fields: Fields) -> Reply:
    """A block under a TPK against a PIN under the LMK."""
    return _compare(hsm, fields, TPK)


@command("BE")
def compare_zone_pin(hsm: Hsm, fields: Fields) -> Reply:
    """A block under a ZPK against a PIN under the LMK."""
    return _compare(hsm, fields, ZPK)


def _compare(hsm: Hsm, fields: Fields, role: Role) -> Reply:
    key = hsm.lmk.read(fields, role, "decrypt", errors.FIRST_KEY_PARITY)
    block = pins.read_encrypted_block(fields, key)
    code = pins.read_format(fields, hsm.settings.pci)
    account = pins.read_account(fields, code)
    stored = fields.take(hsm.pins.length)
    fields.end(hsm.lmk_id)
    if pins.decode(code, key, block, account) != hsm.pins.open(stored, account.twelve):
        raise HsmError(errors.VERIFICATION_FAILED)
    return Reply()
