//! The detectors, from the widest scope to the narrowest, and those that look across cards and staff. Each is a part of
//! [`Diagnosis`](crate::Diagnosis) in a file of its own; the head of the file says which statistics it uses and why.

pub(crate) mod agents;
pub(crate) mod card;
pub(crate) mod cohort;
pub(crate) mod common_point;
pub(crate) mod exact;
pub(crate) mod firmware;
pub(crate) mod reasons;
pub(crate) mod screen;
pub(crate) mod spray;
pub(crate) mod terminal;
