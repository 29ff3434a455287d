//! One connection to an issuer: frames in, answers out, each as its lever and the issuer's mood want it.

use std::{io, sync::Arc};

use iso8583::{FrameLimit, Message, MessageBuilder, MessageClass};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::OwnedWriteHalf},
    sync::{Mutex, watch},
};

use super::{
    Mood, Shared,
    book::{Answer, Delivery},
};

/// Elements that an answer repeats from its question.
const REPEATED: [u8; 12] = [2, 3, 4, 7, 11, 32, 33, 37, 41, 42, 49, 70];

pub(super) async fn run(stream: TcpStream, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let (mut read, write) = stream.into_split();
    let write = Arc::new(Mutex::new(write));
    let mut buffer = Vec::new();
    loop {
        let read = tokio::select! {
            _ = stopped.changed() => return,
            read = read.read_buf(&mut buffer) => read,
        };
        if !read.is_ok_and(|count| count > 0) {
            return;
        }
        loop {
            let Ok(frame) = shared.framing.split(&buffer, FrameLimit::default()) else { return };
            let Some(frame) = frame else { break };
            let (body, consumed) = (frame.body.to_vec(), frame.consumed);
            buffer.drain(..consumed);
            if !answer(&shared, &write, &body).await {
                return;
            }
        }
    }
}

/// Answers one message; `false` hangs up.
async fn answer(shared: &Arc<Shared>, write: &Arc<Mutex<OwnedWriteHalf>>, body: &[u8]) -> bool {
    let Ok(message) = shared.dialect.decode(body) else { return false };
    let mood = shared.mood();
    let (reply, delivery) = if message.mti().class() == MessageClass::Network {
        let code = message.short(70).map(|code| code.as_str().to_owned()).unwrap_or_default();
        shared.book().note_network(&code);
        let code = if mood == Mood::Closed { "91" } else { "00" };
        let answer = Answer { code: code.to_owned(), approval: None, delivery: Delivery::Now };
        (compose(shared, &message, &answer), Delivery::Now)
    } else {
        let decided = shared.book().decide(&message, &shared.zone_pin_key);
        let Some(answer) = decided else { return true };
        (compose(shared, &message, &answer), answer.delivery)
    };
    let is_undo = message.mti().class() == MessageClass::Reversal;
    let is_question = !is_undo && message.mti().class() != MessageClass::Network;
    let deaf = match mood {
        Mood::Silent => true,
        Mood::Busy => is_question,
        Mood::DeafToReversals => is_undo,
        Mood::Well | Mood::Closed => false,
    };
    let Some(reply) = reply else { return true };
    match delivery {
        _ if deaf => true,
        Delivery::Now => put(write, &reply).await.is_ok(),
        Delivery::Late => {
            let (late, write) = (shared.late, Arc::clone(write));
            tokio::spawn(async move {
                tokio::time::sleep(late).await;
                let _ = put(&write, &reply).await;
            });
            true
        }
        Delivery::Never => true,
        Delivery::HangUp => false,
    }
}

fn compose(shared: &Shared, message: &Message<'_>, answer: &Answer) -> Option<Vec<u8>> {
    let mut reply = MessageBuilder::new(message.mti().reply()?);
    for n in REPEATED {
        reply.copy(message, n);
    }
    reply.set(39, &answer.code);
    if let Some(approval) = &answer.approval {
        reply.set(38, approval);
    }
    let mut body = Vec::new();
    reply.encode(&shared.dialect, &mut body).ok()?;
    let mut frame = Vec::new();
    shared.framing.write(&mut frame, None, None, &body).ok()?;
    Some(frame)
}

async fn put(write: &Mutex<OwnedWriteHalf>, frame: &[u8]) -> io::Result<()> {
    write.lock().await.write_all(frame).await
}
