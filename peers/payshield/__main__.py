"""Starts the counterpart: ``python3 -m payshield`` in the folder ``peers``, or the folder ``payshield`` as a script."""

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
import threading
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from payshield.control import ControlPort
from payshield.faults import Faults
from payshield.hsm import Hsm, Settings
from payshield.keys import Key
from payshield.server import LOOPBACK, HostPort


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="payshield", description="A test-only payShield on loopback.")
    parser.add_argument("--lmk", choices=("keyblock", "variant"), default="keyblock")
    parser.add_argument("--lmk-id", default="", metavar="NN")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--header-length", type=int, default=4, choices=range(1, 256), metavar="1-255")
    parser.add_argument("--pin-length", type=int, default=13, choices=range(5, 14), metavar="5-13")
    parser.add_argument("--pci", action="store_true")
    parser.add_argument("--m7-length", action="store_true")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME[=VALUE]")
    return parser.parse_args(arguments)


def transport_key(hsm: Hsm, algorithm: str, length: int) -> tuple[str, str]:
    """A new zone master key under the LMK, and in clear."""
    key = Key(secrets.token_bytes(length), algorithm, "K0", "B").with_odd_parity()
    key_type, scheme = ("FFF", "S") if hsm.lmk.name == "keyblock" else ("000", "U")
    return hsm.lmk.write(key, key_type, scheme), key.value.hex().upper()


def greeting(hsm: Hsm, host: HostPort, control: ControlPort) -> str:
    """The line that tells a test what it needs to know."""
    zmk, clear = transport_key(hsm, "T", 16)
    line = {
        "host": f"{LOOPBACK}:{host.port}",
        "control": f"{LOOPBACK}:{control.port}",
        "lmk": hsm.lmk.name,
        "zmk": zmk,
        "zmk_clear": clear,
    }
    if hsm.lmk.name == "keyblock":
        line["zmk_aes"], line["zmk_aes_clear"] = transport_key(hsm, "A", 32)
    return json.dumps(line)


async def serve(options: argparse.Namespace) -> None:
    """Serves until standard input closes or a signal comes."""
    hsm = Hsm(Settings(options.lmk, options.lmk_id, options.pin_length, options.pci, options.m7_length))
    faults = Faults()
    host = HostPort(hsm, options.header_length, faults)
    control = ControlPort(host)
    for fault in options.fault:
        faults.add(fault)
    await host.listen(options.port)
    await host.apply_faults()
    await control.listen(options.control_port)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    threading.Thread(target=_watch_input, args=(loop, stop), daemon=True).start()
    print(greeting(hsm, host, control), flush=True)
    await stop.wait()
    control.close()
    await host.close()


def _watch_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """A thread, because not every kind of standard input can be waited for in an event loop."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    loop.call_soon_threadsafe(stop.set)


def main() -> int:
    """0, or 2 with a sentence if an option is wrong."""
    try:
        asyncio.run(serve(parse(sys.argv[1:])))
    except (ValueError, OSError) as error:
        print(f"payshield: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
