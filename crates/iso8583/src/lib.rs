//! ISO 8583 messages: dialects as data, bounded decoding, errors that say where.
