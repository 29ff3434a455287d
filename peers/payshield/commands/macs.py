"""Message authentication: M6, M8 and, with DUKPT, GW."""

from dataclasses import dataclass

from algorithms import macs
from algorithms.ciphers import tdes_decrypt

from .. import dukpt, errors
from ..errors import HsmError
from ..fields import Fields
from ..hsm import Hsm, Reply, command
from ..keys import Key, Role

ALGORITHM_1, ALGORITHM_3, CBC_MAC, CMAC = "1", "3", "5", "6"
_USAGES = {
    ALGORITHM_1: frozenset(("M0", "M1")),
    ALGORITHM_3: frozenset(("M3",)),
    CBC_MAC: frozenset(("M0", "M1", "M5")),
    CMAC: frozenset(("M5", "M6")),
}
_ONLY, _FIRST, _MIDDLE, _LAST = "0", "1", "2", "3"


@dataclass(frozen=True)
class MacRequest:
    """The fields that M6 and M8 share."""

    mode: str
    digits: int
    algorithm: str
    padding: int
    key: Key
    chaining_value: bytes
    data: bytes

    @property
    def is_unfinished(self) -> bool:
        """Whether more blocks follow, so that the result is a chaining value."""
        return self.mode in (_FIRST, _MIDDLE)

    def chain(self) -> str:
        """The value to give back with the next block."""
        if not self.data or len(self.data) % self.key.block_length:
            raise HsmError(errors.MESSAGE_LENGTH)
        if self.algorithm == ALGORITHM_3:
            return macs.algorithm_1(self.key.value[:8], self._chained(), 1).hex().upper()
        return self._cbc(1).hex().upper()

    def mac(self) -> str:
        """The MAC of the whole message."""
        padding = self.padding
        if self.algorithm == CMAC:
            cmac = macs.cmac_aes if self.key.is_aes else macs.cmac_tdes
            value = cmac(self.key.value, self._chained())
        else:
            if padding == 0:
                if not self.data or len(self.data) % self.key.block_length:
                    raise HsmError(errors.MESSAGE_LENGTH)
                padding = 1  # adds nothing to whole blocks
            if self.algorithm == ALGORITHM_3:
                value = macs.algorithm_3(self.key.value, self._chained(), padding)
            else:
                value = self._cbc(padding)
        return value.hex().upper()[: self.digits]

    def _cbc(self, padding: int) -> bytes:
        mac = macs.algorithm_1_aes if self.key.is_aes else macs.algorithm_1
        return mac(self.key.value, self._chained(), padding)

    def _chained(self) -> bytes:
        """The data behind a block that leads the libraries, which begin at zero, to the chaining value."""
        if not self.chaining_value:
            return self.data
        if self.algorithm == ALGORITHM_3:
            return tdes_decrypt(self.key.value[:8], self.chaining_value) + self.data
        return self.key.decrypt(self.chaining_value) + self.data


def _choice(fields: Fields, choices: str, error: str) -> str:
    field = fields.take(1)
    if field not in choices:
        raise HsmError(error)
    return field


def _read_request(hsm: Hsm, fields: Fields, operation: str) -> MacRequest:
    mode = _choice(fields, "0123", errors.MAC_MODE)
    input_format = _choice(fields, "012", errors.INPUT_FORMAT)
    digits = 8 if _choice(fields, "01", errors.INPUT_DATA) == "0" else 16
    algorithm = _choice(fields, "1356", errors.MAC_ALGORITHM)
    padding = int(_choice(fields, "0123", errors.MAC_PADDING))
    if padding == 3 and mode != _ONLY:
        raise HsmError(errors.MAC_PADDING)  # method 3 begins with the length of the whole message
    key = _read_key(hsm, fields, algorithm, operation)
    chaining_value = fields.binary(2 * key.block_length) if mode in (_MIDDLE, _LAST) else b""
    length = int(fields.hex(4), 16)
    if input_format == "1":
        if length % 2:
            raise HsmError(errors.MESSAGE_LENGTH)
        data = fields.binary(length)
    else:
        data = fields.take(length).encode("latin-1")
    return MacRequest(mode, digits, algorithm, padding, key, chaining_value, data)


def _read_key(hsm: Hsm, fields: Fields, algorithm: str, operation: str) -> Key:
    key_type = fields.take(3)
    if key_type not in ("003", "008", "FFF"):
        raise HsmError(errors.MAC_KEY_TYPE)
    hsm.lmk.require_key_type(key_type)
    role = Role(key_type, _USAGES[algorithm], aes=algorithm in (CBC_MAC, CMAC))
    key = hsm.lmk.read(fields, role, operation, errors.FIRST_KEY_PARITY)
    if algorithm == ALGORITHM_3 and len(key.value) != 16:
        raise HsmError(errors.KEY_LENGTH)
    return key


@command("M6")
def generate(hsm: Hsm, fields: Fields) -> Reply:
    """A MAC, or the chaining value of an unfinished message."""
    request = _read_request(hsm, fields, "generate")
    fields.end(hsm.lmk_id)
    if request.is_unfinished:
        return Reply(request.chain())
    mac = request.mac()
    return Reply(f"{len(mac):04}{mac}" if hsm.settings.m7_length else mac)


@command("M8")
def verify(hsm: Hsm, fields: Fields) -> Reply:
    """Whether a MAC is right, or the chaining value of an unfinished message."""
    request = _read_request(hsm, fields, "verify")
    if request.is_unfinished:
        fields.end(hsm.lmk_id)
        return Reply(request.chain())
    received = fields.hex(request.digits)
    fields.end(hsm.lmk_id)
    if request.mac() != received:
        raise HsmError(errors.VERIFICATION_FAILED)
    return Reply()


_GW_VERIFY = "123"
#: The part of the sixteen digits that a MAC mode is about.
_GW_PARTS = {"1": slice(16), "2": slice(8), "3": slice(8, 16)}
_GW_X9_19, _GW_RESPONSE = "12", "24"


@command("GW")
def dukpt_mac(hsm: Hsm, fields: Fields) -> Reply:
    """A MAC under a DUKPT key, made or verified."""
    mode = _choice(fields, "123456", errors.MAC_MODE)
    method = _choice(fields, "1234", errors.MAC_ALGORITHM)
    bdk = dukpt.read_bdk(hsm, fields)
    key = dukpt.read_transaction(fields, bdk).mac_key(method in _GW_RESPONSE)
    part = _GW_PARTS[mode if mode in _GW_VERIFY else str(int(mode) - 3)]
    received = fields.hex(len(range(16)[part])) if mode in _GW_VERIFY else ""
    data = fields.take(fields.number(4)).encode("latin-1")
    fields.end(hsm.lmk_id)
    mac = _gw_mac(key, method, data).hex().upper()[part]
    if mode not in _GW_VERIFY:
        return Reply(mac)
    if mac != received:
        raise HsmError(errors.VERIFICATION_FAILED)
    return Reply()


def _gw_mac(key: Key, method: str, data: bytes) -> bytes:
    if method in _GW_X9_19:
        if key.is_aes:
            raise HsmError(errors.BLOCK_ALGORITHM)
        return macs.algorithm_3(key.value, data, 1)
    return (macs.cmac_aes if key.is_aes else macs.cmac_tdes)(key.value, data)[:8]
