"""The host commands. Importing this package registers all of them."""

from .. import errors
from ..errors import HsmError
from ..fields import Fields
from ..hsm import HANDLERS, Hsm, reply_code
from . import keys, macs, misc, pins, verify

__all__ = ["answer", "keys", "macs", "misc", "pins", "verify"]


def answer(hsm: Hsm, payload: bytes) -> bytes:
    """The reply to a command, both without length and header."""
    text = payload.decode("latin-1")
    code, fields = text[:2], Fields(text[2:])
    try:
        if code not in HANDLERS:
            raise HsmError(errors.UNKNOWN_COMMAND)
        reply = HANDLERS[code](hsm, fields)
        body = reply.code + reply.fields
    except HsmError as error:
        body = error.code
    trailer = "\x19" + fields.trailer if fields.trailer else ""
    return (reply_code(code) + body + trailer).encode("latin-1")
