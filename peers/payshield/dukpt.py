"""The DUKPT fields of commands: BDK, KSN descriptor and KSN."""

from dataclasses import dataclass

from algorithms import aes_dukpt, tdes_dukpt

from . import errors
from .errors import HsmError
from .fields import Fields
from .hsm import Hsm
from .keys import BDK, BDK_2, Key

AES_DESCRIPTOR = "808"
AES_KSN_DIGITS = 24
#: A TDES key serial number as it is derived from, filled with F from the left.
TDES_KSN_DIGITS = 20
COUNTER_DIGITS = 5


@dataclass(frozen=True)
class Transaction:
    """A base derivation key with the serial number of a transaction."""

    bdk: Key
    ksn: bytes

    def pin_key(self) -> Key:
        """The key of the PIN block."""
        if self.bdk.is_aes:
            return Key(aes_dukpt.key_for(self.bdk.value, self.ksn, "pin"), "A")
        return Key(tdes_dukpt.key_for(self.bdk.value, self.ksn, "pin"))

    def mac_key(self, response: bool) -> Key:
        """The key of a request's or a response's MAC."""
        if self.bdk.is_aes:
            return Key(aes_dukpt.key_for(self.bdk.value, self.ksn, "mac_ver" if response else "mac_gen"), "A")
        purpose = "mac_response" if response else "mac_request"
        return Key(tdes_dukpt.key_for(self.bdk.value, self.ksn, purpose))


def read_bdk(hsm: Hsm, fields: Fields) -> Key:
    """A base derivation key; a tilde before it says that it is of the second type."""
    role = BDK_2 if fields.accept("~") else BDK
    bdk = hsm.lmk.read(fields, role, "derive", errors.FIRST_KEY_PARITY)
    if not bdk.is_aes and len(bdk.value) != 16:
        raise HsmError(errors.KEY_LENGTH)
    return bdk


def read_transaction(fields: Fields, bdk: Key) -> Transaction:
    """Descriptor and key serial number."""
    descriptor = fields.hex(3)
    if bdk.is_aes:
        if descriptor != AES_DESCRIPTOR:
            raise HsmError(errors.INPUT_DATA)
        return Transaction(bdk, fields.binary(AES_KSN_DIGITS))
    digits = sum(int(digit, 16) for digit in descriptor) + COUNTER_DIGITS
    if not 12 <= digits <= TDES_KSN_DIGITS:
        raise HsmError(errors.INPUT_DATA)
    return Transaction(bdk, bytes.fromhex(fields.hex(digits).rjust(TDES_KSN_DIGITS, "F")))
