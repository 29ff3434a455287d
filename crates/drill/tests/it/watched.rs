//! The baseline's table as it is asked: what is counted, and what is left out.

use diagnosis::Cause;
use drill::{
    Tally,
    evaluate::watched::{About, Answer, Guess, Question},
};

fn question(row: &'static str, column: usize, truth: Option<Cause>, beside: bool) -> Question {
    let about = About::Terminal("D0000001".parse().unwrap());
    Question { about, row, column, truth: truth.map(|cause| (0, cause)), beside, before: 0, seen: 1 }
}

fn says(cause: Cause, log_odds: f32) -> Option<Guess> {
    Some(Guess { cause, log_odds, others: Vec::new() })
}

#[test]
fn the_likeliest_cause_counts_if_it_is_likelier_than_nothing() {
    let keypad = Some(Cause::KeypadFault);
    let asked = [
        (
            question("dead_key", 0, keypad, false),
            says(Cause::KeypadFault, -0.5),
            says(Cause::KeypadFault, 0.5),
        ),
        (question("dead_key", 0, keypad, false), says(Cause::PinSpray, 9.0), says(Cause::KeypadFault, 9.0)),
        (question("dead_key", 0, keypad, false), None, None),
        (question("dead_key", 0, keypad, true), None, None),
        (question("normal", 1, None, false), says(Cause::PinSpray, 0.1), says(Cause::PinSpray, -0.1)),
        (question("normal", 1, None, false), None, None),
    ];
    let mut tally = Tally::default();
    let questions: Vec<Question> = asked.iter().map(|(question, ..)| *question).collect();
    let answers: Vec<Answer> =
        asked.into_iter().map(|(_, provisional, revised)| Answer { provisional, revised }).collect();
    tally.watched(&questions, &answers);
    let watched = tally.score("by hand").by_sessions_watched;
    let dead = &watched.rows["dead_key"];
    assert_eq!((dead.n[0], dead.provisional[0], dead.revised[0]), (3, Some(0.0), Some(2.0 / 3.0)));
    let normal = &watched.rows["normal"];
    assert_eq!((normal.n[1], normal.provisional[1], normal.revised[1]), (2, Some(0.5), Some(1.0)));
    assert_eq!((watched.left_out, dead.n[1], dead.revised[1]), (1, 0, None));
}
