"""TR-31 key blocks, sound and tampered with."""

from random import Random

from psec import tr31

from algorithms import check_values, key_blocks

from .common import Vector, des_key, refused, vector

_PSEC = "psec 1.3.0"
#: Usages with the algorithms and modes of use that go with them.
_KINDS = (
    ("P0", "TA", "BDEN"),
    ("B0", "TA", "XN"),
    ("K0", "TA", "BDEN"),
    ("D0", "TA", "BDEN"),
    ("M1", "T", "CGVN"),
    ("M3", "T", "CGVN"),
    ("M6", "TA", "CGVN"),
    ("V1", "T", "CGVN"),
    ("V2", "T", "CGVN"),
)


def _sound(random: Random) -> tuple[bytes, tr31.Header, bytes, str]:
    """A block key that is at least as strong as the key, the header, the key, and the block."""
    version = random.choice(key_blocks.VERSIONS)
    usage, algorithms, modes = random.choice(_KINDS)
    algorithm = random.choice(algorithms) if version == "D" else "T"
    if algorithm == "A":
        key = random.randbytes(random.choice((16, 24, 32)))
    else:
        key = des_key(random, random.choice((2, 3)))
    if version == "D":
        kbpk = random.randbytes(
            random.choice([length for length in (16, 24, 32) if algorithm == "T" or length >= len(key)])
        )
    else:
        kbpk = des_key(random, random.choice((2, 3)) if len(key) == 16 else 3)
    exportability, version_number = random.choice("ENS"), random.choice(("00", "01", "12"))
    header = tr31.Header(version, usage, algorithm, random.choice(modes), version_number, exportability)
    if random.random() < 0.25:
        header.blocks["LB"] = f"LABEL {random.randrange(10**6)}"
    masked_length = random.choice((len(key), 32 if algorithm == "A" else 24))
    return kbpk, header, key, key_blocks.wrap(kbpk, header, key, masked_length, random.randbytes)


def sound(random: Random) -> Vector:
    """A block and what is in it."""
    kbpk, header, key, block = _sound(random)
    opened_header, opened = key_blocks.unwrap(kbpk, block)
    if opened != key:
        raise AssertionError("psec does not open its own block")
    value = check_values.aes_cmac(key) if header.algorithm == "A" else check_values.tdes_zeros(key)
    return vector(
        "tr31",
        f"TR-31/X9.143 key block version {header.version_id}",
        _PSEC,
        {"kbpk": kbpk, "key_block": block},
        {
            "key": opened,
            "header": block[:16],
            "key_usage": opened_header.key_usage,
            "algorithm": opened_header.algorithm,
            "mode_of_use": opened_header.mode_of_use,
            "key_version": opened_header.version_num,
            "exportability": opened_header.exportability,
            "kcv": value[:3],
        },
    )


def tampered(random: Random) -> Vector:
    """A block with one character altered, anywhere, or under another block key: as psec refuses it."""
    while True:
        kbpk, header, _, block = _sound(random)
        place = random.randrange(-1, len(block))
        if place < 0:
            kbpk = des_key(random, len(kbpk) // 8) if header.version_id != "D" else random.randbytes(len(kbpk))
            reason = "another block key"
        else:
            other = random.choice([character for character in "0123456789ABCDEF" if character != block[place]])
            block = block[:place] + other + block[place + 1 :]
            reason = f"character {place} altered"
        try:
            key_blocks.unwrap(kbpk, block)
        except ValueError:
            inputs = {"kbpk": kbpk, "key_block": block}
            return refused("tr31", "TR-31 tampered block must be rejected", _PSEC, inputs, reason)


MAKERS = (sound, sound, sound, tampered, tampered)
