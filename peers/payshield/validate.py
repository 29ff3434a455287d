"""Runs the payShield groups of the vectors, recorded exchanges and keys, against the counterpart over a socket."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from algorithms.ciphers import tdes_decrypt, tdes_encrypt
from payshield.testing import TIMEOUT_S, Counterpart

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "crypto-vectors.json"
#: As the simulator was set up that recorded the variant vectors.
VARIANT_OPTIONS = ("--lmk", "variant", "--pin-length", "5", "--m7-length")
_X9_17_TAGS = {8: "", 16: "X", 24: "Y"}
#: Digits of NC's reply that belong to the LMK and the firmware and not to the protocol.
_OWN_FACTS = 16 + 9

Vector = dict[str, Any]
Differences = Iterator[str]


def _compare(name: str, expected: str, got: str) -> Differences:
    if expected.upper() != got.upper():
        yield f"{name}: expected {expected}, got {got}"


def check_exchange(hsm: Counterpart, vector: Vector) -> Differences:
    """A recorded command and its response."""
    yield from _compare("response", vector["outputs"]["response"], hsm.exchange(vector["inputs"]["command"]))


def check_stored_key(hsm: Counterpart, vector: Vector) -> Differences:
    """A key block under the LMK: its check value by BU, the key itself by A8 under a known ZMK."""
    block, outputs = vector["inputs"]["key_block"], vector["outputs"]
    yield from _compare("kcv", "BV00" + outputs["kcv"], hsm.exchange(f"BUFFF{block};FFF;001"))
    tag = _X9_17_TAGS[len(outputs["key"]) // 2]
    reply = hsm.exchange(f"A8FFF{hsm.facts['zmk']}{block}{tag}")
    sent = reply[4 + len(tag) : -6]
    clear = tdes_decrypt(bytes.fromhex(hsm.facts["zmk_clear"]), bytes.fromhex(sent)) if reply[:4] == "A900" else b""
    yield from _compare("key", outputs["key"], clear.hex() or reply)


def check_imported_key(hsm: Counterpart, vector: Vector) -> Differences:
    """A clear key, brought in by A6: what it looks like under the variant LMK."""
    inputs, outputs = vector["inputs"], vector["outputs"]
    reply = hsm.exchange(
        f"A6{inputs['key_type']}{hsm.facts['zmk']}{_under_zmk(hsm, inputs['clear_key'])}{inputs['scheme'][0]}"
    )
    yield from _compare("key under LMK", "A700" + outputs["key_under_lmk"] + outputs["kcv"], reply)


def check_dukpt_mac(hsm: Counterpart, vector: Vector) -> Differences:
    """A DUKPT MAC by GW, with a BDK brought in by A6."""
    inputs = vector["inputs"]
    reply = hsm.exchange(f"A6FFF{hsm.facts['zmk']}{_under_zmk(hsm, inputs['bdk'])}S#B0N00E00")
    data = bytes.fromhex(inputs["data"])
    command = f"GW41{reply[4:-6]}A05{inputs['ksn']}{len(data):04}".encode() + data
    yield from _compare("MAC", "GX00" + vector["outputs"]["mac_8"], hsm.exchange(command))


def check_framing(hsm: Counterpart, vector: Vector) -> Differences:
    """The bytes of a command and of its response, but for the check value and firmware of another module."""
    connection = hsm.connect()
    connection.socket.settimeout(TIMEOUT_S)
    connection.socket.sendall(bytes.fromhex(vector["outputs"]["request_hex"]))
    header, payload = connection.receive()
    connection.close()
    got = (len(header + payload.encode()).to_bytes(2, "big") + header + payload.encode()).hex()
    expected = vector["outputs"]["response_example_hex"]
    yield from _compare("framing", expected[: -2 * _OWN_FACTS], got[: -2 * _OWN_FACTS])
    yield from _compare("length", str(len(expected)), str(len(got)))


def _under_zmk(hsm: Counterpart, clear_key: str) -> str:
    key = bytes.fromhex(clear_key)
    return _X9_17_TAGS[len(key)] + tdes_encrypt(bytes.fromhex(hsm.facts["zmk_clear"]), key).hex().upper()


def differences(block: Counterpart, variant: Counterpart, vector: Vector) -> Differences:
    """What a vector finds wrong."""
    inputs = vector["inputs"]
    hsm = variant if vector["group"] == "payshield_variant" else block
    if "payload" in inputs:
        return check_framing(hsm, vector)
    if "command" in inputs:
        return check_exchange(hsm, vector)
    if "key_block" in inputs:
        return check_stored_key(hsm, vector)
    if "bdk" in inputs:
        return check_dukpt_mac(hsm, vector)
    return check_imported_key(hsm, vector)


def main() -> int:
    """0 if all passed, else 1."""
    vectors = json.loads(VECTORS.read_text())["vectors"]
    vectors = [vector for vector in vectors if vector["group"].startswith("payshield_")]
    failed = 0
    with Counterpart() as block, Counterpart(*VARIANT_OPTIONS) as variant:
        for vector in vectors:
            found = list(differences(block, variant, vector))
            failed += bool(found)
            for difference in found:
                print(f"{vector['id']}: {difference}")
    print(f"{len(vectors) - failed} passed, {failed} failed")
    return 1 if failed or not vectors else 0


if __name__ == "__main__":
    sys.exit(main())
