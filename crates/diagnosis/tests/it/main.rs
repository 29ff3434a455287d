//! The diagnosis on made-up days: each pattern of the catalogue, what must not be taken for one, and what must always hold.

mod always;
mod attacks;
mod faults;
mod rules;
mod suspicions;
mod world;
