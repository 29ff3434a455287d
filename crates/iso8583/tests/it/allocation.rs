//! Decoding and reading allocate nothing: counted, not believed.

use crate::support::SAMPLES;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system allocator, counting what each thread asks of it.
pub(crate) struct Counting;

#[allow(unsafe_code, reason = "an allocator can not be written without")]
// SAFETY: every call is passed on to the system allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn allocations_of(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn decoding_and_reading_allocate_nothing() {
    for sample in SAMPLES.iter() {
        let (bytes, body, dialect, framing) =
            (sample.bytes(), sample.body(), sample.dialect(), sample.framing());
        let allocated = allocations_of(|| {
            let frame = framing.split(&bytes, Default::default()).expect("a frame").expect("whole");
            let message = dialect.decode(frame.body).expect("a good message");
            for n in message.fields() {
                let _ = (
                    message.raw(n),
                    message.short(n),
                    message.digits(n),
                    message.ascii(n),
                    message.before(n),
                );
            }
            let _ = (message.sub(60, "2"), message.sub(55, "9F02"), message.mac_field());
        });
        assert_eq!(allocated, 0, "{}", sample.id);
        // A message that is refused costs nothing either.
        let cut = &body[..body.len() - 1];
        assert_eq!(allocations_of(|| assert!(dialect.decode(cut).is_err())), 0, "{} cut", sample.id);
    }
}
