//! One terminal: since when does it look as if something were wrong, and what?
//!
//! A sign wakes the question. The onset is the start that makes the likelihood ratio of "wrong since then" against "as usual"
//! largest, over the last card sessions, both with the share integrated out (beta-binomial): four wrong first entries in a row
//! are as telling as a rate that has crept up over sixty sessions, and a terminal that is always a little worse is not an
//! alarm. By Ville's inequality the chance that such a ratio ever exceeds e^h from a given start is at most e^-h. A Bernoulli
//! CUSUM beside it keeps what is older than the sessions that are remembered. What it is is then asked of all features of the
//! sessions since the onset ([`hypothesis`](crate::hypothesis)).

use model::CardId;

use crate::{
    Cause, Change, Diagnosis, Scope, Status,
    cohort::Common,
    detector::cohort::families_of,
    fleet::{Group, Slot},
    hypothesis::{Counts, Feature, Ranking, rank},
    observation::Payment,
    refusal::explains,
    register::{Draft, Held},
    session::{Family, Outcome, Session},
    stats::Beta,
};

/// Which groups of incidents a cause belongs to.
pub(crate) fn group_of(cause: Cause) -> Group {
    use Cause as C;
    match cause {
        C::NetworkLoss => Group::Line,
        C::ScreenFault => Group::Screen,
        C::DuplicateSubmission => Group::Double,
        C::KsnReplay => Group::Serial,
        C::ClockDrift => Group::Clock,
        C::CodeJumping => Group::Registration,
        C::MovedTerminal | C::ImpossibleTravel => Group::Place,
        C::CardTesting => Group::Numbers,
        C::SignInMissing => Group::SignIn,
        C::SkimCashOut | C::UnlimitedOperation | C::CounterAbuse => Group::Fraud,
        C::Forgotten
        | C::Mistyped
        | C::Locked
        | C::BruteForce
        | C::PinSpray
        | C::WrongTerminalKey
        | C::ZoneKey
        | C::HsmFault
        | C::KeypadFault
        | C::FirmwareRegression
        | C::PanBinding
        | C::Ordinary => Group::Pin,
    }
}

/// The group of incidents that a kind of sign speaks of first.
pub(crate) fn group_of_family(family: Family) -> Group {
    match family {
        Family::Wrong | Family::Unreadable | Family::ZoneUnreadable | Family::Key => Group::Pin,
        Family::Cancel => Group::Screen,
        Family::Silent | Family::Lost => Group::Line,
        Family::Duplicate => Group::Double,
        Family::Dead => Group::Numbers,
    }
}

/// The causes that are compared for incidents of a group: a bad keypad makes people cancel, too.
fn may_cause(cause: Cause, group: Group) -> bool {
    group_of(cause) == group || group == Group::Screen && cause == Cause::KeypadFault
}

/// Is a sign of this family one more of an open incident's?
fn is_sign_of(held: &Held, family: Family) -> bool {
    match held.incident.cause {
        Cause::KeypadFault => matches!(family, Family::Wrong | Family::Cancel),
        _ => held.family == Some(family),
    }
}

/// What is to be expected of these very sessions, as sums and numbers of sessions.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Expected {
    wrong: (f64, f64),
    fails: (f64, f64),
}

/// A start from which things look wrong.
#[derive(Debug, Clone, Copy)]
struct Suspicion {
    onset: u32,
    own_ln: f64,
}

impl Diagnosis {
    /// A session shows a sign: it is noted, and the detectors are asked, widest first.
    pub(crate) fn sign(&mut self, slot: Slot, number: u32, family: Family) {
        let Some(session) = self.fleet[slot].session_mut(number) else { return };
        session.signs |= family.bit();
        let shared = session.shared;
        if let Some(mark) = self.cohorts.mark_mut(shared) {
            mark.signs |= family.bit();
        }
        if self.join_wider(slot, number, family) {
            return;
        }
        let group = group_of_family(family);
        let id = self.fleet[slot].incidents[group as usize];
        if self.register.get(id).is_some_and(|held| is_sign_of(held, family)) {
            self.join(id, slot, number);
            self.revisit(slot, group);
            if family == Family::Wrong {
                self.ask_beside(slot);
            }
            self.ask_cohorts(slot, number, family);
            return;
        }
        if self.ask_cohorts(slot, number, family) {
            return;
        }
        if id != 0 {
            self.revisit(slot, group);
            return;
        }
        self.ask_terminal(slot, number, family);
        if family == Family::Wrong {
            self.ask_window(slot, number);
        }
    }

