"""Decodes and encodes one message with pyiso8583 and prints nanoseconds per message for each round, as JSON.

Arguments: the message in hex, seconds in all. Exit code 3 if pyiso8583 is not installed.
"""

import json
import sys
import time

try:
    import iso8583
    from iso8583.specs import default as spec
except ImportError:
    sys.exit(3)

message, seconds = bytes.fromhex(sys.argv[1]), float(sys.argv[2])


def rounds(work, until):
    figures = []
    while time.perf_counter() < until or len(figures) < 3:
        start = time.perf_counter_ns()
        for _ in range(500):
            work()
        figures.append((time.perf_counter_ns() - start) / 500)
    return figures


start = time.perf_counter()
decode = rounds(lambda: iso8583.decode(message, spec), start + seconds / 2)
fields, _ = iso8583.decode(message, spec)
encode = rounds(lambda: iso8583.encode(dict(fields), spec), start + seconds)
print(json.dumps({"decode_ns": decode, "encode_ns": encode}))
