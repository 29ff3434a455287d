"""A test-only counterpart of a Thales payShield host security module. See README.md for the protocol it speaks."""
