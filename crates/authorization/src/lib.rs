//! Pure decisions about a card: duplicate, eligibility, PIN tries, lock, step-up, reversal.
