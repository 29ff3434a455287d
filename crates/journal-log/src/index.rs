//! Where places stand in a segment: a point for every 64 KiB, so that finding a record reads no more than that.

use crate::segment::START;

/// So far apart.
const SPACING: u64 = 64 * 1024;

/// An offset at which the record of a place begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) place: u64,
    pub(crate) offset: u64,
}

/// Points of a segment, in order. What has none is found by reading from the start.
#[derive(Debug, Default)]
pub(crate) struct Index {
    points: Vec<Point>,
}

impl Index {
    /// Notes where a record stands, if the last point is far enough away. Records may be noted again.
    pub(crate) fn note(&mut self, place: u64, offset: u64) {
        let far = match self.points.last() {
            Some(last) => place > last.place && offset >= last.offset + SPACING,
            // So that there is no stretch without points before the first.
            None => offset == START,
        };
        if far {
            self.points.push(Point { place, offset });
        }
    }

    /// The last point that is not behind a place.
    pub(crate) fn before(&self, place: u64) -> Option<Point> {
        let behind = self.points.partition_point(|point| point.place <= place);
        self.points[..behind].last().copied()
    }

    pub(crate) fn clear(&mut self) {
        self.points = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_point_before_a_place() {
        let mut index = Index::default();
        assert_eq!(index.before(7), None);
        for n in 0..1000 {
            index.note(10 + n, 4096 + n * 1000);
            index.note(10 + n / 2, 4096);
        }
        assert_eq!(index.before(9), None);
        assert_eq!(index.before(10), Some(Point { place: 10, offset: 4096 }));
        let found = index.before(500).unwrap();
        assert!(found.place <= 500 && 500 - found.place <= 66, "{found:?}");
        assert_eq!(found.offset, 4096 + (found.place - 10) * 1000);
        assert!(index.points.len() < 20);
    }
}
