//! What providers answer, as `vectors/token-answers.json` has it.

use http::StatusCode;
use serde_json::Value;

use super::DownstreamError;
use super::grants::error_of;
use crate::config::{DownstreamConfig, DownstreamGrant};
use crate::downstream_refusal::DownstreamRefusal;
use crate::issuer::{EndpointFault, read_token_answer};
use crate::json::{JsonLimits, read_object_within};

#[test]
fn recorded_answers_are_read_as_they_are_meant() {
    let recorded = include_str!("../../../vectors/token-answers.json");
    let limits = JsonLimits { depth: 8, members: 4096 };
    let recorded = Value::Object(read_object_within(recorded, limits).unwrap());
    let answers = recorded["answers"].as_array().unwrap();
    assert!(answers.len() > 10);
    for answer in answers {
        let status = answer["status"].as_u64().and_then(|status| u16::try_from(status).ok());
        let status = StatusCode::from_u16(status.unwrap()).unwrap();
        let body = answer["body"].to_string();
        let outcome = match read_token_answer(status, body.as_bytes()) {
            Ok(_) => "token",
            Err(EndpointFault::Refused(refusal)) => {
                let grant = DownstreamGrant::OnBehalfOf;
                let config = DownstreamConfig { grant, ..DownstreamConfig::default() };
                match error_of(&config, &refusal) {
                    DownstreamError::Caller(DownstreamRefusal::StepUp { .. }) => "step_up",
                    DownstreamError::Caller(DownstreamRefusal::ConsentRequired { .. }) => "consent",
                    _ => "refused",
                }
            }
            Err(_) => "no answer",
        };
        assert_eq!(answer["outcome"], outcome, "{}", answer["name"]);
    }
}
