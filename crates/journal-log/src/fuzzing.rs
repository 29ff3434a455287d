//! What must hold for any bytes in place of a segment: called by the fuzz target, and by an ordinary test that replays its
//! corpus. A violation panics.

use crate::{
    record::{HEAD, Kind, size, write_entry, write_mark},
    recover::{behind, follow},
    walk::{Slice, Step, Walk},
};

/// Any bytes as records; the first four are the segment's salt. What is read is what was written, in the order of its
/// places; what stands behind is judged without going astray.
pub fn segment(data: &[u8]) {
    let Some((salt, data)) = data.split_first_chunk::<4>() else { return };
    let salt = u32::from_le_bytes(*salt);
    let mut walk = Walk::new(Slice(data, salt), 0);
    let (mut next, mut written) = (None, Vec::new());
    while let Step::Record(record, body) = walk.step().expect("bytes in memory") {
        if next.is_some_and(|next| next != record.expects()) {
            break;
        }
        written.clear();
        let body = walk.body(body).to_vec();
        match record.kind {
            Kind::Entry => {
                let nth = u32::try_from(record.place - record.durable()).expect("as it was read");
                write_entry(&mut written, salt, record.place, nth, &body);
            }
            Kind::Mark => write_mark(&mut written, salt, record.place),
        }
        let start = usize::try_from(walk.offset).expect("inside");
        assert_eq!(data.get(start..start + HEAD + record.len), written.get(..HEAD + record.len));
        assert_eq!(record.size(), size(body.len()));
        assert!(record.durable() < record.next());
        next = Some(record.next());
        walk.pass(&record);
    }
    let Some(Step::Record(first, _)) = Walk::new(Slice(data, salt), 0).step().ok() else { return };
    let tail = follow(Slice(data, salt), 0, first.expects(), |_, _| {}).expect("bytes in memory");
    assert_eq!((tail.offset, Some(tail.next)), (walk.offset, next));
    let from = tail.offset.min(data.len() as u64);
    if let Ok(Some(torn)) = behind(&Slice(data, salt), from, tail.next).expect("bytes in memory") {
        assert!(torn.bytes > 0 && from + torn.bytes <= data.len() as u64);
    }
}

/// A log of made-up records, for seeds of the corpus: `groups` of so many entries each, closed or not.
#[must_use]
pub fn sample(salt: u32, groups: &[u32], closed: bool) -> Vec<u8> {
    let mut data = salt.to_le_bytes().to_vec();
    let mut records = Vec::new();
    let mut place = 0;
    for entries in groups {
        for nth in 1..=*entries {
            place += 1;
            let body = format!("entry {place}").repeat(nth as usize);
            write_entry(&mut records, salt, place, nth, body.as_bytes());
        }
    }
    if closed {
        write_mark(&mut records, salt, place);
    }
    records.resize(records.len() + 64, 0);
    data.extend_from_slice(&records);
    data
}
