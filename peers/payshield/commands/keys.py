"""Key management: A0, A4, A6, A8, BU."""

import secrets
from collections.abc import Container
from dataclasses import replace

from psec import tr31

from algorithms.ciphers import xor

from .. import errors, lmk, thales_block
from ..errors import HsmError
from ..fields import Fields
from ..hsm import Hsm, Reply, command
from ..keys import ALL_MODES, EXPORTABILITIES, TMK, USAGES, ZMK, Key, Role, tdes_algorithm

#: Algorithm fields of key block attributes: letter of the header and length in bytes.
_ALGORITHMS = {"T1": ("D", 8), "T2": ("T", 16), "T3": ("T", 24), "A1": ("A", 16), "A2": ("A", 24), "A3": ("A", 32)}
_EXPORT_SCHEMES = "ZUXTYSR"
#: LMK id in a Thales key block that is under a ZMK.
_NO_LMK = "FF"


def _one_of(field: str, choices: Container[str], error: str) -> str:
    """The field if it is one of the choices: a string of characters for a field of one character."""
    if field not in choices:
        raise HsmError(error)
    return field


def _read_version(fields: Fields) -> str:
    version = fields.take(2)
    if not (version.isascii() and version.isalnum()):
        raise HsmError(errors.BLOCK_KEY_VERSION)
    return version


def _no_optional_blocks(fields: Fields) -> None:
    if fields.take(2) != "00":
        raise HsmError(errors.BLOCK_OPTIONAL)


def _read_attributes(fields: Fields, key: Key) -> Key:
    """The key with the attributes behind a number sign."""
    usage = _one_of(fields.take(2), USAGES, errors.BLOCK_USAGE)
    if not key.value:
        algorithm = fields.take(2)
        if algorithm not in _ALGORITHMS:
            raise HsmError(errors.BLOCK_ALGORITHM)
        letter, length = _ALGORITHMS[algorithm]
        key = Key(secrets.token_bytes(length), letter).with_odd_parity()
    mode = _one_of(fields.take(1), ALL_MODES, errors.BLOCK_MODE)
    version = _read_version(fields)
    exportability = _one_of(fields.take(1), EXPORTABILITIES, errors.BLOCK_EXPORTABILITY)
    _no_optional_blocks(fields)
    return replace(key, usage=usage, mode=mode, version=version, exportability=exportability)


def _read_transport_key(hsm: Hsm, fields: Fields, operation: str) -> Key:
    """A ZMK, or behind a semicolon a ZMK or TMK."""
    role: Role = ZMK
    if fields.accept(";"):
        role = TMK if _one_of(fields.take(1), "01", errors.INPUT_DATA) == "1" else ZMK
    return hsm.lmk.read(fields, role, operation, errors.FIRST_KEY_PARITY)


def _read_export_scheme(fields: Fields) -> str:
    return _one_of(fields.take(1), _EXPORT_SCHEMES, errors.KEY_SCHEME)


def _read_block_version(fields: Fields, transport: Key) -> str:
    """The TR-31 version behind an exclamation mark, else the one that fits the transport key."""
    fitting = "D" if transport.is_aes else "B"
    if not fields.accept("!"):
        return fitting
    version = _one_of(fields.take(1), "ABCD", errors.INPUT_DATA)
    if (version == "D") != transport.is_aes:
        raise HsmError(errors.BLOCK_ALGORITHM)
    return version


def _export(key: Key, transport: Key, scheme: str, block_version: str) -> str:
    """A key under a ZMK or TMK. No key goes under one of a weaker algorithm."""
    if key.is_aes and not transport.is_aes:
        raise HsmError(errors.BLOCK_ALGORITHM)
    if scheme == "R":
        header = tr31.Header(block_version, key.usage, key.algorithm, key.mode, key.version, key.exportability)
        return "R" + tr31.wrap(transport.value, header, key.value)
    if transport.is_aes:
        raise HsmError(errors.BLOCK_ALGORITHM)
    if scheme == "S":
        return "S" + thales_block.wrap(transport.value, key, _NO_LMK)
    return lmk.encrypt_parts(transport.value, scheme, key.value)


def _import(fields: Fields, transport: Key) -> Key:
    """A key under a ZMK."""
    if fields.accept("R"):
        return _import_tr31(lmk.read_block(fields), transport)
    if transport.is_aes:
        raise HsmError(errors.BLOCK_ALGORITHM)
    if fields.accept("S"):
        key = thales_block.unwrap(transport.value, lmk.read_block(fields))
        if key.is_aes:
            raise HsmError(errors.BLOCK_ALGORITHM)
        return key
    scheme, encrypted = lmk.read_tagged(fields)
    return Key(lmk.decrypt_parts(transport.value, scheme, encrypted), tdes_algorithm(len(encrypted)))


def _import_tr31(block: str, transport: Key) -> Key:
    if (block[0] == "D") != transport.is_aes:
        raise HsmError(errors.BLOCK_ALGORITHM)
    try:
        header, value = tr31.unwrap(transport.value, block)
    except (tr31.KeyBlockError, tr31.HeaderError):
        raise HsmError(errors.KEY_BLOCK) from None
    attributes = (header.algorithm, header.key_usage, header.mode_of_use, header.version_num, header.exportability)
    key = Key(value, *attributes)
    key.require_length()
    if key.is_aes and not transport.is_aes:
        raise HsmError(errors.BLOCK_ALGORITHM)
    return key


