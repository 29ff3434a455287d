//! Dots in rows of whole bytes, the leftmost dot in the highest bit; 1 is ink. The form that printers and one-bit pictures share.

/// A picture of dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitmap {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl Bitmap {
    /// White.
    #[must_use]
    pub fn new(width: usize, height: usize) -> Bitmap {
        Bitmap { width, height, bytes: vec![0; width.div_ceil(8) * height] }
    }

    /// Dots from left to right.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Dots from top to bottom.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Bytes of a row.
    #[must_use]
    pub fn row_bytes(&self) -> usize {
        self.width.div_ceil(8)
    }

    /// All rows.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many dots have ink.
    #[must_use]
    pub fn ink(&self) -> u32 {
        self.bytes.iter().map(|byte| byte.count_ones()).sum()
    }

    /// Puts ink on a dot; beside the picture nothing happens.
    pub fn set(&mut self, x: usize, y: usize) {
        if x < self.width && y < self.height {
            let at = y * self.row_bytes() + x / 8;
            self.bytes[at] |= 0x80 >> (x % 8);
        }
    }

    /// A line three dots thick, by Bresenham's algorithm.
    pub fn stroke(&mut self, from: (usize, usize), to: (usize, usize)) {
        let (mut x, mut y) = (from.0 as i64, from.1 as i64);
        let (x1, y1) = (to.0 as i64, to.1 as i64);
        let (dx, dy) = ((x1 - x).abs(), -(y1 - y).abs());
        let (step_x, step_y) = ((x1 - x).signum(), (y1 - y).signum());
        let mut error = dx + dy;
        loop {
            self.blot(x, y);
            if (x, y) == (x1, y1) {
                return;
            }
            let twice = 2 * error;
            if twice >= dy {
                error += dy;
                x += step_x;
            }
            if twice <= dx {
                error += dx;
                y += step_y;
            }
        }
    }

    fn blot(&mut self, x: i64, y: i64) {
        for (dx, dy) in [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)] {
            if let (Ok(x), Ok(y)) = (usize::try_from(x + dx), usize::try_from(y + dy)) {
                self.set(x, y);
            }
        }
    }
}
