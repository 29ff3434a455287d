"""Faults that the server shows on demand."""

from .errors import HsmError

#: Milliseconds in which replies are gathered to be merged or reordered.
GATHERING_MS = 30
SLOWEST_MS = 600_000
SEGMENT_LENGTH = 3
_PLAIN = ("split", "merge", "reorder", "wrong-header", "drop", "dead", "nc-only")


class Faults:
    """The faults that are set: a name, for some with a value."""

    def __init__(self) -> None:
        self._set: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._set

    def add(self, text: str) -> None:
        """Sets ``NAME`` or ``NAME=VALUE``; ``none`` clears all. ValueError with a sentence if it is neither."""
        name, _, value = text.partition("=")
        if text == "none":
            self._set.clear()
        elif name == "slow" and value.isdecimal() and int(value) <= SLOWEST_MS:
            self._set[name] = value
        elif name == "error" and len(value) == 2 and value.isascii() and value.isalnum():
            self._set[name] = value
        elif text in _PLAIN:
            self._set[name] = ""
        else:
            raise ValueError(f"no such fault: {text}")

    def names(self) -> list[str]:
        """What is set, as it was written."""
        return [f"{name}={value}" if value else name for name, value in self._set.items()]

    @property
    def delay(self) -> float:
        """Seconds that each reply is late."""
        return int(self._set.get("slow", "0")) / 1000

    def check(self, code: str) -> None:
        """Refuses a command where a fault says so."""
        if "error" in self._set and code != "NC":
            raise HsmError(self._set["error"])

    def swallows(self, code: str) -> bool:
        """Whether a command is not answered."""
        return "drop" in self._set or ("nc-only" in self._set and code != "NC")