    /// An open incident of a wider scope explains the sign: it is counted there.
    fn join_wider(&mut self, slot: Slot, number: u32, family: Family) -> bool {
        let Some(id) = self.wider(slot, number, family) else { return false };
        // a version that makes some more PINs wrong explains some of them and not a spray: there, more is expected
        // (`usual_wrong`) and the terminal is asked all the same
        if family == Family::Wrong
            && let Some(session) = self.fleet[slot].session(number)
        {
            let limit = self.tuning.limits.cards_per_incident;
            self.register.count(id, session, session.at, limit);
            let (refusals, cause) = (session.refusals, self.register.get(id).map(|held| held.incident.cause));
            for place in refusals.into_iter().filter(|place| *place != 0) {
                self.attach(place, id, cause);
            }
            return cause != Some(Cause::FirmwareRegression);
        }
        self.join(id, slot, number);
        true
    }

    /// The open incident of a wider scope that explains this family's signs in a session.
    pub(crate) fn wider(&self, slot: Slot, number: u32, family: Family) -> Option<u64> {
        let mark = self.cohorts.mark(self.fleet[slot].session(number)?.shared)?;
        mark.cohorts
            .iter()
            .filter_map(|place| self.cohorts.get(*place))
            .map(|cohort| cohort.incidents[family as usize])
            .find(|id| {
                let held = self.register.get(*id);
                held.is_some_and(|held| held.and == 0 || mark.cohorts.contains(&held.and))
            })
    }

    /// Counts a session as part of an incident, and its refusals.
    pub(crate) fn join(&mut self, id: u64, slot: Slot, number: u32) {
        let limit = self.tuning.limits.cards_per_incident;
        let Some(session) = self.fleet[slot].session(number) else { return };
        self.register.count(id, session, session.at, limit);
        let wide = self.register.get(id).filter(|held| held.terminal.is_none());
        let explained = wide.map_or(0, |held| {
            families_of(held.incident.cause, held.family.unwrap_or(Family::Wrong))
                .iter()
                .fold(0, |bits, family| bits | family.bit())
        });
        let (refusals, cause) = (session.refusals, self.register.get(id).map(|held| held.incident.cause));
        if let Some(session) = self.fleet[slot].session_mut(number) {
            session.explained |= session.signs & explained;
        }
        for place in refusals.into_iter().filter(|place| *place != 0) {
            self.attach(place, id, cause);
        }
    }

    /// Puts an incident behind a refusal, if it can be its cause.
    pub(crate) fn attach(&mut self, place: u32, id: u64, cause: Option<Cause>) {
        let Some(refusal) = self.refusals.get_mut(place) else { return };
        if refusal.incident == 0 && cause.is_some_and(|cause| explains(cause, refusal.outcome)) {
            refusal.incident = id;
            self.rejudge(place);
        }
    }

    /// A later payment of a session: it belongs to the incident that the session belongs to.
    pub(crate) fn join_open(
        &mut self,
        slot: Slot,
        number: u32,
        refusal: u32,
        payment: &Payment,
        outcome: Outcome,
    ) {
        let Some(session) = self.fleet[slot].session(number) else { return };
        let first = session.refusals[0];
        let id = match self.refusals.get(first).map_or(0, |first| first.incident) {
            0 => Group::PAYMENT_GROUPS
                .iter()
                .map(|group| self.fleet[slot].incidents[*group as usize])
                .find(|id| *id != 0)
                .unwrap_or(0),
            id => id,
        };
        let Some(held) = self.register.get(id) else { return };
        let cause = held.incident.cause;
        let counted = held.family.is_none_or(|family| session.shows(family));
        if !counted || !explains(cause, outcome) {
            return;
        }
        let limit = self.tuning.limits.cards_per_incident;
        let minor = Some(payment.amount.0);
        self.register.count_payment(id, payment.card, minor, payment.try_charged, self.now, limit);
        self.attach(refusal, id, Some(cause));
    }

