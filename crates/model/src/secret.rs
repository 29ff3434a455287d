//! Values that print as stars and wipe themselves.

use std::fmt;

use zeroize::Zeroize;

/// A value that must not be seen: no `Display`, `Debug` prints stars, memory is wiped on drop.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Puts a value under cover.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Looks at it. Every call is a place to think twice about.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
