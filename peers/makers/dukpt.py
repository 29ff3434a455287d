"""Both kinds of DUKPT. No library of PyPI has AES DUKPT, and those of TDES DUKPT differ: see ``algorithms``."""

from random import Random

from psec.des import encrypt_tdes_cbc

from algorithms import aes_dukpt, macs, pin_blocks, tdes_dukpt
from algorithms.ciphers import tdes_encrypt

from .common import Vector, des_key, message, pan, pin, refused, vector

_TDES = "ANSI X9.24-1 in Python on pycryptodome; MACs of psec and cryptography"
_AES = "ANSI X9.24-3 in Python on pycryptodome; CMAC of cryptography"
_TDES_ALGORITHM = "TDES DUKPT (ANSI X9.24-1:2009)"
_TDES_WIDTH, _AES_WIDTH = tdes_dukpt.COUNTER_BITS, 32


def _counter(random: Random, width: int, most_one_bits: int) -> int:
    """A counter that a terminal may reach: a low one, one at a roll-over, or any."""
    kind = random.randrange(3)
    if kind == 0:
        value = random.randint(1, 64)
    elif kind == 1:  # the last of a row of one-bits, and the first after it
        low = random.randint(0, width - most_one_bits)
        value = ((1 << random.randint(1, most_one_bits)) - 1) << low
        value = value if random.random() < 0.5 else min(value + (value & -value), (1 << width - 1))
    else:
        value = sum(1 << bit for bit in random.sample(range(width), random.randint(1, most_one_bits)))
    return value & ((1 << width) - 1)


def _too_many_bits(random: Random, width: int, most_one_bits: int) -> int:
    return sum(1 << bit for bit in random.sample(range(width), random.randint(most_one_bits + 1, width)))


def _tdes_ksn(random: Random, counter: int) -> bytes:
    terminal = int.from_bytes(random.randbytes(10), "big") >> _TDES_WIDTH << _TDES_WIDTH
    return (terminal | counter).to_bytes(10, "big")


def tdes(random: Random) -> Vector:
    """All keys of a transaction, its PIN block, MACs and data."""
    counter = _counter(random, _TDES_WIDTH, tdes_dukpt.MOST_ONE_BITS)
    bdk, ksn = des_key(random, 2), _tdes_ksn(random, counter)
    number, account, data = pin(random), pan(random), message(random) or b"0"
    ipek = tdes_dukpt.initial_key(bdk, ksn)
    key = tdes_dukpt.transaction_key(ipek, ksn)
    keys = {
        name: tdes_dukpt.working_key(key, name)
        for name in ("pin", "mac_request", "mac_response", "data_request", "data_response")
    }
    padded = data + bytes(-len(data) % 8)
    outputs = {"ipek": ipek, "transaction_key": key} | {f"{name}_key": value for name, value in keys.items()}
    outputs["encrypted_pin_block"] = tdes_encrypt(keys["pin"], pin_blocks.encode_0(number, account))
    for direction in ("request", "response"):
        mac_key, data_key = keys[f"mac_{direction}"], keys[f"data_{direction}"]
        outputs[f"mac_{direction}_8"] = macs.algorithm_3(mac_key, data, 1)
        outputs[f"cmac_{direction}"] = macs.cmac_tdes(mac_key, data)
        outputs[f"data_{direction}_cbc_iv0_zeropad{len(padded)}"] = encrypt_tdes_cbc(data_key, bytes(8), padded)
    inputs = {"bdk": bdk, "ksn": ksn, "pin": number, "pan": account, "data": data}
    return vector("tdes_dukpt", _TDES_ALGORITHM, _TDES, inputs, outputs)


def tdes_refused(random: Random) -> Vector:
    """A counter of more than ten one-bits, which no terminal uses."""
    ksn = _tdes_ksn(random, _too_many_bits(random, _TDES_WIDTH, tdes_dukpt.MOST_ONE_BITS))
    inputs = {"bdk": des_key(random, 2), "ksn": ksn, "pan": pan(random), "encrypted_pin_block": random.randbytes(8)}
    return refused("tdes_dukpt", _TDES_ALGORITHM, _TDES, inputs, "more than 10 one-bits in the counter")


