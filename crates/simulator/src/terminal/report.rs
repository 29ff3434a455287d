//! What the terminal tells about itself with a message, if it is one that does.

use iso8583::MessageBuilder;

use super::{Exchange, Terminal};
use crate::device::{self, Device, Diary};

impl Terminal {
    /// What it tells about itself; a terminal without a device sends no reports.
    #[must_use]
    pub fn device(&self) -> Option<&Device> {
        self.diary.as_ref().map(|diary| &diary.device)
    }

    /// From now on it is this: another version after an update, another place after it was moved.
    pub fn set_device(&mut self, device: Option<Device>) {
        self.diary = device.map(Diary::of);
    }

    /// The next PIN takes so long to type, in milliseconds; without this, as long as usual.
    pub fn typed_in(&mut self, ms: u32) {
        if let Some(diary) = &mut self.diary {
            diary.pin_entry_ms = Some(ms);
        }
    }

    /// Somebody pressed cancel at the PIN prompt. It is told with the next message.
    pub fn note_cancel(&mut self) {
        if let Some(diary) = &mut self.diary {
            diary.cancels = diary.cancels.saturating_add(1);
        }
    }

    /// Nobody finished a PIN in time. It is told with the next message.
    pub fn note_entry_timeout(&mut self) {
        if let Some(diary) = &mut self.diary {
            diary.entry_timeouts = diary.entry_timeouts.saturating_add(1);
        }
    }

    /// Puts the report into a message. Sign-ins, echoes and notices tell who it is, payments what is new.
    pub(super) fn report_in(&mut self, message: &mut MessageBuilder) {
        if !device::is_room_in(&self.line.dialect) {
            return;
        }
        if let Some(diary) = &mut self.diary {
            diary.reconnects = self.line.link.reconnects();
            let is_payment = message.has(3);
            message.set(device::FIELD, &diary.report(!is_payment));
        }
    }

    /// What became of the message that carried it.
    pub(super) fn note_exchange(&mut self, exchange: &Exchange, took_ms: u64) {
        let Some(diary) = &mut self.diary else { return };
        match exchange {
            Exchange::Believed(_) => {
                diary.answered(took_ms);
                self.line.link.forget_reconnects();
            }
            Exchange::Disbelieved(_) => {}
            Exchange::Silence => diary.unanswered(),
        }
    }
}
