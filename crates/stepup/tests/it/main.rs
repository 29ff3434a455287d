//! Challenges from outside: what is bound stays bound, what is used is used, and nobody guesses more often than he may.

mod guessing;
mod life;
