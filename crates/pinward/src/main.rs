//! pinward: the PIN side of card payments in one program.
fn main() {}
