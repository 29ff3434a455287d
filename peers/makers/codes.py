"""Message authentication codes, SM4 and check values."""

from random import Random

from algorithms import check_values, macs
from algorithms.ciphers import sm4_encrypt

from .common import Vector, des_key, message, padded_message, vector

_PSEC = "psec 1.3.0"
_CRYPTOGRAPHY = "cryptography 48.0.0"
_PYCRYPTODOME = "pycryptodome"
_GMSSL = "gmssl 3.2.2"


def algorithm_1(random: Random) -> Vector:
    """ISO 9797-1 algorithm 1 with DES or TDES."""
    parts = random.choice((1, 2, 3))
    key = des_key(random, parts)
    data, padding = padded_message(random)
    value = macs.algorithm_1(key, data, padding)
    name = "ISO 9797-1 MAC algorithm 1 (DES CBC-MAC)" if parts == 1 else "ISO 9797-1 MAC algorithm 1 with TDES"
    return vector(
        "mac", name, _PSEC, {"key": key, "data": data, "padding": padding}, {"mac_8": value, "mac_4": value[:4]}
    )


def algorithm_3(random: Random) -> Vector:
    """ISO 9797-1 algorithm 3."""
    key = des_key(random, 2)
    data, padding = padded_message(random)
    value = macs.algorithm_3(key, data, padding)
    inputs = {"key": key, "data": data, "padding": padding}
    return vector("mac", "ISO 9797-1 MAC algorithm 3", _PSEC, inputs, {"mac_8": value, "mac_4": value[:4]})


def x9_9(random: Random) -> Vector:
    """ANSI X9.9: algorithm 1 with single DES and padding 1."""
    key, data = des_key(random, 1), message(random)
    return vector(
        "mac", "FIPS 113 / ANSI X9.9 DAA", _PSEC, {"key": key, "data": data}, {"mac_8": macs.algorithm_1(key, data, 1)}
    )


def x9_19(random: Random) -> Vector:
    """ANSI X9.19: algorithm 3 with padding 1."""
    key, data = des_key(random, 2), message(random)
    return vector(
        "mac", "ANSI X9.19 retail MAC", _PSEC, {"key": key, "data": data}, {"mac_8": macs.algorithm_3(key, data, 1)}
    )


def union_pay(random: Random) -> Vector:
    """Field 64 of a terminal message of UnionPay."""
    parts, data = random.choice((1, 2)), message(random)
    key = des_key(random, parts)
    value = macs.union_pay_ecb(key, data)
    algorithm = f"UnionPay POS MAC, {'single' if parts == 1 else 'double'}-length MAK"
    return vector(
        "mac", algorithm, _PYCRYPTODOME, {"mak": key, "mab": data}, {"mac_field64": value, "mac_ascii": value.decode()}
    )


def cmac(random: Random) -> Vector:
    """CMAC with AES or TDES."""
    data = message(random)
    if random.random() < 0.5:
        length = random.choice((16, 24, 32))
        key = random.randbytes(length)
        algorithm, value = f"AES-{8 * length}-CMAC", macs.cmac_aes(key, data)
    else:
        parts = random.choice((2, 3))
        key = des_key(random, parts)
        algorithm, value = f"TDES-CMAC ({parts} keys)", macs.cmac_tdes(key, data)
    return vector("cmac", algorithm, _CRYPTOGRAPHY, {"key": key, "data": data}, {"cmac": value})


def sm4_cbc_mac(random: Random) -> Vector:
    """ISO 9797-1 algorithm 1 with SM4."""
    key = random.randbytes(16)
    data, padding = padded_message(random)
    value = macs.cbc_mac_sm4(key, data, padding)
    return vector(
        "sm4",
        "SM4 CBC-MAC (ISO 9797-1 algorithm 1)",
        _GMSSL,
        {"key": key, "data": data, "padding": padding},
        {"mac_16": value, "mac_8": value[:8]},
    )


def sm4_cmac(random: Random) -> Vector:
    """CMAC with SM4."""
    key, data = random.randbytes(16), message(random)
    return vector("sm4", "SM4-CMAC", _CRYPTOGRAPHY, {"key": key, "data": data}, {"cmac": macs.cmac_sm4(key, data)})


def sm4_ecb(random: Random) -> Vector:
    """SM4 of some blocks, in one direction or the other."""
    key, plaintext = random.randbytes(16), random.randbytes(16 * random.randint(1, 4))
    pair = {"plaintext": plaintext, "ciphertext": sm4_encrypt(key, plaintext)}
    given, wanted = random.sample(sorted(pair), 2)
    return vector("sm4", "SM4 ECB", _GMSSL, {"key": key, given: pair[given]}, {wanted: pair[wanted]})


def check_value(random: Random) -> Vector:
    """A key check value by each method, of some length."""
    algorithm, key, value, library, lengths = random.choice(_check_values(random))
    made = value[: random.choice(lengths)]
    return vector("kcv", algorithm, library, {"key": key}, {"kcv": made})


def _check_values(random: Random) -> list[tuple[str, bytes, bytes, str, tuple[int, ...]]]:
    tdes, aes, sm4 = (
        des_key(random, random.choice((1, 2, 3))),
        random.randbytes(random.choice((16, 24, 32))),
        random.randbytes(16),
    )
    return [
        ("KCV TDES zeros", tdes, check_values.tdes_zeros(tdes), _PYCRYPTODOME, (3, 8)),
        ("KCV AES CMAC", aes, check_values.aes_cmac(aes), _CRYPTOGRAPHY, (3, 5)),
        ("KCV AES zeros", aes, check_values.aes_zeros(aes), _PYCRYPTODOME, (3, 5)),
        ("KCV SM4 zeros", sm4, check_values.sm4_zeros(sm4), _GMSSL, (3, 8)),
    ]


MAKERS = (algorithm_1, algorithm_3, x9_9, x9_19, union_pay, cmac, sm4_cbc_mac, sm4_cmac, sm4_ecb, check_value)
