//! Scenarios, worlds and invariants for tests; never part of the product.
