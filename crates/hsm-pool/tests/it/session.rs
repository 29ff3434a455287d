//! The session over random streams: replies in any order, cut and joined in any way, and damaged.

use hsm::payshield::{Command, Completed, Content, Encoded, Framing, Session, SessionError};
use proptest::{collection::vec, prelude::*};

fn echo(data: &[u8]) -> Encoded {
    Command::Echo(data).encode(None).unwrap()
}

/// The frames of some commands, and the frames of their replies.
fn replies(out: &[u8], header: usize) -> Vec<Vec<u8>> {
    let mut rest = out;
    let mut replies = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (frame, next) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        let (header, command) = frame.split_at(header);
        // `B2`, length 4H, data
        let body = [header, b"B300", &command[6..]].concat();
        replies.push([&u16::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat());
        rest = next;
    }
    replies
}

proptest! {
    #[test]
    fn every_reply_finds_its_command(
        datas in vec(vec(any::<u8>(), 1..40), 1..30),
        order in Just((0..30_usize).collect::<Vec<_>>()).prop_shuffle(),
        cuts in vec(1..50_usize, 1..20),
        header in 1..12_u8,
        first in any::<u64>(),
    ) {
        let framing = Framing::new(header).unwrap();
        let mut session = Session::new(framing, 30, first);
        let mut out = Vec::new();
        let mut ids = Vec::new();
        for data in &datas {
            match session.send(&echo(data), &mut out) {
                Ok(id) => ids.push((id, data)),
                Err(e) => prop_assert_eq!((e, header), (SessionError::Full, 1)),
            }
        }
        prop_assert!(header == 1 || ids.len() == datas.len());
        let replies = replies(&out, usize::from(header));
        let stream: Vec<u8> = order.iter().filter_map(|place| replies.get(*place)).flatten().copied().collect();
        let mut completed = Vec::new();
        let mut rest = stream.as_slice();
        for cut in cuts.iter().cycle() {
            let (part, next) = rest.split_at((*cut).min(rest.len()));
            session.receive(part, &mut completed).unwrap();
            rest = next;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!((completed.len(), session.in_flight()), (ids.len(), 0));
        for (id, data) in ids {
            let found = completed.iter().find(|done| done.id == id).and_then(|done| done.reply.as_ref());
            let same = matches!(found.map(|reply| &reply.content), Some(Content::Echo(back)) if back == data);
            prop_assert!(same);
        }
    }

    #[test]
    fn a_damaged_stream_completes_nothing_that_was_not_asked(
        place in any::<prop::sample::Index>(),
        bit in 0..8_u8,
        cut in 1..20_usize,
    ) {
        let mut session = Session::new(Framing::USUAL, 8, 0);
        let mut out = Vec::new();
        let sent: Vec<_> = (0..5).map(|_| session.send(&echo(b"data"), &mut out).unwrap()).collect();
        let mut stream = replies(&out, 4).concat();
        let at = place.index(stream.len());
        stream[at] ^= 1 << bit;
        let mut completed: Vec<Completed> = Vec::new();
        let mut given_up = false;
        for part in stream.chunks(cut) {
            given_up = session.receive(part, &mut completed).is_err();
            if given_up {
                prop_assert_eq!(session.receive(part, &mut completed).err(), Some(SessionError::Poisoned));
                prop_assert_eq!(session.send(&echo(b"x"), &mut out).err(), Some(SessionError::Poisoned));
                break;
            }
        }
        let mut ids: Vec<_> = completed.iter().map(|done| done.id).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), completed.len(), "no command is answered twice");
        prop_assert!(ids.iter().all(|id| sent.contains(id)));
        prop_assert!(given_up || completed.len() + session.in_flight() == sent.len());
    }
}

#[test]
fn a_late_reply_is_thrown_away_and_its_header_stays_taken() {
    let mut session = Session::new(Framing::new(1).unwrap(), 18, 0);
    let mut out = Vec::new();
    let late = session.send(&echo(b"late"), &mut out).unwrap();
    session.time_over(late);
    let frame = replies(&out, 1).concat();
    let mut completed = Vec::new();
    for _ in 0..100 {
        let mut out = Vec::new();
        let id = session.send(&echo(b"next"), &mut out).unwrap();
        assert_ne!(id, late);
        session.receive(&replies(&out, 1).concat(), &mut completed).unwrap();
        assert!(completed.pop().is_some_and(|done| done.id == id && done.reply.is_some()));
    }
    assert_eq!((session.overdue(), session.in_flight()), (1, 1));
    session.receive(&frame, &mut completed).unwrap();
    assert!(completed.pop().is_some_and(|done| done.id == late && done.reply.is_none()));
    assert_eq!(session.in_flight(), 0);
    // The same reply again is nobody's.
    assert_eq!(session.receive(&frame, &mut completed), Err(SessionError::UnknownHeader));
}

#[test]
fn commands_and_replies_print_without_their_fields() {
    let secret = "0123456789ABCDEF";
    let command = echo(secret.as_bytes());
    assert_eq!(format!("{command:?}"), "Encoded(B2 ***)");
    let reply = hsm::payshield::Reply::parse(&command, format!("B300{secret}").as_bytes()).unwrap();
    assert_eq!(format!("{reply:?}"), "Reply { error: 00, *** }");
}
