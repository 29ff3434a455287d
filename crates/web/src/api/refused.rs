//! How every action about an incident, a verdict or a terminal can fail, for the description of the API: said once.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder},
};

/// What [`Failure`](crate::error::Failure) makes of it, and when.
const REFUSALS: [(&str, &str); 4] = [
    ("403", "Asked for by a page from elsewhere, or by somebody who may not."),
    ("404", "There is nothing under this number or name."),
    ("409", "It does not fit what is."),
    ("422", "A part of the body means nothing."),
];

/// The refusals of such an action.
pub(crate) struct DeedRefused;

impl IntoResponses for DeedRefused {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let problem = || ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = |words: &str| {
            let builder = ResponseBuilder::new().description(words);
            builder.content("application/problem+json", problem()).build()
        };
        REFUSALS.iter().map(|(status, words)| ((*status).to_owned(), response(words).into())).collect()
    }
}
