//! The tests of `iso8583`, one binary: what samples, properties, corruptions and spec files have to say.

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

mod allocation;
mod building;
mod composite;
mod corpus;
mod corruption;
mod errors;
mod masking;
mod random;
mod samples;
mod specs;
mod support;
