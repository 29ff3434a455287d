//! Models, versions, carriers and places of the sandbox's terminals: what they say of themselves, and what is registered.

use authorization::terminal::{Place, Site};
use model::MerchantId;
use serde::{Deserialize, Serialize};

/// What a terminal says of itself, as `sandbox.json` has it for whoever plays the terminal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DeviceJson {
    model: String,
    firmware: String,
    application: String,
    carrier: String,
    /// Degrees north and east.
    place: [f64; 2],
}

/// What is dealt out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DevicesPlan {
    carriers: Vec<String>,
    models: Vec<ModelPlan>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelPlan {
    model: String,
    firmware: String,
    application: String,
}

impl DevicesPlan {
    /// The device of the terminal with this number, at this place.
    pub(super) fn device(&self, index: usize, place: [f64; 2]) -> DeviceJson {
        let ModelPlan { model, firmware, application } = &self.models[index % self.models.len()];
        DeviceJson {
            model: model.clone(),
            firmware: firmware.clone(),
            application: application.clone(),
            carrier: self.carriers[index % self.carriers.len()].clone(),
            place,
        }
    }
}

impl DeviceJson {
    /// What is registered about it: where it stands, its model, and its merchant's category.
    pub(super) fn site(&self, merchant: &str) -> Site {
        let category = merchant.parse::<MerchantId>().ok().and_then(|id| id.category()?.parse().ok());
        let e6 = |degrees: f64| (degrees * 1e6).round() as i32;
        let [north, east] = self.place;
        let place = Place { latitude_e6: e6(north), longitude_e6: e6(east) };
        Site { category, place: Some(place), model: Some(self.model.clone()) }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_built_in_plan_deals_out_every_model_and_carrier() {
        let plan = super::super::plan().unwrap();
        let device = |index: usize| plan.devices.device(index, plan.merchants[0].place);
        let count = |of: fn(&super::DeviceJson) -> &String| {
            (0..12).map(|index| of(&device(index)).clone()).collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!(
            (count(|d| &d.firmware), count(|d| &d.carrier)),
            (plan.devices.models.len(), plan.devices.carriers.len())
        );
        let site = device(0).site(&plan.merchants[0].mid);
        assert_eq!((site.category, site.place.unwrap().latitude_e6), (Some(5411), 28_194_000));
    }
}
