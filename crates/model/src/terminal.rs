//! The terminal.

crate::text::fixed_text! {
    /// Card acceptor terminal identification (DE 41, 终端编号), 8 characters.
    TerminalId, 8, "terminal number", "8 printable characters"
}