    /// A second wrong entry in a session: the question may have another answer now.
    pub(crate) fn reconsider(&mut self, slot: Slot, number: u32) {
        if self.fleet[slot].incidents[Group::Pin as usize] == 0 {
            self.ask_terminal(slot, number, Family::Wrong);
        } else {
            self.revisit(slot, Group::Pin);
        }
    }

    /// Asks about one terminal.
    fn ask_terminal(&mut self, slot: Slot, number: u32, family: Family) {
        if matches!(family, Family::ZoneUnreadable | Family::Silent) {
            // said by the issuer: no terminal's doing
            return;
        }
        let group = group_of_family(family);
        let Some(suspicion) = self.suspicion(slot, family) else { return };
        let mut onset = suspicion.onset;
        let terminal = &self.fleet[slot];
        let by_cusum = family == Family::Wrong && f64::from(terminal.cusum) >= self.tuning.alarm.cusum_h;
        if suspicion.own_ln < self.tuning.alarm.terminal_own && !by_cusum {
            return;
        }
        if by_cusum && terminal.cusum_onset.wrapping_sub(onset) as i32 <= 0 {
            onset = terminal.cusum_onset;
        }
        let (counts, usual) = self.features_since(slot, onset, number);
        let ranking = rank(&self.tuning.hypotheses, |cause| may_cause(cause, group), &counts, &usual);
        let Some((cause, _, ln)) = ranking.causes.first().copied() else { return };
        let mut needed = self.tuning.alarm.terminal;
        if by_cusum {
            needed *= 0.5;
        }
        if matches!(
            family,
            Family::Unreadable
                | Family::Lost
                | Family::Cancel
                | Family::Duplicate
                | Family::Key
                | Family::Dead
        ) && self.shows_elsewhere(slot, number, family)
        {
            needed += self.tuning.alarm.elsewhere_extra;
        }
        let least = needed - self.tuning.alarm.terminal + self.tuning.alarm.suspect;
        if ln >= needed || ln >= least && !by_cusum {
            self.open_terminal(slot, onset, family, cause, &ranking, (&counts, &usual));
        }
    }

    /// The screen found this terminal: asked as always, with half the limit.
    pub(crate) fn ask_screened(&mut self, slot: Slot, family: Family) {
        let group = group_of_family(family);
        if self.fleet[slot].incidents[group as usize] != 0 {
            return;
        }
        let Some(suspicion) = self.suspicion(slot, family) else { return };
        if self.wider(slot, suspicion.onset, family).is_some() {
            return;
        }
        let last = self.fleet[slot].next().wrapping_sub(1);
        let (counts, usual) = self.features_since(slot, suspicion.onset, last);
        let ranking = rank(&self.tuning.hypotheses, |cause| may_cause(cause, group), &counts, &usual);
        let Some((cause, _, ln)) = ranking.causes.first().copied() else { return };
        if ln >= self.tuning.alarm.terminal * 0.5 {
            self.open_terminal(slot, suspicion.onset, family, cause, &ranking, (&counts, &usual));
        }
    }

