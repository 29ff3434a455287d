//! What load runs want beyond the plan.

/// What a sandbox has beyond the plan: load runs want more than people do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub(crate) struct More {
    /// So many more cards of the first product, for load runs
    #[arg(long = "more-cards", value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(super) cards: u32,
    /// So many more terminals at the first listener, for load runs
    #[arg(long = "more-terminals", value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = clap::value_parser!(u32).range(..1_000_000))]
    pub(super) terminals: u32,
}

impl More {
    /// Is there anything?
    pub(crate) fn is_any(self) -> bool {
        self != More::default()
    }
}
