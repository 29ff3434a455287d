//! The REST API: JSON of the same things that the pages show.

mod body;
mod cause_schema;
pub(crate) mod diagnosis;
mod incident_schema;
pub(crate) mod incidents;
pub(crate) mod overview;
pub(crate) mod register;
pub(crate) mod transactions;

pub(crate) mod alarm_schema;
pub(crate) mod alerts;
pub(crate) mod cards;
pub(crate) mod case_schema;
pub(crate) mod cases;
pub(crate) mod codes;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod merchants;
pub(crate) mod office;
pub(crate) mod openapi;
pub(crate) mod query;
pub(crate) mod receipts;
mod refused;
pub(crate) mod rules;
pub(crate) mod sandbox;
pub(crate) mod schema;
pub(crate) mod session;
pub(crate) mod suspicions;
pub(crate) mod terminals;
pub(crate) mod tokens;
pub mod told;
pub(crate) mod webhooks;