    /// The start that makes "wrong since then" most likely, for one family.
    fn suspicion(&self, slot: Slot, family: Family) -> Option<Suspicion> {
        /// A sign of three days ago has nothing to do with one of today.
        const LOOK_BACK_MS: i64 = 72 * 3_600_000;
        let terminal = &self.fleet[slot];
        let own = self.usual_at(terminal, family);
        let weight = own.a + own.b;
        let alternative = self.alternative(family);
        let (mut k, mut n, mut expected) = (0.0, 0.0, 0.0);
        // a card that fails here twice is one sign: it may be the card
        let mut cards: Vec<CardId> = Vec::new();
        let mut best: Option<Suspicion> = None;
        for (number, session) in terminal.open_sessions() {
            if self.now.since_ms(session.at) > LOOK_BACK_MS {
                break;
            }
            if !session.counts_alone(family) || session.shows(family) && cards.contains(&session.card) {
                continue;
            }
            n += 1.0;
            expected += if family == Family::Wrong { f64::from(session.usual) } else { own.mean() };
            if session.shows(family) {
                k += 1.0;
                cards.push(session.card);
                // two forgetful holders in a row happen every day, two blocks that cannot be read never
                if k >= if family == Family::Wrong { 3.0 } else { 2.0 } {
                    let usual = Beta::around(expected / n, weight);
                    let ln = alternative.ln_marginal(k, n) - usual.ln_marginal(k, n);
                    if best.is_none_or(|best| ln > best.own_ln) {
                        best = Some(Suspicion { onset: number, own_ln: ln });
                    }
                }
            }
        }
        best
    }

    pub(crate) fn alternative(&self, family: Family) -> Beta {
        let alternative = &self.tuning.alternative;
        let [a, b] = match family {
            Family::Wrong => alternative.wrong,
            Family::Unreadable | Family::ZoneUnreadable => alternative.unreadable,
            Family::Key => alternative.key,
            Family::Silent => alternative.silent,
            Family::Lost => alternative.lost,
            Family::Cancel => alternative.cancel,
            Family::Duplicate => alternative.duplicate,
            Family::Dead => alternative.dead,
        };
        Beta { a, b }
    }

    /// Do other terminals that share something with this one show the same sign in the hour?
    fn shows_elsewhere(&self, slot: Slot, number: u32, family: Family) -> bool {
        const HOUR_MS: i64 = 3_600_000;
        let Some(session) = self.fleet[slot].session(number) else { return false };
        let Some(mark) = self.cohorts.mark(session.shared) else { return false };
        [Common::INSTANCE, Common::ZONE, Common::NETWORK, Common::FIRMWARE, Common::BIN].iter().any(|level| {
            let mut others: Vec<Slot> = Vec::new();
            let (mut k, mut n) = (0.0, 0.0);
            for (_, other) in self.cohorts.marks_of(mark.cohorts[*level]) {
                if self.now.since_ms(other.at) > HOUR_MS {
                    break;
                }
                if other.terminal == slot || other.counted & family.bit() == 0 {
                    continue;
                }
                n += 1.0;
                if other.signs & family.bit() != 0 {
                    k += 1.0;
                    if !others.contains(&other.terminal) {
                        others.push(other.terminal);
                    }
                }
            }
            // as many as usual are no sign of a wider cause
            let usual = self.usual(family);
            others.len() >= self.tuning.alarm.elsewhere_terminals
                && self.alternative(family).ln_marginal(k, n) - usual.ln_marginal(k, n) > 3.0
        })
    }

    /// What the sessions of a terminal since an onset show, up to `last`, and what is usual here.
    pub(crate) fn features_since(
        &self,
        slot: Slot,
        onset: u32,
        last: u32,
    ) -> (Counts, [Beta; Feature::COUNT]) {
        const HOUR_MS: i64 = 3_600_000;
        const SETTLED_MS: i64 = 60_000;
        let terminal = &self.fleet[slot];
        let newest = terminal.next().wrapping_sub(1);
        let since = terminal.session(onset).map_or(self.now, |session| session.at);
        let changed = [terminal.changed_at, terminal.loaded_at]
            .iter()
            .any(|at| at.0 != i64::MIN && (0..HOUR_MS).contains(&since.since_ms(*at)));
        let now = self.now;
        let sessions = terminal
            .sessions
            .iter()
            .enumerate()
            .map(|(n, session)| (terminal.base.wrapping_add(n as u32), session))
            .filter(|(number, _)| {
                number.wrapping_sub(onset) as i32 >= 0 && last.wrapping_sub(*number) as i32 >= 0
            });
        let mut expected = Expected::default();
        for (_, session) in sessions.clone().filter(|(_, session)| session.counts_alone(Family::Wrong)) {
            expected.wrong = (expected.wrong.0 + f64::from(session.usual), expected.wrong.1 + 1.0);
            if session.shows(Family::Wrong) {
                expected.fails = (expected.fails.0 + f64::from(session.usual_fail), expected.fails.1 + 1.0);
            }
        }
        let counts = Counts::of(
            sessions.map(|(number, session)| {
                (session, number != newest || now.since_ms(session.at) > SETTLED_MS)
            }),
            changed,
        );
        (counts, self.usual_features(slot, expected))
    }

