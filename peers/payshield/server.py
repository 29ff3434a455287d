"""The host port: framing, pipelining, connections, and the faults of the wire."""

import asyncio
from collections import Counter
from contextlib import suppress

from .commands import answer
from .errors import HsmError
from .faults import GATHERING_MS, SEGMENT_LENGTH, Faults
from .hsm import Hsm, reply_code

LOOPBACK = "127.0.0.1"
MOST_CONNECTIONS = 64
#: Replies that may wait on a connection before no more commands are read from it.
MOST_WAITING = 256
_SEGMENT_PAUSE = 0.001


class HostPort:
    """Listens on loopback and answers host commands."""

    def __init__(self, hsm: Hsm, header_length: int, faults: Faults) -> None:
        self._hsm = hsm
        self._header_length = header_length
        self.faults = faults
        self.commands: Counter[str] = Counter()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._writers)

    async def listen(self, port: int) -> None:
        """Opens the port; 0 is any free one."""
        self._server = await asyncio.start_server(self._serve, LOOPBACK, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def apply_faults(self) -> None:
        """Opens or closes the port after the faults were changed."""
        dead = "dead" in self.faults
        if dead and self._server is not None:
            await self.close()
        elif not dead and self._server is None:
            await self.listen(self.port)

    async def close(self) -> None:
        """Closes the port and all connections at once."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.connections >= MOST_CONNECTIONS or self._server is None:
            writer.transport.abort()
            return
        self._writers.add(writer)
        outbox = Outbox(writer, self.faults)
        sending = asyncio.create_task(outbox.run())
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._read_commands(reader, outbox)
                # The peer may have closed only its half: what was asked is answered.
            await outbox.finish(sending)
        except asyncio.CancelledError:
            pass  # the program ends; asyncio's streams of Python 3.11 would print a trace
        finally:
            sending.cancel()
            self._writers.discard(writer)
            writer.close()

    async def _read_commands(self, reader: asyncio.StreamReader, outbox: "Outbox") -> None:
        """Until the peer closes, or sends a message without a header and command."""
        while True:
            try:
                length = int.from_bytes(await reader.readexactly(2), "big")
            except asyncio.IncompleteReadError:
                return
            if length < self._header_length + 2:
                return
            message = await reader.readexactly(length)
            header, payload = message[: self._header_length], message[self._header_length :]
            reply = self._answer(payload)
            if reply is not None:
                await outbox.put(self._frame(header, reply))

    def _answer(self, payload: bytes) -> bytes | None:
        code = payload[:2].decode("latin-1")
        self.commands[code] += 1
        if self.faults.swallows(code):
            return None
        try:
            self.faults.check(code)
        except HsmError as error:
            return (reply_code(code) + error.code).encode("latin-1")
        return answer(self._hsm, payload)

    def _frame(self, header: bytes, reply: bytes) -> bytes:
        if "wrong-header" in self.faults:
            header = bytes((header[0] ^ 1,)) + header[1:]
        return (len(header) + len(reply)).to_bytes(2, "big") + header + reply


class Outbox:
    """The replies of one connection, on their way out."""

    def __init__(self, writer: asyncio.StreamWriter, faults: Faults) -> None:
        self._writer = writer
        self._faults = faults
        self._queue: asyncio.Queue[tuple[float, bytes] | None] = asyncio.Queue(MOST_WAITING)

    async def put(self, frame: bytes) -> None:
        """Takes a reply; waits while too many are on their way."""
        due = asyncio.get_running_loop().time() + self._faults.delay
        await self._queue.put((due, frame))

    async def finish(self, sending: "asyncio.Task[None]") -> None:
        """Waits until all replies are out."""
        await self._queue.put(None)
        await sending

    async def run(self) -> None:
        """Sends replies until there will be no more; those to a lost peer are dropped."""
        last = False
        while not last and (item := await self._queue.get()) is not None:
            due, frame = item
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            frames = [frame]
            if "merge" in self._faults or "reorder" in self._faults:
                last = await self._gather(frames)
            with suppress(ConnectionError):
                await self._send(frames)

    async def _gather(self, frames: list[bytes]) -> bool:
        """Adds the replies of a short while; whether they were the last."""
        await asyncio.sleep(GATHERING_MS / 1000)
        while not self._queue.empty():
            item = self._queue.get_nowait()
            if item is None:
                return True
            frames.append(item[1])
        return False

    async def _send(self, frames: list[bytes]) -> None:
        if "reorder" in self._faults:
            frames.reverse()
        data = b"".join(frames)
        step = SEGMENT_LENGTH if "split" in self._faults else len(data)
        for at in range(0, len(data), step):
            self._writer.write(data[at : at + step])
            await self._writer.drain()
            if step < len(data):
                await asyncio.sleep(_SEGMENT_PAUSE)
