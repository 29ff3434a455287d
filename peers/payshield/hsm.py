"""The module itself: one LMK, its settings, and the dispatch of commands."""

from collections.abc import Callable
from dataclasses import dataclass, field

from .fields import Fields
from .lmk import LMKS, Lmk, PinsUnderLmk

FIRMWARE = "0007-E000"


@dataclass(frozen=True)
class Settings:
    """What the security settings of a payShield would say."""

    lmk: str = "keyblock"
    lmk_id: str = ""
    pin_length: int = 13
    pci: bool = False
    m7_length: bool = False


@dataclass(frozen=True)
class Reply:
    """The fields of a reply; the code is 00 or a warning."""

    fields: str = ""
    code: str = "00"


@dataclass
class Hsm:
    """State of the module: it keeps none between commands."""

    settings: Settings
    lmk: Lmk = field(init=False)
    lmk_id: str = field(init=False)
    pins: PinsUnderLmk = field(init=False)

    def __post_init__(self) -> None:
        self.lmk = LMKS[self.settings.lmk]()
        self.lmk_id = self.settings.lmk_id or self.lmk.default_id
        self.pins = PinsUnderLmk(self.lmk.pin_key(), self.settings.pin_length)


Handler = Callable[[Hsm, Fields], Reply]
HANDLERS: dict[str, Handler] = {}


def command(*codes: str) -> Callable[[Handler], Handler]:
    """Registers the handler of one or several commands."""

    def register(handler: Handler) -> Handler:
        HANDLERS.update({code: handler for code in codes})
        return handler

    return register


def reply_code(code: str) -> str:
    """The code of a reply: its second character is one higher."""
    return code[0] + chr((ord(code[1]) + 1) % 256)
