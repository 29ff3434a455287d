//! Every piece of evidence that the diagnosis may give, with the values it carries and their units. The sentences in two
//! languages are data of the handbook, one under each name; a test there walks this list.
//!
//! A weight is the logarithm of a likelihood ratio: how many times likelier is what was seen if the named cause is at work
//! than if nothing is wrong. The same piece can therefore speak for a cause in one place and against it in another; its
//! sentence says what was seen and leaves the sign to the weight.

use crate::verdict::Evidence;

/// The unit of a value, so that a page can write it as people do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A whole number.
    Count,
    /// A share, 0 to 1: shown in per cent.
    Share,
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
    /// Milliseconds.
    Milliseconds,
    /// Kilometres.
    Kilometres,
    /// Kilometres per hour.
    KilometresPerHour,
    /// A logarithm of a probability to the base ten: -6 is one in a million.
    Decades,
}

/// One kind of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The fixed name.
    pub name: &'static str,
    /// The values of its sentence, with units, in the order in which they are given.
    pub values: &'static [(&'static str, Unit)],
}

macro_rules! evidence {
    ($( $(#[$doc:meta])* $constant:ident = $name:literal { $($value:literal : $unit:ident),* } ),* $(,)?) => {
        $( $(#[$doc])* pub const $constant: Entry = Entry { name: $name, values: &[$(($value, Unit::$unit)),*] }; )*

        /// All of them.
        pub const ALL: &[Entry] = &[$($constant),*];
    };
}

evidence! {
    // ------------------------------------------------------------------ one card, one refusal
    /// The reason on the refusal itself says it: a locked card, a replayed key serial number, a silent issuer.
    REASON_SAYS_IT = "reason-says-it" {},
    /// The right PIN came at the same terminal soon after.
    SUCCEEDED_SOON_AFTER = "succeeded-soon-after" { "seconds": Seconds },
    /// The same card was refused again for its PIN, and how many terminals saw it.
    FAILED_AGAIN = "failed-again" { "mismatches": Count, "terminals": Count, "minutes": Minutes },
    /// This was the card's first wrong PIN for long.
    FIRST_FOR_LONG = "first-for-long" { "hours": Hours },
    /// The PIN was reset or mailed anew shortly before.
    PIN_NEW = "pin-new" { "hours": Hours },
    /// The card was not used for long.
    LONG_UNUSED = "long-unused" { "hours": Hours },
    /// The tries were used up before, so the PIN was not looked at.
    TRIES_USED_UP = "tries-used-up" { "limit": Count },
    /// Wrong PINs at this card, spread over days and terminals, each time below the limit.
    SPREAD_GUESSES = "spread-guesses" { "mismatches": Count, "terminals": Count, "hours": Hours, "expected": Decades },
    /// Released by staff, failed again, released again.
    RELEASE_CYCLES = "release-cycles" { "cycles": Count },
    /// The wrong PINs came at places where this card never succeeded.
    PLACES_NEVER_USED = "places-never-used" { "places": Count },
    /// Two places, faster than anybody travels.
    TOO_FAST = "too-fast" { "kilometres": Kilometres, "minutes": Minutes, "speed": KilometresPerHour },

    // ------------------------------------------------------------------ many cards, one terminal
    /// Different cards in a row whose PIN block could not be read here.
    FORMAT_ERRORS_IN_A_ROW = "format-errors-in-a-row" { "cards": Count, "base": Share },
    /// The PIN blocks were whole and only the PINs wrong: no key is at fault.
    BLOCKS_WERE_WHOLE = "blocks-were-whole" { "whole": Count, "cards": Count },
    /// Message authentication codes in a row were wrong here.
    MAC_ERRORS_IN_A_ROW = "mac-errors-in-a-row" { "messages": Count },
    /// Wrong PINs at the first entry, of so many card sessions; what is usual here.
    FIRST_ENTRY_MISMATCHES = "first-entry-mismatches" { "mismatches": Count, "sessions": Count, "usual": Share },
    /// Other cards' PINs are right here in the same time.
    OTHER_CARDS_FINE = "other-cards-fine" { "fine": Count, "sessions": Count },
    /// The cards that failed here were right at their next terminal.
    CROSSOVER_SUCCEEDS = "crossover-succeeds" { "succeeded": Count, "tried": Count },
    /// The cards that failed here failed elsewhere too.
    CROSSOVER_FAILS = "crossover-fails" { "failed": Count, "tried": Count },
    /// After a wrong first entry the holder did not succeed here at all.
    NO_SUCCESS_AFTER = "no-success-after" { "without": Count, "cards": Count },
    /// After a wrong first entry nobody tried a second time.
    NO_SECOND_TRY = "no-second-try" { "without": Count, "cards": Count },
    /// After a wrong first entry the same PIN was then right.
    RETRY_SUCCEEDS = "retry-succeeds" { "succeeded": Count, "cards": Count },
    /// So many cards failed within so many minutes; how unlikely that is at this terminal's traffic.
    CARDS_IN_WINDOW = "cards-in-window" { "cards": Count, "minutes": Minutes, "chance": Decades },
    /// The numbers of the cards lie close together.
    NEIGHBOURING_NUMBERS = "neighbouring-numbers" { "cards": Count, "of": Count },
    /// The cards were never seen with a right PIN before.
    CARDS_WITHOUT_HISTORY = "cards-without-history" { "without": Count, "cards": Count },
    /// The cards were right before, here or elsewhere.
    CARDS_WITH_HISTORY = "cards-with-history" { "with": Count, "cards": Count },
    /// Read by magnetic stripe, although cards have chips.
    READ_BY_STRIPE = "read-by-stripe" { "stripes": Count, "cards": Count },
    /// The time from the prompt to the last key is longer than usual.
    SLOW_PIN_ENTRY = "slow-pin-entry" { "slow": Count, "of": Count, "milliseconds": Milliseconds },
    /// PIN entries were cancelled or ran out of time.
    CANCELS_AND_TIMEOUTS = "cancels-and-timeouts" { "events": Count, "sessions": Count, "usual": Share },
    /// Nobody cancels more than usual.
    NO_CANCELS = "no-cancels" { "sessions": Count },
    /// PINs themselves are as often right as ever.
    PINS_AS_EVER = "pins-as-ever" { "mismatches": Count, "sessions": Count },
    /// The terminal got keys, signed in or changed its firmware shortly before the first sign.
    CHANGED_BEFORE = "changed-before" { "minutes": Minutes },
    /// Since a key load, so many cards were fine: repaired.
    FINE_SINCE_REPAIR = "fine-since-repair" { "sessions": Count },
    /// Cards were refused for another reason that has to do with an unknown or dead number.
    DEAD_NUMBERS = "dead-numbers" { "cards": Count, "minutes": Minutes, "terminals": Count },
    /// The amounts are small, or only a balance was asked for.
    SMALL_AMOUNTS = "small-amounts" { "small": Count, "of": Count },

    // ------------------------------------------------------------------ exact rules about a terminal
    /// A key serial number that was used before.
    KSN_AGAIN = "ksn-again" { "times": Count },
    /// The terminal's clock differs from the host's.
    CLOCK_OFF = "clock-off" { "seconds": Seconds, "messages": Count },
    /// The merchant number, name or category on the message is not the registered one.
    NOT_AS_REGISTERED = "not-as-registered" { "messages": Count, "of": Count, "merchants": Count },
    /// The terminal says that it stands elsewhere.
    AWAY_FROM_PLACE = "away-from-place" { "kilometres": Kilometres, "messages": Count, "of": Count },
    /// Requests before a sign-in.
    NOT_SIGNED_IN = "not-signed-in" { "messages": Count },

    // ------------------------------------------------------------------ the line
    /// Reversals, repeats and unanswered requests, of so many exchanges.
    LOST_MESSAGES = "lost-messages" { "lost": Count, "sessions": Count, "usual": Share },
    /// Exchanges take much longer than usual.
    SLOW_EXCHANGES = "slow-exchanges" { "slow": Count, "of": Count, "milliseconds": Milliseconds },
    /// Connections had to be made anew.
    RECONNECTS = "reconnects" { "reconnects": Count, "sessions": Count },
    /// The same card and amount came again as a new payment.
    SAME_AGAIN = "same-again" { "times": Count, "sessions": Count, "seconds": Seconds },
    /// The first copy was answered and not reversed: nothing was lost.
    FIRST_WAS_ANSWERED = "first-was-answered" { "times": Count },
    /// An issuer did not answer.
    ISSUER_SILENT = "issuer-silent" { "times": Count, "of": Count },

    // ------------------------------------------------------------------ what terminals have in common
    /// The sign shows at many terminals that share this scope.
    MANY_TERMINALS = "many-terminals" { "terminals": Count, "bad": Count, "sessions": Count },
    /// Outside this scope nothing is wrong at the same time.
    FINE_OUTSIDE = "fine-outside" { "bad": Count, "sessions": Count },
    /// Other cards are fine at the same terminals.
    SAME_TERMINALS_FINE = "same-terminals-fine" { "fine": Count, "sessions": Count },
    /// Keys or the security module could not be used, at several terminals in a row.
    KEY_ERRORS_IN_A_ROW = "key-errors-in-a-row" { "messages": Count, "terminals": Count },
    /// PIN blocks towards one issuer could not be read, in a row, from several terminals.
    ZONE_ERRORS_IN_A_ROW = "zone-errors-in-a-row" { "cards": Count, "terminals": Count },
    /// With this firmware the share of bad outcomes is higher than with others, in the same shops.
    WORSE_THAN_BEFORE = "worse-than-before" { "with": Share, "without": Share, "sessions": Count },
    /// It began when the firmware changed.
    SINCE_UPDATE = "since-update" { "terminals": Count, "hours": Hours },
    /// Cards of one bank number, at one application; others are fine.
    ONE_KIND_OF_CARD = "one-kind-of-card" { "cards": Count, "share": Share, "others": Share },

    // ------------------------------------------------------------------ fraud across cards, and staff
    /// Cards of chip, suddenly read by stripe, took cash away from where they are used.
    UNUSUAL_CASH = "unusual-cash" { "cards": Count, "hours": Hours },
    /// These cards were all at one terminal before; what share of all cards was.
    COMMON_TERMINAL = "common-terminal" { "cards": Count, "of": Count, "expected": Share, "chance": Decades },
    /// Staff lifted limits or locks on many cards.
    LIFTED_IN_BULK = "lifted-in-bulk" { "cards": Count, "minutes": Minutes },
    /// These very cards then took cash.
    CASH_AFTER_LIFTING = "cash-after-lifting" { "cards": Count, "withdrawals": Count },
    /// One agent releases and resets more than others do.
    AGENT_UNLIKE_OTHERS = "agent-unlike-others" { "releases": Count, "actions": Count, "others": Share, "chance": Decades },
    /// The same card was released again and again.
    RELEASED_AGAIN = "released-again" { "releases": Count, "cards": Count },
    /// How the holder is reached was changed shortly before the reset.
    CONTACT_CHANGED_BEFORE = "contact-changed-before" { "cards": Count },

    // ------------------------------------------------------------------ the frame of it all
    /// An incident is open that explains this.
    PART_OF_INCIDENT = "part-of-incident" { "incident": Count },
    /// How often this is the cause of such a refusal, before anything else is known.
    USUAL_CAUSE = "usual-cause" { "share": Share },
    /// The feed was interrupted: what was before proves nothing.
    FEED_GAP = "feed-gap" { "minutes": Minutes },
}

impl Entry {
    /// This piece of evidence with its weight, and its values in the order of [`Entry::values`].
    #[must_use]
    pub fn with<const N: usize>(&self, weight: f64, values: [f64; N]) -> Evidence {
        debug_assert_eq!(self.values.len(), N, "{}", self.name);
        let values = self.values.iter().zip(values).map(|((name, _), value)| (*name, value)).collect();
        Evidence { name: self.name, weight: weight as f32, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_has_a_name_of_its_own() {
        for (n, entry) in ALL.iter().enumerate() {
            assert!(entry.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", entry.name);
            assert!(ALL[..n].iter().all(|before| before.name != entry.name), "{}", entry.name);
        }
    }

    #[test]
    fn values_are_given_in_the_order_of_the_list() {
        let evidence = TOO_FAST.with(9.0, [500.0, 10.0, 3000.0]);
        assert_eq!(evidence.name, "too-fast");
        assert_eq!(evidence.values, [("kilometres", 500.0), ("minutes", 10.0), ("speed", 3000.0)]);
    }
}
