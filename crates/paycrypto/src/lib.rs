//! Payment cryptography: PIN blocks, DUKPT, PIN verification values, MACs, check values, key blocks.
