//! Mistakes that somebody could make, to be made on purpose: each breaks what the judge watches over, and a simulation that
//! does not notice one is worth nothing. They live in the simulated engines and modules, never in the product.

use std::fmt;

macro_rules! bugs {
    ($( $(#[doc = $doc:literal])* $variant:ident $name:literal, $breaks:literal; )*) => {
        /// A deliberate mistake.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Bug { $( $(#[doc = $doc])* $variant, )* }

        impl Bug {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name on the command line.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The invariant that it breaks.
            #[must_use]
            pub fn breaks(self) -> &'static str {
                match self { $(Self::$variant => $breaks,)* }
            }
        }
    };
}

bugs! {
    /// The writer answers when an entry is in its hands, and writes afterwards.
    AnswerBeforeAppend "answer-before-append", "every acknowledged decision is still there";
    /// The writer asks a failed fsync again, and believes it.
    RetryFsync "retry-fsync", "every acknowledged decision is still there";
    /// The writer does not ask for an fsync at all.
    NoFsync "no-fsync", "every acknowledged decision is still there";
    /// Recovery takes the last whole record for a torn one.
    CutTail "cut-tail", "every acknowledged decision is still there";
    /// What cards remember of their transactions does not survive a restart.
    ForgetDuplicates "forget-duplicates-on-restart", "tries consumed = distinct proven mismatches";
    /// A security module that does not answer counts as a wrong PIN.
    CountTimeOuts "count-time-outs", "no fault is answered as a wrong PIN";
    /// A reversal gives the try back that its original consumed.
    ReversalGivesTryBack "reversal-gives-try-back", "tries consumed = distinct proven mismatches";
    /// Who gives back what a fault cost gives back one more.
    RestoreTooMuch "restore-too-much", "tries consumed = distinct proven mismatches, less what a fault cost";
    /// Locks are kept in memory and nowhere else.
    LockInMemory "lock-in-memory", "never more guesses than the limit";
    /// A number that another host has taken is not looked at: the entry goes in behind it.
    IgnoreCollision "ignore-collision", "never more guesses than the limit";
    /// A commit whose result is not known is made again, under the next number.
    RunAgain "run-unknown-commit-again", "one decision per request";
    /// A repeat is answered, and posted once more.
    PostTwice "post-twice-on-repeat", "posted = approved - reversed";
    /// A repeat is answered anew, with other references.
    AnswerAnew "answer-anew", "one answer per request";
    /// After a failed fsync the states at hand go on being used, as if they were in the journal.
    GoOnAfterFsync "go-on-after-fsync", "no state without a journal entry";
    /// Reads come from a copy that is behind, and appends do not look.
    StaleCopy "stale-copy", "each card's history is linearizable";
}

impl Bug {
    /// The bug of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|bug| bug.name() == name)
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
