//! The security module's verbs, its evidence, and a soft module that keeps keys encrypted at rest.
