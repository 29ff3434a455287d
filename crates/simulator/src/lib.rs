//! The other side of the wire: terminals, keypads, receipts, stories.