    /// Every feature's usual share at a terminal; `expected`: the sum of the sessions' own expectations of a wrong PIN.
    pub(crate) fn usual_features(&self, slot: Slot, expected: Expected) -> [Beta; Feature::COUNT] {
        let terminal = &self.fleet[slot];
        let most = self.tuning.usual.feature_weight;
        let measured = |feature: Feature| {
            let at = feature as usize;
            let (k, n) = (self.features.k[at], self.features.n[at]);
            Beta::around((k + 0.5) / (n + 1.0), n.clamp(8.0, most))
        };
        let family = |family| self.usual_at(terminal, family);
        Feature::ALL.map(|feature| match feature {
            Feature::Wrong if expected.wrong.1 > 0.0 => {
                let own = family(Family::Wrong);
                Beta::around(expected.wrong.0 / expected.wrong.1, own.a + own.b)
            }
            Feature::FailsAgain if expected.fails.1 > 0.0 => {
                Beta::around(expected.fails.0 / expected.fails.1, most * 0.5)
            }
            Feature::Wrong => family(Family::Wrong),
            Feature::Unreadable => family(Family::Unreadable),
            Feature::Cancel => family(Family::Cancel),
            Feature::Lost => family(Family::Lost),
            Feature::Duplicate => family(Family::Duplicate),
            Feature::Dead => family(Family::Dead),
            other => measured(other),
        })
    }

    fn open_terminal(
        &mut self,
        slot: Slot,
        onset: u32,
        family: Family,
        cause: Cause,
        ranking: &Ranking,
        seen: (&Counts, &[Beta; Feature::COUNT]),
    ) {
        let group = group_of(cause);
        if self.fleet[slot].incidents[group as usize] != 0 {
            return;
        }
        let terminal = &self.fleet[slot];
        let since = terminal.session(onset).map_or(self.now, |session| session.at);
        let evidence = self.terminal_evidence(slot, since, ranking, seen);
        let alarmed = ranking.causes[0].2 >= self.tuning.alarm.terminal;
        let sessions = terminal.next().wrapping_sub(onset);
        let draft = Draft {
            cause,
            scope: Scope::Terminal(terminal.id),
            group,
            family: Some(family),
            terminal: Some(slot),
            onset: since,
            now: self.now,
            confidence: self.tuning.calibrated(self.sure(ranking)),
            second: ranking.causes.get(1).map(|second| second.0),
            status: self.standing(ranking),
            evidence,
            sessions,
            alarmed,
            bad: (0.0, 0.0),
        };
        let id = self.open_or_reopen(draft);
        let terminal = &mut self.fleet[slot];
        terminal.incidents[group as usize] = id;
        terminal.repair[group as usize] = 0.0;
        for number in (0..sessions).map(|n| onset.wrapping_add(n)) {
            let belongs = self.fleet[slot].session(number).is_some_and(|session| {
                session.shows(family) || explains(cause, session.first) && session.first != Outcome::Plain
            });
            if belongs {
                self.join(id, slot, number);
            }
        }
        self.list_harmed(id);
    }

    /// Provisional while a second explanation is close.
    fn standing(&self, ranking: &Ranking) -> Status {
        let lead = ranking.causes.first().map_or(0.0, |first| first.2)
            - ranking.causes.get(1).map_or(f64::NEG_INFINITY, |second| second.2).max(0.0);
        let alarmed = ranking.causes.first().is_some_and(|first| first.2 >= self.tuning.alarm.terminal);
        if alarmed && lead >= self.tuning.alarm.firm { Status::Open } else { Status::Provisional }
    }

