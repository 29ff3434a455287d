//! The nouns of PIN payments: card, terminal, merchant, trace, amount, reason, time, secret.