@command("A0")
def generate_key(hsm: Hsm, fields: Fields) -> Reply:
    """A random key under the LMK and, in mode 1, under a ZMK or TMK."""
    exported = _one_of(fields.take(1), "01", errors.INPUT_DATA) == "1"
    key_type, scheme = fields.take(3), _one_of(fields.take(1), hsm.lmk.schemes, errors.KEY_SCHEME)
    hsm.lmk.require_key_type(key_type)
    transport, export_scheme = Key(b""), ""
    if exported:
        transport = _read_transport_key(hsm, fields, "encrypt")
        export_scheme = _read_export_scheme(fields)
    fields.lmk_id(hsm.lmk_id)
    key = _new_key(fields, scheme)
    block_version = _read_block_version(fields, transport)
    fields.end(hsm.lmk_id)
    stored = hsm.lmk.write(key, key_type, scheme)
    sent = _export(key, transport, export_scheme, block_version) if exported else ""
    return Reply(stored + sent + key.check_value(6))


def _new_key(fields: Fields, scheme: str) -> Key:
    if scheme != "S":
        length = 8 * lmk.PARTS[scheme]
        return Key(secrets.token_bytes(length), tdes_algorithm(length)).with_odd_parity()
    if not fields.accept("#"):
        raise HsmError(errors.INPUT_DATA)
    return _read_attributes(fields, Key(b""))


@command("A4")
def form_key(hsm: Hsm, fields: Fields) -> Reply:
    """A key out of its components."""
    count = fields.take(1)
    if count not in "23456789":
        raise HsmError(errors.COUNT)
    key_type, scheme = fields.take(3), _one_of(fields.take(1), hsm.lmk.schemes, errors.KEY_SCHEME)
    parts = [hsm.lmk.read_any(fields, key_type, errors.FIRST_KEY_PARITY) for _ in range(int(count))]
    fields.lmk_id(hsm.lmk_id)
    value, version = parts[0].value, "00"
    for part in parts[1:]:
        _require_same_kind(parts[0], part)
        value = xor(value, part.value)
    if fields.accept("#"):
        version = _read_version(fields)
        _no_optional_blocks(fields)
    fields.end(hsm.lmk_id)
    key = replace(parts[0], value=value, version=version).with_odd_parity()
    if key.is_weak():
        raise HsmError(errors.FIRST_KEY_PARITY)
    return Reply(hsm.lmk.write(key, key_type, scheme) + key.check_value(6))


def _require_same_kind(first: Key, part: Key) -> None:
    if part.usage != first.usage:
        raise HsmError(errors.BLOCK_USAGE)
    if part.algorithm != first.algorithm:
        raise HsmError(errors.BLOCK_ALGORITHM)
    if len(part.value) != len(first.value):
        raise HsmError(errors.KEY_LENGTH)


@command("A6")
def import_key(hsm: Hsm, fields: Fields) -> Reply:
    """A key from a ZMK to the LMK."""
    key_type = fields.take(3)
    hsm.lmk.require_key_type(key_type)
    transport = hsm.lmk.read(fields, ZMK, "decrypt", errors.FIRST_KEY_PARITY)
    key = _import(fields, transport)
    scheme = _one_of(fields.take(1), hsm.lmk.schemes, errors.KEY_SCHEME)
    fields.lmk_id(hsm.lmk_id)
    if fields.accept("#"):
        key = _read_attributes(fields, key)
    fields.end(hsm.lmk_id)
    if scheme == "S" and not key.usage:
        raise HsmError(errors.INPUT_DATA)
    _one_of(key.usage or "K0", USAGES, errors.BLOCK_USAGE)
    if key.is_weak():
        raise HsmError(errors.SECOND_KEY_PARITY)
    code = "00" if key.has_odd_parity() else errors.KEY_PARITY_ADVICE
    key = key.with_odd_parity()
    return Reply(hsm.lmk.write(key, key_type, scheme) + key.check_value(6), code)


@command("A8")
def export_key(hsm: Hsm, fields: Fields) -> Reply:
    """A key from the LMK to a ZMK or TMK."""
    key_type = fields.take(3)
    hsm.lmk.require_key_type(key_type)
    transport = _read_transport_key(hsm, fields, "encrypt")
    key = hsm.lmk.read_any(fields, key_type, errors.SECOND_KEY_PARITY)
    scheme = _read_export_scheme(fields)
    fields.lmk_id(hsm.lmk_id)
    sent = key
    if fields.accept("&"):
        exportability = _one_of(fields.take(1), EXPORTABILITIES, errors.BLOCK_EXPORTABILITY)
        sent = replace(key, exportability=exportability)
    block_version = _read_block_version(fields, transport)
    fields.end(hsm.lmk_id)
    if key.exportability == "N":
        raise HsmError(errors.BLOCK_EXPORTABILITY)
    if scheme in "SR" and not key.usage:
        raise HsmError(errors.KEY_SCHEME)  # a key under a variant LMK has no attributes for a header
    return Reply(_export(sent, transport, scheme, block_version) + key.check_value(6))


@command("BU")
def check_value(hsm: Hsm, fields: Fields) -> Reply:
    """The check value of a key."""
    code, length = fields.take(2), fields.take(1)
    key_fields = fields.copy()
    lmk.skip_key(fields)
    if code != "FF":
        key_type = "0" + code
    elif fields.accept(";"):
        key_type = fields.take(3)
    else:
        raise HsmError(errors.INPUT_DATA)
    key = hsm.lmk.read_any(key_fields, key_type, errors.FIRST_KEY_PARITY)
    lengths = {"0": 8, "1": 16, "2": 24, "F": len(key.value)}
    if length not in lengths or lengths[length] != len(key.value):
        raise HsmError(errors.KEY_LENGTH)
    digits = 16
    if fields.accept(";"):
        if fields.take(2) != "00":
            raise HsmError(errors.INPUT_DATA)
        digits = {"0": 16, "1": 6}[_one_of(fields.take(1), "01", errors.INPUT_DATA)]
    fields.end(hsm.lmk_id)
    return Reply(key.check_value(digits))
