//! The tests of `iso8583`, one binary: what samples, properties, corruptions and spec files have to say.

mod samples;
mod support;
