//! The staff of a store: the office opens with the host; a sandbox's staff are opened with it, with words that everybody may
//! read in `sandbox.json`.

use std::sync::Arc;

use anyhow::Context as _;
use office::{Clock, NewAccount, Office, OfficeError};
use passkey::RelyingParty;
use serde::{Deserialize, Serialize};
use staff::{Actor, Role, SessionPolicy, totp};
use store::Book;

/// Somebody in `sandbox/sandbox.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StaffPlan {
    username: String,
    name: String,
    role: Role,
}

/// Somebody in `sandbox.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StaffJson {
    pub(crate) role: String,
    pub(crate) username: String,
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) password: String,
    /// Base32, for an authenticator app.
    pub(crate) totp_secret: String,
}

/// Gives everybody of the plan a password and a secret of their own.
pub(crate) fn invent(plan: &[StaffPlan], password: &str) -> anyhow::Result<Vec<StaffJson>> {
    plan.iter()
        .map(|one| {
            let mut secret = [0; totp::SECRET_LEN];
            getrandom::fill(&mut secret).map_err(|e| anyhow::anyhow!("no randomness: {e}"))?;
            Ok(StaffJson {
                role: one.role.to_string(),
                username: one.username.clone(),
                name: one.name.clone(),
                password: password.to_owned(),
                totp_secret: totp::base32(&secret),
            })
        })
        .collect()
}

/// Whoever acts from the command line or on the program's own behalf.
pub(crate) fn operator(name: &str) -> Actor {
    Actor {
        name: name.to_owned(),
        person: name.to_owned(),
        roles: vec![Role::Administrator, Role::Auditor],
        session: String::new(),
        device: String::new(),
        scopes: None,
    }
}

/// Opens the office of a store.
pub(crate) async fn open_office(book: Arc<dyn Book>) -> anyhow::Result<Office> {
    let clock: Clock = Arc::new(|| model::Timestamp(jiff::Timestamp::now().as_millisecond()));
    Office::open(book, clock, SessionPolicy::default()).await.context("cannot open the office")
}

/// By what name passkeys know the console that is reached at this address; without a name there are no passkeys.
pub(crate) fn relying_party(address: &str) -> Option<RelyingParty> {
    RelyingParty::of_address(address).inspect_err(|why| tracing::warn!(%why, "no passkeys")).ok()
}

/// Opens the accounts of a sandbox that are not there yet.
pub(crate) async fn employ(office: &Office, staff: &[StaffJson]) -> anyhow::Result<()> {
    let by = operator("sandbox");
    for one in staff {
        let new = NewAccount {
            name: one.username.clone(),
            display: one.name.clone(),
            person: one.username.clone(),
            roles: vec![one.role.parse().with_context(|| format!("sandbox.json: role {}", one.role))?],
        };
        let link = match office.open_account(&by, &new).await {
            // It is there since another start, or another host of the same store is quicker.
            Err(OfficeError::Conflict(_)) => continue,
            other => other.with_context(|| format!("cannot open the account {}", one.username))?,
        };
        let secret = totp::from_base32(&one.totp_secret).and_then(|s| s.try_into().ok());
        let secret: [u8; totp::SECRET_LEN] =
            secret.with_context(|| format!("sandbox.json: totp_secret of {}", one.username))?;
        office
            .set_up_with(&link, &one.password, &secret)
            .await
            .with_context(|| format!("cannot set up the account {}", one.username))?;
    }
    Ok(())
}

/// For the sign-in page of a sandbox.
pub(crate) fn shown(staff: &[StaffJson]) -> Vec<web::SandboxStaff> {
    staff
        .iter()
        .map(|one| web::SandboxStaff {
            role: one.role.clone(),
            username: one.username.clone(),
            password: one.password.clone(),
            totp_secret: one.totp_secret.clone(),
        })
        .collect()
}
