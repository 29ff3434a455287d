"""Validates the Python algorithms of this folder against ``vectors/crypto-vectors.json``.

The groups of the payShield are for ``payshield/validate.py``. Key blocks of version E are counted as left out: psec
does not have them.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pydukpt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import CBC
from psec.des import encrypt_tdes_cbc

from algorithms import aes_dukpt, check_values, key_blocks, macs, pin_blocks, pin_values, tdes_dukpt
from algorithms.ciphers import sm4_decrypt, sm4_encrypt, tdes_decrypt, tdes_encrypt
from payshield.keys import WEAK_DES_KEYS

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "crypto-vectors.json"
#: Outputs that describe and are not computed.
DESCRIPTIONS = ("reason", "note")
#: Random transactions for which another library is asked.
THIRD_OPINIONS = 500
#: Outputs that nothing here needs.
NOT_NEEDED = ("possibly_weak",)


class LeftOut(Exception):
    """The vector is not for these algorithms."""


class Inputs:
    """The inputs of a vector."""

    def __init__(self, vector: dict[str, Any]) -> None:
        self.values: dict[str, Any] = vector["inputs"]
        self.algorithm: str = vector["algorithm"].lower()

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def text(self, *names: str) -> str:
        """The first of the names that is there."""
        return str(next(self.values[name] for name in names if name in self.values))

    def binary(self, *names: str) -> bytes:
        """As :meth:`text`, in hexadecimal."""
        return bytes.fromhex(self.text(*names))

    @property
    def data(self) -> bytes:
        """The message."""
        if "data_ascii" in self:
            return self.text("data_ascii").encode()
        return self.binary("data", "mab")

    @property
    def padding(self) -> int:
        """The padding method, 1 if the vector does not say."""
        return int(self.text("padding")) if "padding" in self else 1

    @property
    def account(self) -> str:
        """Twelve digits without the check digit."""
        for name in ("account12", "account_digits12", "account12_no_check_digit"):
            if name in self:
                return self.text(name)
        return pin_blocks.account12(self.text("pan"))


def leftmost(name: str, value: bytes) -> bytes:
    """The part that a name such as ``mac_4`` asks for."""
    number = name.rsplit("_", 1)[-1]
    return value[: int(number)] if number.isdecimal() else value


def value_tdes_dukpt(name: str, inputs: Inputs) -> bytes:
    """Group ``tdes_dukpt``."""
    ksn = inputs.binary("ksn")
    ipek = tdes_dukpt.initial_key(inputs.binary("bdk"), ksn)
    key = tdes_dukpt.transaction_key(ipek, ksn)
    if name == "ipek":
        return ipek
    if name == "transaction_key":
        return key
    if name == "encrypted_pin_block":
        clear = pin_blocks.encode_0(inputs.text("pin"), inputs.text("pan"))
        return tdes_encrypt(tdes_dukpt.working_key(key, "pin"), clear)
    kind, direction = name.split("_")[:2]
    working = tdes_dukpt.working_key(key, f"{kind.replace('cmac', 'mac')}_{direction}")
    if kind == "cmac":
        return macs.cmac_tdes(working, inputs.data)
    if kind == "mac":
        return leftmost(name, macs.algorithm_3(working, inputs.data, 1))
    data = inputs.data
    return encrypt_tdes_cbc(working, bytes(8), data + bytes(-len(data) % 8))


def value_aes_dukpt(name: str, inputs: Inputs) -> bytes | str:
    """Group ``aes_dukpt``."""
    if name == "update_key":
        initial, identifier = inputs.binary("initial_key"), inputs.binary("initial_key_id")
        return aes_dukpt.update_key(initial, identifier, inputs.text("key_type").lower())
    ksn = inputs.binary("ksn")
    if "bdk" in inputs:
        initial = aes_dukpt.initial_key(inputs.binary("bdk"), ksn[:8])
    else:
        initial = inputs.binary("initial_key")
    key = aes_dukpt.transaction_key(initial, ksn)
    if name == "initial_key":
        return initial
    if name == "transaction_key":
        return key
    if "_key_" in name:
        usage, key_type = name.split("_key_")
        return aes_dukpt.working_key(key, ksn, usage, key_type)
    if name.startswith("cmac"):
        usage = "mac_gen" if name == "cmac_request" else "mac_ver"
        return macs.cmac_aes(aes_dukpt.working_key(key, ksn, usage, "aes128"), inputs.data)
    pin_key = aes_dukpt.working_key(key, ksn, "pin", "aes128")
    if name == "pin":
        return pin_blocks.decrypt_4(pin_key, inputs.binary("encrypted_pin_block_iso4"), inputs.text("pan"))
    return pin_blocks.encrypt_4(pin_key, inputs.text("pin"), inputs.text("pan"), inputs.binary("iso4_random8"))


def value_pin_block(name: str, inputs: Inputs) -> bytes | str:
    """Group ``pin_block``."""
    if name == "pan_field":
        return pin_blocks.pan_field_4(inputs.text("pan"))
    form = name[-1] if name[-1].isdecimal() else _format_named(inputs.algorithm)
    if form == "4":
        return _value_format_4(name, inputs)
    if name in ("pin", "result"):
        block = inputs.binary("clear_pin_block")
        pan = inputs.account + "0" if form in "03" else ""
        decode: dict[str, Callable[[], str]] = {
            "0": lambda: pin_blocks.decode_0(block, pan),
            "1": lambda: pin_blocks.decode_1(block),
            "2": lambda: pin_blocks.decode_2(block),
            "3": lambda: pin_blocks.decode_3(block, pan),
        }
        return decode[form]()
    clear = _clear_block(form, inputs)
    return tdes_encrypt(inputs.binary("key_tdes"), clear) if name.startswith("encrypted") else clear


def _format_named(algorithm: str) -> str:
    return algorithm.split("format ")[1][0]


def _clear_block(form: str, inputs: Inputs) -> bytes:
    pin = inputs.text("pin")
    if form == "1":
        return pin_blocks.encode_1(pin, inputs.text("fill"))
    if form == "2":
        return pin_blocks.encode_2(pin)
    if form == "3":
        return pin_blocks.encode_3(pin, inputs.account + "0", inputs.text("fill", "fill3"))
    return pin_blocks.encode_0(pin, inputs.account + "0")


def _value_format_4(name: str, inputs: Inputs) -> bytes | str:
    key, pan = inputs.binary("key"), inputs.text("pan")
    if name == "encrypted_pin_block":
        return pin_blocks.encrypt_4(key, inputs.text("pin"), pan, inputs.binary("random8"))
    block = inputs.binary("encrypted_pin_block")
    if name == "pin_field":
        return pin_blocks.decrypted_pin_field_4(key, block, pan)
    return pin_blocks.decrypt_4(key, block, pan)


def value_pvv(name: str, inputs: Inputs) -> bytes | str:
    """Group ``pvv``."""
    del name
    return pin_values.pvv(inputs.binary("pvk"), inputs.text("pvki"), inputs.text("pin"), inputs.account)


def value_ibm3624(name: str, inputs: Inputs) -> bytes | str:
    """Group ``ibm3624``."""
    pvk, data = inputs.binary("pvk"), inputs.text("validation_data")
    natural = pin_values.natural_digits(pvk, inputs.text("decimalization_table"), data)
    if name == "encrypted_validation_data":
        return tdes_encrypt(pvk, bytes.fromhex(data))
    if name == "offset":
        return pin_values.offset(natural, inputs.text("pin"))
    return natural[: len(inputs.text("pin"))] if name == "natural_pin" else natural


def value_tr31(name: str, inputs: Inputs) -> bytes | str:
    """Group ``tr31``."""
    block = inputs.text("key_block")
    if block[0] not in key_blocks.VERSIONS:
        raise LeftOut
    header, key = key_blocks.unwrap(inputs.binary("kbpk"), block)
    values: dict[str, Callable[[], bytes | str]] = {
        "key": lambda: key,
        "header": lambda: block[:16],
        "key_usage": lambda: header.key_usage,
        "algorithm": lambda: header.algorithm,
        "mode_of_use": lambda: header.mode_of_use,
        "exportability": lambda: header.exportability,
        "kcv": lambda: (check_values.aes_cmac if header.algorithm == "A" else check_values.tdes_zeros)(key),
        "result": lambda: "accept",
    }
    return values[name]()


def value_kcv(name: str, inputs: Inputs) -> bytes:
    """Group ``kcv``."""
    del name
    method = {
        "kcv tdes zeros": check_values.tdes_zeros,
        "kcv aes cmac": check_values.aes_cmac,
        "kcv aes zeros": check_values.aes_zeros,
        "kcv sm4 zeros": check_values.sm4_zeros,
    }[inputs.algorithm]
    return method(inputs.binary("key"))


def value_mac(name: str, inputs: Inputs) -> bytes:
    """Group ``mac``."""
    if name == "tak":
        return tdes_decrypt(inputs.binary("tmk"), inputs.binary("encrypted_tak"))
    if name in ("mac_field64", "mac_ascii"):
        return macs.union_pay_ecb(inputs.binary("mak", "tak", "key"), inputs.data)
    name = name.removesuffix("_computed")
    if "key1" in inputs:
        return macs.algorithm_3_of(inputs.binary("key1"), inputs.binary("key2"), inputs.data, inputs.padding)
    retail = any(word in inputs.algorithm for word in ("algorithm 3", "x9.19", "retail"))
    method = macs.algorithm_3 if retail else macs.algorithm_1
    return leftmost(name, method(inputs.binary("key"), inputs.data, inputs.padding))


def value_cmac(name: str, inputs: Inputs) -> bytes:
    """Group ``cmac``."""
    del name
    method = macs.cmac_aes if "aes" in inputs.algorithm else macs.cmac_tdes
    return method(inputs.binary("key"), inputs.data)


def value_sm4(name: str, inputs: Inputs) -> bytes:
    """Group ``sm4``."""
    if name == "ciphertext":
        if "iterations" in inputs:
            return _sm4_iterated(inputs.binary("key"), inputs.binary("plaintext"), int(inputs.text("iterations")))
        return sm4_encrypt(inputs.binary("key"), inputs.binary("plaintext"))
    if name == "clear_pin_block":
        return pin_blocks.sm4_layout_1(inputs.text("pin"), inputs.account)
    if name == "encrypted_pin_block":
        return _sm4_pin_block(inputs)
    if name == "cmac":
        return macs.cmac_sm4(inputs.binary("key"), inputs.data)
    if name.startswith("mac"):
        return leftmost(name, macs.cbc_mac_sm4(inputs.binary("key"), inputs.data, inputs.padding))
    key = sm4_decrypt(inputs.binary("tmk"), inputs.binary("encrypted_key"))
    return key if name == "key" else check_values.sm4_zeros(key)[:8]


def _sm4_iterated(key: bytes, block: bytes, iterations: int) -> bytes:
    """CBC over zero blocks, by cryptography: a million iterations take minutes with gmssl, which is all Python."""
    return Cipher(SM4(key), CBC(block)).encryptor().update(bytes(16 * iterations))[-16:]


def _sm4_pin_block(inputs: Inputs) -> bytes:
    key = inputs.binary("key")
    if "pin" in inputs:
        return sm4_encrypt(key, pin_blocks.sm4_layout_1(inputs.text("pin"), inputs.account))
    clear = inputs.binary("clear_pin_block")
    return pin_blocks.sm4_layout_2(key, clear) if len(clear) == 8 else sm4_encrypt(key, clear)


def value_weak_keys(name: str, inputs: Inputs) -> str:
    """Group ``weak_keys``: the weak and semi-weak keys, which the payShield counterpart refuses."""
    del inputs
    repeated = {key for key in WEAK_DES_KEYS if key[:4] == key[:1] * 4 and key[4:] == key[4:5] * 4}
    keys = repeated if name == "weak" else WEAK_DES_KEYS - repeated
    return " ".join(sorted(key.hex() for key in keys))


GROUPS: dict[str, Callable[[str, Inputs], bytes | str]] = {
    name.removeprefix("value_"): function for name, function in list(globals().items()) if name.startswith("value_")
}


def difference(vector: dict[str, Any]) -> str | None:
    """What is wrong with a vector, or None. A negative one must be refused."""
    compute, inputs = GROUPS[vector["group"]], Inputs(vector)
    negative = vector.get("negative", False)
    for name, expected in vector["outputs"].items():
        if name in DESCRIPTIONS + NOT_NEEDED:
            continue
        if isinstance(expected, list):
            expected = " ".join(sorted(expected))
        try:
            got = compute(name, inputs)
        except ValueError as error:
            if negative and name == "result":
                continue
            return f"{name}: {error}"
        shown = got if isinstance(got, str) else got.hex()
        if name == "kcv":
            shown = shown[: len(expected)]
        if shown.upper() != expected.upper():
            return f"{name}: expected {expected}, got {shown}"
    return None


def third_opinion(cases: int) -> int:
    """How many random transactions pydukpt sees otherwise; it is asked here only and makes no vectors."""
    random, differing = Random(1), 0
    for _ in range(cases):
        ones = random.sample(range(tdes_dukpt.COUNTER_BITS), random.randint(1, tdes_dukpt.MOST_ONE_BITS))
        terminal = int.from_bytes(random.randbytes(10), "big") >> tdes_dukpt.COUNTER_BITS << tdes_dukpt.COUNTER_BITS
        bdk, ksn = random.randbytes(16), (terminal + sum(1 << bit for bit in ones)).to_bytes(10, "big")
        theirs = pydukpt.derive_key(pydukpt.derive_ipek(bdk, ksn), ksn)
        purposes = {
            "pin": pydukpt.pin_key,
            "mac_request": pydukpt.mac_request_key,
            "mac_response": pydukpt.mac_response_key,
            "data_request": pydukpt.data_request_key,
            "data_response": pydukpt.data_response_key,
        }
        differing += any(tdes_dukpt.key_for(bdk, ksn, name) != key(theirs) for name, key in purposes.items())
    return differing


def main() -> int:
    """0 if all passed, else 1."""
    counts: Counter[str] = Counter()
    for vector in json.loads(VECTORS.read_text())["vectors"]:
        if vector["group"] not in GROUPS:
            continue
        try:
            found = difference(vector)
        except LeftOut:
            counts["left out"] += 1
            continue
        counts["failed" if found else "passed"] += 1
        if found:
            print(f"{vector['id']}: {found}")
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['left out']} left out (version E)")
    differing = third_opinion(THIRD_OPINIONS)
    print(f"pydukpt: {THIRD_OPINIONS - differing} of {THIRD_OPINIONS} random TDES DUKPT transactions agree")
    return 1 if counts["failed"] or differing or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