def _aes_terminal(random: Random, counter: int) -> tuple[bytes, bytes]:
    """A base derivation key and a key serial number."""
    return random.randbytes(random.choice((16, 24, 32))), random.randbytes(8) + counter.to_bytes(4, "big")


def _aes_algorithm(bdk: bytes) -> str:
    return f"AES DUKPT (ANSI X9.24-3:2017), AES-{8 * len(bdk)} BDK"


def _key_types(bdk: bytes, usage: str) -> list[str]:
    """The types of working key that the standard allows: HMAC for MACs only, and none stronger than the BDK."""
    strengths = {"tdes2": 0, "tdes3": 0, "128": 16, "192": 24, "256": 32}
    strength = {name: strengths[name.removeprefix("aes").removeprefix("hmac")] for name in aes_dukpt.KEY_TYPES}
    return [
        name
        for name in aes_dukpt.KEY_TYPES
        if strength[name] <= len(bdk) and (usage.startswith("mac") or not name.startswith("hmac"))
    ]


def aes_keys(random: Random) -> Vector:
    """Every working key of a transaction."""
    bdk, ksn = _aes_terminal(random, _counter(random, _AES_WIDTH, aes_dukpt.MOST_ONE_BITS))
    initial = aes_dukpt.initial_key(bdk, ksn[:8])
    key = aes_dukpt.transaction_key(initial, ksn)
    outputs = {"initial_key": initial, "transaction_key": key}
    for usage in aes_dukpt.USAGES:
        for key_type in _key_types(bdk, usage):
            outputs[f"{usage}_key_{key_type}"] = aes_dukpt.working_key(key, ksn, usage, key_type)
    inputs = {"bdk": bdk, "initial_key_id": ksn[:8], "ksn": ksn}
    return vector("aes_dukpt", _aes_algorithm(bdk), _AES, inputs, outputs)


def aes_pin_and_mac(random: Random) -> Vector:
    """A PIN block of format 4 under a DUKPT key, and the MACs of both directions."""
    bdk, ksn = _aes_terminal(random, _counter(random, _AES_WIDTH, aes_dukpt.MOST_ONE_BITS))
    number, account, random8, data = pin(random), pan(random), random.randbytes(8), message(random)
    outputs = {
        "encrypted_pin_block_iso4": pin_blocks.encrypt_4(aes_dukpt.key_for(bdk, ksn, "pin"), number, account, random8),
        "cmac_request": macs.cmac_aes(aes_dukpt.key_for(bdk, ksn, "mac_gen"), data),
        "cmac_response": macs.cmac_aes(aes_dukpt.key_for(bdk, ksn, "mac_ver"), data),
    }
    inputs = {"bdk": bdk, "ksn": ksn, "pin": number, "pan": account, "iso4_random8": random8, "data": data}
    return vector("aes_dukpt", _aes_algorithm(bdk), _AES, inputs, outputs)


def aes_update_key(random: Random) -> Vector:
    """The key under which a new initial key is sent."""
    initial, identifier = random.randbytes(random.choice((16, 24, 32))), random.randbytes(8)
    key_type = random.choice(_key_types(initial, "key_enc"))
    inputs = {"initial_key": initial, "initial_key_id": identifier, "counter": "FFFFFFFF", "key_type": key_type}
    outputs = {"update_key": aes_dukpt.update_key(initial, identifier, key_type)}
    return vector("aes_dukpt", "AES DUKPT update key", _AES, inputs, outputs)


def aes_refused(random: Random) -> Vector:
    """A counter of more than sixteen one-bits, which no terminal uses."""
    bdk, ksn = _aes_terminal(random, _too_many_bits(random, _AES_WIDTH, aes_dukpt.MOST_ONE_BITS))
    inputs = {"bdk": bdk, "ksn": ksn, "pan": pan(random), "encrypted_pin_block": random.randbytes(16)}
    return refused("aes_dukpt", _aes_algorithm(bdk), _AES, inputs, "more than 16 one-bits in the counter")


MAKERS = (tdes, tdes, tdes, tdes_refused, aes_keys, aes_keys, aes_pin_and_mac, aes_update_key, aes_refused)
