"""The control port: faults and counts, a line each."""

import asyncio
import json

from .server import LOOPBACK, HostPort

LONGEST_LINE = 200


class ControlPort:
    """Listens on loopback for lines of commands."""

    def __init__(self, host: HostPort) -> None:
        self._host = host
        self.port = 0
        self._server: asyncio.Server | None = None

    async def listen(self, port: int) -> None:
        """Opens the port; 0 is any free one."""
        self._server = await asyncio.start_server(self._serve, LOOPBACK, port, limit=LONGEST_LINE)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Closes the port."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write((await self._obey(line.decode("latin-1").strip()) + "\n").encode())
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # gone, or a line that is too long
        finally:
            writer.close()

    async def _obey(self, line: str) -> str:
        word, _, rest = line.partition(" ")
        if line == "stats":
            return json.dumps(
                {
                    "commands": dict(self._host.commands),
                    "connections": self._host.connections,
                    "faults": self._host.faults.names(),
                }
            )
        if word != "fault":
            return "error: the commands are fault and stats"
        try:
            self._host.faults.add(rest)
        except ValueError as error:
            return f"error: {error}"
        await self._host.apply_faults()
        return "ok"
