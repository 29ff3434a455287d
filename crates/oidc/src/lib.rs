//! Signing in by an OpenID provider (OpenID Connect Core 1.0, authorization code flow, with PKCE, RFC 7636): what the browser is
//! sent away with, what comes back, and whether to believe it.
//!
//! ```text
//! Client::begin ── state, nonce, challenge ──► browser ──► provider
//! Client::finish ◄── code, state ── browser ◄──┘
//!      │ code + verifier ──► token endpoint ──► ID token ──► signature, issuer, audience, time, nonce
//!      └─► Confirmed: who the provider says it is. Which account that is, the office knows.
//! ```
//!
//! What was begun is kept here, bound to the browser that began it, and used once. Signatures are RS256 and ES256 (RFC 7518 §3)
//! by ring; `none`, shared secrets and everything else are not known. The provider is the one that the operator configured:
//! requests go to its own host, or to addresses that a webhook could go to.

mod attempt;
mod client;
mod fetch;
mod id_token;
mod keys;
mod metadata;
mod settings;

pub use client::{Client, Refused};
pub use settings::{Settings, Trouble};
