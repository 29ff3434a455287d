"""The paths of crates/paycrypto/examples/pin_path.rs with the libraries that a tester has today: psec and pydukpt.

Prints one JSON object: nanoseconds of processor time for each operation, the smallest of several batches.
Run by `measure` in an environment that has them.
"""

import json
import time

import psec
import pydukpt

KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
OTHER_KEY = b"fedcba9876543210"
PVK = b"0123456789abcdef"
PAN, PIN = "6230606601007726888", "123456"
KSN = bytes.fromhex("FFFF9876543210EA5A52")  # nine one-bits, as in the example
PVV = psec.pin.generate_visa_pvv(PVK, "1", PIN[:4], PAN)
BATCHES, BATCH_NS = 15, 100_000_000

_TRANSACTION_KEY = pydukpt.derive_key(pydukpt.derive_ipek(KEY, KSN), KSN)
_DUKPT_BLOCK = pydukpt.encrypt_pin(_TRANSACTION_KEY, PIN, PAN)
_ISO_0_BLOCK = psec.des.encrypt_tdes_ecb(KEY, psec.pinblock.encode_pinblock_iso_0(PIN, PAN))
_ISO_4_BLOCK = psec.pinblock.encipher_pinblock_iso_4(KEY, PIN, PAN)
_KEY_BLOCK = psec.tr31.wrap(KEY + OTHER_KEY, "D0112P0TB00N0000", KEY)


def dukpt_tdes_pvv():
    key = pydukpt.derive_key(pydukpt.derive_ipek(KEY, KSN), KSN)
    pin = pydukpt.decrypt_pin(key, _DUKPT_BLOCK, PAN)
    assert psec.pin.generate_visa_pvv(PVK, "1", pin[:4], PAN) == PVV


def iso0_translate_pvv():
    pin = psec.pinblock.decode_pinblock_iso_0(psec.des.decrypt_tdes_ecb(KEY, _ISO_0_BLOCK), PAN)
    psec.des.encrypt_tdes_ecb(OTHER_KEY, psec.pinblock.encode_pinblock_iso_0(pin, PAN))
    assert psec.pin.generate_visa_pvv(PVK, "1", pin[:4], PAN) == PVV


def iso4_translate():
    pin = psec.pinblock.decipher_pinblock_iso_4(KEY, _ISO_4_BLOCK, PAN)
    psec.pinblock.encipher_pinblock_iso_4(OTHER_KEY, pin, PAN)


def key_block_d_unwrap():
    _, key = psec.tr31.unwrap(KEY + OTHER_KEY, _KEY_BLOCK)
    assert key == KEY


def batch(path, times):
    start = time.process_time_ns()
    for _ in range(times):
        path()
    return time.process_time_ns() - start


def nanoseconds(path):
    times = max(1, BATCH_NS // max(1, batch(path, 20) // 20))
    return min(batch(path, times) / times for _ in range(BATCHES))


if __name__ == "__main__":
    paths = [dukpt_tdes_pvv, iso0_translate_pvv, iso4_translate, key_block_d_unwrap]
    print(json.dumps({path.__name__.replace("_", "-"): nanoseconds(path) for path in paths}))
