//! What goes back, and what a request's parts become before anyone looks at them.

use axum::{
    Json,
    body::{Body, Bytes},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::Limits;
use crate::control::message::Problem;

/// Either what was asked for, or a problem with its status.
pub(super) type Answer<T> = Result<Json<T>, Refusal>;

/// A problem on its way to the client.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    problem: Problem,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, problem: Problem) -> Self {
        Self { status, problem }
    }

    /// 400: what was sent cannot be understood.
    pub(super) fn bad(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Problem::new(2, error))
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let status = match problem.exit {
            2 => StatusCode::BAD_REQUEST,
            3 => StatusCode::UNPROCESSABLE_ENTITY,
            6 => StatusCode::FORBIDDEN,
            7 => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, problem }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.problem)).into_response()
    }
}

/// A body of JSON, whatever its content type says.
pub(super) async fn json<T: DeserializeOwned>(body: Body, limits: &Limits) -> Result<T, Refusal> {
    serde_json::from_slice(&bytes(body, limits).await?)
        .map_err(|error| Refusal::bad(format!("read the request's JSON: {error}")))
}

async fn bytes(body: Body, limits: &Limits) -> Result<Bytes, Refusal> {
    match timeout(limits.body, Limited::new(body, limits.body_bytes).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let error = format!("read the request: its body has more than {} bytes", limits.body_bytes);
            Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Problem::new(2, error)))
        }
        Ok(Err(error)) => Err(Refusal::bad(format!("read the request's body: {error}"))),
        Err(_) => {
            let error = format!("read the request: its body did not come within {:?}", limits.body);
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, Problem::new(1, error)))
        }
    }
}
