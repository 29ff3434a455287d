//! The pages. Each file is one page; [`layout`] is what they have in common, [`parts`] what they are put together from.

pub(crate) mod layout;
pub(crate) mod parts;

pub(crate) mod office;
pub(crate) mod overview;
pub(crate) mod transactions;

pub(crate) mod receipt;
pub(crate) mod tokens;
pub(crate) mod transaction;

pub(crate) mod why;

pub(crate) mod cause;
pub(crate) mod deeds;
pub(crate) mod evidence;
pub(crate) mod hops;
pub(crate) mod incidents;
pub(crate) mod lanes;
pub(crate) mod learned;
pub(crate) mod register;
pub(crate) mod register_charts;
pub(crate) mod rule_deeds;
pub(crate) mod rule_edit;
mod rule_hits;
pub(crate) mod rule_set;
pub(crate) mod rules;
pub(crate) mod watched;

pub(crate) mod desk;
pub(crate) mod desk_ask;
pub(crate) mod desk_caller;
pub(crate) mod desk_case;
pub(crate) mod desk_deeds;
pub(crate) mod desk_forms;
pub(crate) mod desk_survey;

pub(crate) mod alarm_deeds;
pub(crate) mod alarms;
pub(crate) mod merchant;
pub(crate) mod messages;
pub(crate) mod sms_receipts;

pub(crate) mod about;
pub(crate) mod card;
pub(crate) mod cards;
pub(crate) mod codes;
pub(crate) mod confirm;
pub(crate) mod docs;
pub(crate) mod effects;
pub(crate) mod error;
pub(crate) mod holder;
pub(crate) mod holder_passkeys;
pub(crate) mod passkeys;
pub(crate) mod shop;
pub(crate) mod sign_in;
pub(crate) mod sign_in_oidc;
pub(crate) mod terminals;
