"""The host commands. Importing this package registers all of them with :mod:`payshield.hsm`."""

from . import keys, macs, misc, pins, verify

__all__ = ["keys", "macs", "misc", "pins", "verify"]
