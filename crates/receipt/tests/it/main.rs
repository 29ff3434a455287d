//! Slips of every form, as they were approved, in every way of drawing them; and what outsiders may send without harm.

mod bounds;
mod forms;
mod golden;
mod picture;
mod signature;
