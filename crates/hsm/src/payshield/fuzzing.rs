//! What must hold for every byte that a device may send: called by the fuzz target and by the ordinary test that replays
//! its corpus. A violation panics in a test and nowhere else: no product code calls this.

use model::{CardId, PinBlockFormat, PinOutcome};

use super::{
    command::{Command, Encoded},
    frame::Framing,
    outcome,
    reply::{Reply, Shape},
    session::Session,
};

const SHAPES: [Shape; 13] = [
    Shape::Nothing,
    Shape::Diagnostics,
    Shape::Echo(3),
    Shape::GeneratedKey,
    Shape::ImportedKey,
    Shape::CheckValue,
    Shape::Translated(PinBlockFormat::Iso0),
    Shape::Translated(PinBlockFormat::Iso4),
    Shape::Translated(PinBlockFormat::Iso2),
    Shape::Pvv,
    Shape::Offset,
    Shape::Mac(8),
    Shape::Mac(16),
];

/// The first byte chooses what was asked, the rest is what came: once as one reply, once as a stream of frames, fed in
/// two different cuts that must give the same.
pub fn reply(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else { return };
    let shape = SHAPES[usize::from(*choice) % SHAPES.len()];
    let read = Reply::parse_as(*b"ND", shape, body);
    if let Ok(reply) = &read {
        assert!(body.starts_with(b"ND") && body[2..4] == *reply.error.to_string().as_bytes());
        let Ok(diagnostics) = Command::Diagnostics.encode(None) else { return };
        let proven = outcome::of_verification(CardId([0; 16]), &diagnostics, reply);
        assert!(matches!(proven, PinOutcome::Unverifiable(_)), "NC says nothing about a PIN");
    }
    assert_eq!(stream(body, body.len().max(1)), stream(body, 1 + usize::from(*choice % 7)));
}

/// Commands under way: three diagnostics. Gives what was completed and whether the stream was given up.
fn stream(bytes: &[u8], cut: usize) -> (Vec<String>, bool) {
    let mut session = Session::new(Framing::USUAL, 3, 0);
    let mut out = Vec::new();
    let commands: Vec<Encoded> = (0..3).filter_map(|_| Command::Diagnostics.encode(None).ok()).collect();
    for command in &commands {
        assert!(session.send(command, &mut out).is_ok());
    }
    let mut completed = Vec::new();
    let mut given_up = false;
    for part in bytes.chunks(cut) {
        given_up = session.receive(part, &mut completed).is_err();
        if given_up {
            assert!(!session.has_room(), "nothing is sent over a poisoned session");
            break;
        }
    }
    assert!(completed.len() + session.in_flight() <= commands.len());
    (completed.iter().map(|done| format!("{done:?}")).collect(), given_up)
}
