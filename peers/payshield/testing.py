"""Starts the counterpart as a process of its own and talks to it over a socket: for validate.py and the unit tests."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType

FOLDER = Path(__file__).resolve().parent
TIMEOUT_S = 10.0


class Connection:
    """A connection to the host port."""

    def __init__(self, address: str) -> None:
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)), TIMEOUT_S)

    def send(self, payload: str | bytes, header: bytes = b"0001") -> None:
        """Sends a command."""
        self.socket.sendall(frame(payload, header))

    def receive(self) -> tuple[bytes, str]:
        """Header and payload of the next reply."""
        message = self._exactly(int.from_bytes(self._exactly(2), "big"))
        return message[:4], message[4:].decode("latin-1")

    def exchange(self, payload: str | bytes, header: bytes = b"0001") -> str:
        """The payload of the reply to a command."""
        self.send(payload, header)
        returned, reply = self.receive()
        if returned != header:
            raise ValueError(f"header {returned!r} instead of {header!r}")
        return reply

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                raise ConnectionError("the counterpart closed the connection")
            data += part
        return data

    def close(self) -> None:
        """Closes the connection."""
        self.socket.close()


def frame(payload: str | bytes, header: bytes) -> bytes:
    """A command as it is sent."""
    data = header + (payload.encode("latin-1") if isinstance(payload, str) else payload)
    return len(data).to_bytes(2, "big") + data


class Counterpart:
    """A running counterpart; a context manager that ends it."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments

    def __enter__(self) -> "Counterpart":
        self.process = subprocess.Popen(
            [sys.executable, str(FOLDER), *self._arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.facts: dict[str, str] = json.loads(self.process.stdout.readline())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(TIMEOUT_S)
        self.process.stdout.close()

    def connect(self) -> Connection:
        """A new connection to the host port."""
        return Connection(self.facts["host"])

    def control(self, line: str) -> str:
        """The answer to a line on the control port."""
        host, port = self.facts["control"].split(":")
        with socket.create_connection((host, int(port)), TIMEOUT_S) as connection:
            connection.sendall(line.encode() + b"\n")
            return connection.makefile().readline().strip()

    def exchange(self, payload: str | bytes) -> str:
        """The reply to one command on a connection of its own."""
        connection = self.connect()
        try:
            return connection.exchange(payload)
        finally:
            connection.close()
