"""Diagnostics and echo: NC, NO, B2. Decimalisation tables: LO."""

from algorithms.ciphers import tdes_encrypt

from .. import errors, pins
from ..errors import HsmError
from ..fields import Fields
from ..hsm import FIRMWARE, Hsm, Reply, command


@command("NC")
def diagnostics(hsm: Hsm, fields: Fields) -> Reply:
    """LMK check value and firmware."""
    fields.end(hsm.lmk_id)
    return Reply(hsm.lmk.check_value() + FIRMWARE)


@command("NO")
def status(hsm: Hsm, fields: Fields) -> Reply:
    """Buffer size, network and sockets."""
    if fields.take(2) != "00":
        raise HsmError(errors.INPUT_DATA)
    fields.end(hsm.lmk_id)
    return Reply("3" + "1" + "64" + FIRMWARE + "0" + "0000")


@command("B2")
def echo(hsm: Hsm, fields: Fields) -> Reply:
    """The data again."""
    length = int(fields.hex(4), 16)
    try:
        data = fields.take(length)
    except HsmError:
        raise HsmError(errors.DATA_LENGTH) from None
    fields.end(hsm.lmk_id)
    return Reply(data)


@command("LO")
def encrypt_table(hsm: Hsm, fields: Fields) -> Reply:
    """A decimalisation table under the LMK."""
    key = hsm.lmk.table_key()
    table = pins.read_table(fields, key)
    fields.end(hsm.lmk_id)
    return Reply(tdes_encrypt(key, bytes.fromhex(table)).hex().upper())
