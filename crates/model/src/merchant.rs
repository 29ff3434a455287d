//! The shop.

crate::text::fixed_text! {
    /// Card acceptor identification (DE 42, 商户编号), 15 characters. UnionPay builds it from acquirer (3),
    /// region (4), merchant category code (4) and a sequence (4).
    MerchantId, 15, "merchant number", "15 printable characters"
}

impl MerchantId {
    /// The merchant category code inside a UnionPay-style number (characters 8 to 11), when they are digits.
    #[must_use]
    pub fn category(&self) -> Option<&str> {
        let digits = self.as_str().get(7..11)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then_some(digits)
    }
}
