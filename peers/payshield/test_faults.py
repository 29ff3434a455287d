"""The wire: framing, pipelining, connections, and each of the faults."""

import json
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from payshield.testing import Connection, Counterpart, frame

ECHO = "B20004PING"
ECHOED = "B300PING"
HEADERS = [b"%04d" % number for number in range(1, 6)]


class Wire(unittest.TestCase):
    """A counterpart whose faults are changed at run time."""

    hsm: Counterpart

    @classmethod
    def setUpClass(cls) -> None:
        cls.hsm = cls.enterClassContext(Counterpart())

    def setUp(self) -> None:
        self.addCleanup(self.fault, "none")

    def fault(self, text: str) -> None:
        """Sets a fault."""
        self.assertEqual(self.hsm.control(f"fault {text}"), "ok")

    def connect(self) -> Connection:
        """A connection that is closed after the test."""
        connection = self.hsm.connect()
        self.addCleanup(connection.close)
        return connection

    def pipeline(self, connection: Connection) -> list[bytes]:
        """Sends commands in one segment; the headers of the replies as they come."""
        connection.socket.sendall(b"".join(frame(ECHO, header) for header in HEADERS))
        replies = [connection.receive() for _ in HEADERS]
        self.assertEqual({payload for _, payload in replies}, {ECHOED})
        return [header for header, _ in replies]

    def assert_silent(self, connection: Connection) -> None:
        """No reply comes."""
        connection.socket.settimeout(0.15)
        with self.assertRaises(TimeoutError):
            connection.receive()
        connection.socket.settimeout(10)

    def test_pipelining_keeps_the_order(self) -> None:
        self.assertEqual(self.pipeline(self.connect()), HEADERS)

    def test_command_in_single_bytes(self) -> None:
        connection = self.connect()
        for byte in frame(ECHO, b"abcd"):
            connection.socket.sendall(bytes((byte,)))
            time.sleep(0.001)
        self.assertEqual(connection.receive(), (b"abcd", ECHOED))

    def test_connections_are_independent_and_counted(self) -> None:
        connections = [self.connect() for _ in range(5)]
        for connection in reversed(connections):
            self.assertEqual(connection.exchange(ECHO), ECHOED)
        stats = json.loads(self.hsm.control("stats"))
        self.assertGreaterEqual(stats["connections"], 5)
        self.assertGreaterEqual(stats["commands"]["B2"], 5)
        self.assertEqual(stats["faults"], [])

    def test_message_without_a_command_ends_the_connection(self) -> None:
        connection = self.connect()
        connection.socket.sendall(b"\0\x05abcdN")
        with self.assertRaises(ConnectionError):
            connection.receive()

    def test_slow(self) -> None:
        self.fault("slow=200")
        start = time.monotonic()
        self.assertEqual(self.connect().exchange(ECHO), ECHOED)
        self.assertGreaterEqual(time.monotonic() - start, 0.2)

    def test_split(self) -> None:
        self.fault("split")
        connection = self.connect()
        connection.send(ECHO)
        self.assertLess(len(connection.socket.recv(100)), len(frame(ECHOED, b"0001")))
        self.assertEqual(self.pipeline(self.connect()), HEADERS)

    def test_merge(self) -> None:
        self.fault("merge")
        connection = self.connect()
        for header in HEADERS:
            connection.send(ECHO, header)
        self.assertEqual(connection.socket.recv(1000), b"".join(frame(ECHOED, header) for header in HEADERS))

    def test_reorder(self) -> None:
        self.fault("reorder")
        headers = self.pipeline(self.connect())
        self.assertEqual(sorted(headers), HEADERS)
        self.assertNotEqual(headers, HEADERS)

    def test_wrong_header(self) -> None:
        self.fault("wrong-header")
        connection = self.connect()
        connection.send(ECHO, b"0001")
        self.assertEqual(connection.receive(), (b"1001", ECHOED))

    def test_error(self) -> None:
        for code in ("39", "68"):
            self.fault(f"error={code}")
            self.assertEqual(self.connect().exchange(ECHO), f"B3{code}")
            self.assertEqual(self.connect().exchange("NC")[:4], "ND00")

    def test_drop_and_recovery(self) -> None:
        self.fault("drop")
        connection = self.connect()
        connection.send(ECHO)
        self.assert_silent(connection)
        self.fault("none")
        self.assertEqual(connection.exchange(ECHO), ECHOED)

    def test_nc_only(self) -> None:
        self.fault("nc-only")
        connection = self.connect()
        connection.send(ECHO)
        self.assert_silent(connection)
        self.assertEqual(connection.exchange("NC")[:4], "ND00")

    def test_dead_and_recovery(self) -> None:
        connection = self.connect()
        self.assertEqual(connection.exchange(ECHO), ECHOED)
        self.fault("dead")
        with self.assertRaises(ConnectionError):
            connection.exchange(ECHO)
        with self.assertRaises(ConnectionRefusedError):
            self.hsm.connect()
        self.fault("none")
        self.assertEqual(self.connect().exchange(ECHO), ECHOED)

    def test_faults_add_up(self) -> None:
        self.fault("slow=50")
        self.fault("split")
        self.assertEqual(json.loads(self.hsm.control("stats"))["faults"], ["slow=50", "split"])
        self.assertEqual(self.connect().exchange(ECHO), ECHOED)

    def test_wrong_control_lines(self) -> None:
        for line in ("fault", "fault slow", "fault slow=x", "fault error=1", "fault nothing", "help"):
            self.assertRegex(self.hsm.control(line), "^error: ")


class Start(unittest.TestCase):
    """What the command line sets."""

    def test_faults_at_start(self) -> None:
        with Counterpart("--fault", "error=39") as hsm:
            self.assertEqual(hsm.exchange(ECHO), "B339")

    def test_dead_at_start(self) -> None:
        with Counterpart("--fault", "dead") as hsm:
            with self.assertRaises(ConnectionRefusedError):
                hsm.connect()
            self.assertEqual(hsm.control("fault none"), "ok")
            self.assertEqual(hsm.exchange(ECHO), ECHOED)

    def test_header_length(self) -> None:
        with Counterpart("--header-length", "12") as hsm:
            connection = hsm.connect()
            connection.socket.sendall(frame(ECHO, b"twelve bytes"))
            self.assertEqual(connection.receive(), (b"twel", "ve bytes" + ECHOED))
            connection.close()

    def test_signal(self) -> None:
        with Counterpart() as hsm:
            hsm.process.terminate()
            self.assertEqual(hsm.process.wait(10), 0)


if __name__ == "__main__":
    unittest.main()