    /// The probability that it is this, and anything at all: incidents are rare, and a likelihood ratio at the limit of suspicion
    /// leaves that open.
    fn sure(&self, ranking: &Ranking) -> f64 {
        let ln = ranking.causes.first().map_or(0.0, |first| first.2);
        ranking.probability * crate::stats::logistic(ln - self.tuning.alarm.suspect + 1.0)
    }

    /// New evidence about an open incident at a terminal: is it still that, something else, or nothing?
    pub(crate) fn revisit(&mut self, slot: Slot, group: Group) {
        let id = self.fleet[slot].incidents[group as usize];
        let Some(held) = self.register.get(id) else { return };
        let (since, last_seen, cause) = (held.incident.onset, held.incident.last_seen, held.incident.cause);
        if held.family.is_none() {
            return;
        }
        let terminal = &self.fleet[slot];
        let inside = |session: &Session| session.at >= since && session.at <= last_seen;
        let numbers: Vec<u32> = terminal
            .sessions
            .iter()
            .enumerate()
            .filter(|(_, session)| inside(session))
            .map(|(n, _)| terminal.base.wrapping_add(n as u32))
            .collect();
        let (Some(first), Some(last)) = (numbers.first().copied(), numbers.last().copied()) else { return };
        // what is only suspected looks for its onset anew: the first signs may have been chance
        let (family, alarmed) = (held.family, held.alarmed);
        let newer = family.filter(|_| !alarmed).and_then(|family| self.suspicion(slot, family));
        let (first, last) = match newer {
            Some(suspicion) => (suspicion.onset, self.fleet[slot].next().wrapping_sub(1)),
            None => (first, last),
        };
        let (counts, usual) = self.features_since(slot, first, last);
        let ranking = rank(&self.tuning.hypotheses, |cause| may_cause(cause, group), &counts, &usual);
        let Some((best, _, ln)) = ranking.causes.first().copied() else { return };
        let held_ln = ranking.causes.iter().find(|ranked| ranked.0 == cause).map_or(ln, |ranked| ranked.2);
        if ln < self.tuning.alarm.give_up {
            self.retract(id);
            return;
        }
        let other = best != cause && ln >= held_ln + self.tuning.alarm.settle && group_of(best) == group;
        let evidence = self.terminal_evidence(slot, since, &ranking, (&counts, &usual));
        let status = self.standing(&ranking);
        let keeps = best == cause || other;
        let confidence =
            self.tuning.calibrated(if keeps { self.sure(&ranking) } else { 1.0 - ranking.probability });
        let by_cusum = family == Some(Family::Wrong)
            && f64::from(self.fleet[slot].cusum) >= self.tuning.alarm.cusum_h
            && ln >= self.tuning.alarm.terminal * 0.5;
        let alarms = ln >= self.tuning.alarm.terminal || by_cusum;
        let onset = self.fleet[slot].session(first).map(|session| session.at);
        let Some(held) = self.register.get_mut(id) else { return };
        if alarms && !held.alarmed {
            held.alarmed = true;
            held.incident.onset = onset.unwrap_or(held.incident.onset);
        }
        if other {
            held.rename(best);
        }
        let incident = &mut held.incident;
        let before = incident.status;
        let moved = other || (f64::from(incident.confidence) - confidence).abs() > 0.05;
        incident.confidence = confidence as f32;
        let cause = incident.cause;
        incident.second = ranking.causes.iter().map(|ranked| ranked.0).find(|second| *second != cause);
        if incident.status == Status::Provisional || other {
            incident.status = if by_cusum { Status::Open } else { status };
        }
        let moved = moved || held.incident.status != before;
        held.explain(evidence);
        if moved {
            self.register.tell(Change::Revised(id));
            self.list_harmed(id);
        }
    }
}

impl Group {
    /// Groups whose incidents explain refusals of payments at a terminal.
    const PAYMENT_GROUPS: [Self; 4] = [Self::Pin, Self::Line, Self::Numbers, Self::Registration];
}
