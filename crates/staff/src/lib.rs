//! The people who work with pinward: who they are, what they may do, and what they may only do together.
//!
//! ```text
//! Account (a fold of its facts) ── password + one-time code, or passkey ──► Session ──► Actor
//!                                                                             Actor ── may? ──► Permissions
//! an action that needs two ──► Proposal ── approved by another person, session and device ──► done
//! ```
//!
//! Pure: facts are kept by whoever calls, time, salts and tokens are arguments. Never knows a card, a PIN or a page.

pub mod account;
pub mod actor;
pub mod api_token;
pub mod federation;
pub mod password;
pub mod permission;
pub mod proposal;
pub mod session;

pub use stepup::totp;

pub use account::{Account, AccountFact};
pub use actor::Actor;
pub use api_token::ApiToken;
pub use permission::{Permission, Permissions, Role};
pub use proposal::{Proposal, ProposalFact};
pub use session::{Session, SessionPolicy, Token};
