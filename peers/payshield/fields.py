"""Reads the fields of a command from left to right."""

import re

from . import errors
from .errors import HsmError

TRAILER_MARK = "\x19"
LONGEST_TRAILER = 32
_HEX = re.compile("[0-9A-Fa-f]*")
_DIGITS = re.compile("[0-9]*")


class Fields:
    """The rest of a command; each byte is one character (Latin-1), so binary data fit in."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.trailer = ""

    def peek(self) -> str:
        """The next character, or nothing at the end."""
        return self._text[self._at : self._at + 1]

    def copy(self) -> "Fields":
        """A second reader at the same place."""
        other = Fields(self._text)
        other._at = self._at
        return other

    def take(self, length: int) -> str:
        """A field of any characters."""
        field = self._text[self._at : self._at + length]
        if len(field) != length:
            raise HsmError(errors.INPUT_DATA)
        self._at += length
        return field

    def digits(self, length: int, error: str = errors.INPUT_DATA) -> str:
        """A field of decimal digits."""
        return _matching(_DIGITS, self.take(length), error)

    def number(self, length: int) -> int:
        """A field of decimal digits, as a number."""
        return int(self.digits(length))

    def hex(self, length: int) -> str:
        """A field of hexadecimal digits, in upper case."""
        return _matching(_HEX, self.take(length), errors.INPUT_DATA).upper()

    def binary(self, digits: int) -> bytes:
        """A field of hexadecimal digits, as bytes."""
        return bytes.fromhex(self.hex(digits))

    def accept(self, mark: str) -> bool:
        """Whether the next character is this one, which is then behind us."""
        if self.peek() != mark:
            return False
        self._at += 1
        return True

    def until(self, mark: str, longest: int) -> str:
        """A field that ends with a mark, which is not part of it."""
        end = self._text.find(mark, self._at, self._at + longest + 1)
        if end < 0:
            raise HsmError(errors.INPUT_DATA)
        field = self.take(end - self._at)
        self._at += 1
        return field

    def lmk_id(self, expected: str) -> None:
        """The optional LMK identifier."""
        if self.accept("%") and self.digits(2) != expected:
            raise HsmError(errors.NO_SUCH_LMK)

    def end(self, lmk_id: str) -> None:
        """The end of a command: the LMK identifier unless it was read, the trailer, and nothing more."""
        self.lmk_id(lmk_id)
        if self.accept(TRAILER_MARK):
            self.trailer = self._text[self._at :]
            self._at = len(self._text)
        if self.peek() or len(self.trailer) > LONGEST_TRAILER:
            raise HsmError(errors.INPUT_DATA)


def _matching(pattern: re.Pattern[str], field: str, error: str) -> str:
    if not pattern.fullmatch(field):
        raise HsmError(error)
    return field
