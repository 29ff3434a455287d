#!/usr/bin/env python3
"""Checks an export of pinward's audit log without pinward: Python's standard library, nothing else.

    python3 verify_audit.py EXPORT [KEY]

Written from RFC 6962 (tree), RFC 8032 (Ed25519) and C2SP signed-note (checkpoints), not from pinward's code. Exit 0 when all
is in order, 1 with the first bad entry. Without KEY the export's own key is taken: that proves it is whole, not whose it is.
"""
import base64
import hashlib
import json
import sys

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def x_of(y, odd):
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P or (x == 0 and odd):
        raise ValueError("not a point")
    return P - x if x % 2 != odd else x


def point(data):
    number = int.from_bytes(data, "little")
    y, odd = number % 2**255, number >> 255
    if y >= P:
        raise ValueError("not a point")
    x = x_of(y, odd)
    return x, y, 1, x * y % P


def add(a, b):
    ax, ay, az, at = a
    bx, by, bz, bt = b
    e, f = (ay - ax) * (by - bx) % P, (ay + ax) * (by + bx) % P
    g, h = 2 * at * bt * D % P, 2 * az * bz % P
    w, x, y, z = f - e, h - g, h + g, f + e
    return w * x % P, y * z % P, x * y % P, w * z % P


def times(n, a):
    result = (0, 1, 1, 0)
    while n:
        if n & 1:
            result = add(result, a)
        a, n = add(a, a), n >> 1
    return result


def same(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


BASE_Y = 4 * pow(5, -1, P) % P
BASE_X = x_of(BASE_Y, 0)
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def signed_by(public, message, signature):
    """RFC 8032, 5.1.7."""
    if len(signature) != 64:
        return False
    try:
        a, r = point(public), point(signature[:32])
    except ValueError:
        return False
    s = int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    return s < L and same(times(s, BASE), add(r, times(k, a)))


def root_of(leaves):
    """MTH of RFC 6962, 2.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = [(1, leaf) for leaf in leaves]
    stack = []
    for size, digest in level:
        stack.append((size, digest))
        while len(stack) > 1 and stack[-1][0] == stack[-2][0]:
            right, left = stack.pop(), stack.pop()
            stack.append((left[0] * 2, hashlib.sha256(b"\1" + left[1] + right[1]).digest()))
    _, digest = stack.pop()
    while stack:
        digest = hashlib.sha256(b"\1" + stack.pop()[1] + digest).digest()
    return digest


class Bad(Exception):
    pass


def read_key(text):
    name, number, data = text.strip().split("+", 2)
    typed = base64.b64decode(data, validate=True)
    if typed[0] != 1 or hashlib.sha256(name.encode() + b"\n" + typed).digest()[:4].hex() != number:
        raise Bad("the key is damaged")
    return name, number, typed[1:]


def checkpoint(note, key, leaves):
    name, number, public = key
    body, _, signatures = note.partition("\n\n")
    body += "\n"
    for line in signatures.splitlines():
        _, signer, data = line.split(" ", 2)
        data = base64.b64decode(data, validate=True)
        if signer != name or data[:4].hex() != number:
            continue
        if not signed_by(public, body.encode(), data[4:]):
            raise Bad(f"the signature after entry {len(leaves) - 1} is wrong")
        _, size, root = body.splitlines()[:3]
        if int(size) > len(leaves):
            raise Bad(f"entry {len(leaves)} is missing")
        if root_of(leaves[: int(size)]) != base64.b64decode(root, validate=True):
            raise Bad(f"entry {int(size) - 1} was changed")
        return int(size)
    raise Bad(f"the checkpoint after entry {len(leaves) - 1} is signed by somebody else")


def verify(path, trusted=None):
    leaves, covered, previous = [], 0, "0" * 64
    with open(path, "rb") as file:
        header = json.loads(file.readline())
        if header.get("pinward-audit") != 1:
            raise Bad("not an audit export")
        key = read_key(header["key"])
        if trusted and read_key(trusted) != key:
            raise Bad("the export is signed by another key")
        for raw in file:
            if not raw.endswith(b"\n"):
                raise Bad(f"entry {len(leaves)} is cut off")
            line = raw[:-1]
            try:
                value = json.loads(line)
            except ValueError:
                raise Bad(f"entry {len(leaves)} is damaged") from None
            if "checkpoint" in value:
                covered = max(covered, checkpoint(value["checkpoint"], key, leaves))
                continue
            if value["index"] != len(leaves):
                raise Bad(f"entry {value['index']} stands where entry {len(leaves)} belongs")
            if value["previous"] != previous:
                raise Bad(f"entry {len(leaves) - 1} was changed")
            leaf = hashlib.sha256(b"\0" + line).digest()
            leaves.append(leaf)
            previous = leaf.hex()
    if covered < len(leaves):
        raise Bad(f"entry {covered} and what follows is not covered by a signed checkpoint")
    return len(leaves), root_of(leaves).hex()


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        count, root = verify(*sys.argv[1:])
    except (Bad, OSError, KeyError, ValueError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    print(f"{count} records, root {root}: in order")
