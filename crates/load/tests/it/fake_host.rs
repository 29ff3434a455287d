//! A host that verifies nothing and answers as a test wants, and terminals with made-up keys that pay there.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use iso8583::{Dialect, FrameLimit, Framing, Header, MessageBuilder, Mti, Tpdu};
use load::{Choice, Crew, Plan, Report};
use serde_json::json;

/// What is done with a request, given its place in the order of arrival.
#[derive(Clone, Copy)]
pub(crate) enum Manner {
    /// Answered with this code.
    Code(&'static str),
    /// What has arrived together is answered last come, first served.
    Backwards,
    /// All answered twice.
    Twice,
    /// As if another terminal had asked.
    OtherTerminal,
    /// As if it were another kind of message.
    OtherType,
    /// The tenth is not answered.
    Forgets,
    /// The tenth ends the connection.
    HangsUp,
    /// Each answer has a number of its own, those of repeats too.
    Numbers,
    /// Once, after this time, nothing is read for that long.
    Stalls(Duration, Duration),
}

/// Serves any number of connections until the test ends.
pub(crate) fn serve(manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || answer_all(stream, manner));
        }
    });
    address
}

fn answer_all(mut stream: TcpStream, manner: Manner) {
    let dialect = Dialect::builtin("cup-pos").unwrap();
    let (mut arrived, mut out) = (Vec::new(), Vec::new());
    let (mut buffer, mut count) = ([0; 4096], 0);
    let (began, mut has_stalled) = (Instant::now(), false);
    loop {
        if let Manner::Stalls(after, long) = manner
            && began.elapsed() > after
            && !has_stalled
        {
            thread::sleep(long);
            has_stalled = true;
        }
        let Ok(read @ 1..) = stream.read(&mut buffer) else { return };
        arrived.extend_from_slice(&buffer[..read]);
        let mut answers = Vec::new();
        while let Some(frame) = Framing::Len2TpduHeader.split(&arrived, FrameLimit::default()).unwrap() {
            count += 1;
            match manner {
                Manner::Forgets if count == 10 => {}
                Manner::HangsUp if count == 10 => return,
                _ => answers.push(answer(&dialect, frame.body, manner, count)),
            }
            let consumed = frame.consumed;
            arrived.drain(..consumed);
        }
        match manner {
            Manner::Backwards => answers.reverse(),
            Manner::Twice => {
                answers = answers.iter().flat_map(|answer| [answer.clone(), answer.clone()]).collect()
            }
            _ => {}
        }
        out.clear();
        answers.iter().for_each(|answer| out.extend_from_slice(answer));
        if stream.write_all(&out).is_err() {
            return;
        }
    }
}

fn answer(dialect: &Dialect, body: &[u8], manner: Manner, count: u32) -> Vec<u8> {
    let request = dialect.decode(body).unwrap();
    let kind = match manner {
        Manner::OtherType => Mti::packed(0x0830).unwrap(),
        _ => request.mti().reply().unwrap(),
    };
    let mut message = MessageBuilder::new(kind);
    message.copy(&request, 11).copy(&request, 41).copy(&request, 42);
    message.set(39, if let Manner::Code(code) = manner { code } else { "00" });
    match manner {
        Manner::OtherTerminal => message.set(41, "99999999"),
        Manner::Numbers => message.set(37, &format!("{count:012}")),
        _ => &mut message,
    };
    let (mut answer, mut frame) = (Vec::new(), Vec::new());
    message.encode(dialect, &mut answer).unwrap();
    let (tpdu, header) = (Tpdu([0x60, 0, 0, 0, 3]), Header([0x60, 0x31, 0, 0x31, 0, 0]));
    Framing::Len2TpduHeader.write(&mut frame, Some(tpdu), Some(header), &answer).unwrap();
    frame
}

/// Four terminals and forty cards that pay at this address.
pub(crate) fn crew(address: SocketAddr, plan: &Plan) -> Crew {
    let terminals: Vec<_> = (1..=4)
        .map(|n| {
            json!({ "tid": format!("{n:08}"), "mid": "898510154110283", "listener": 0,
                "tmk": "0F1E2D3C4B5A69788796A5B4C3D2E1F0" })
        })
        .collect();
    let cards: Vec<_> = (0..40)
        .map(|n| json!({ "pan": format!("910001{n:013}"), "expiry": "3012", "pin": "123459", "product": "any" }))
        .collect();
    let sandbox = json!({
        "listeners": [{ "address": address.to_string(), "dialect": "cup-pos", "framing": "len2+tpdu+header",
            "mac": "cup-ecb-8" }],
        "terminals": terminals, "cards": cards,
    });
    let choice = Choice { listener: 0, product: "any".to_owned(), terminals: 4, cards: 40 };
    Crew::made_up(serde_json::from_value(sandbox).unwrap(), &choice, plan).unwrap()
}

/// A run on such a host.
pub(crate) fn run(manner: Manner, plan: &Plan) -> Report {
    load::run(plan, &mut crew(serve(manner), plan), &mut |_| {}).unwrap()
}

/// Short, and with some pipelining.
pub(crate) fn plan() -> Plan {
    Plan {
        connections: 3,
        depth: 8,
        time: Duration::from_millis(600),
        reply_timeout: Duration::from_secs(30),
        ..Plan::default()
    }
}
