//! Drills: plans, days that are played, and a scorer that can fail.

mod days;
mod playing;
mod scorer;
mod watched;
