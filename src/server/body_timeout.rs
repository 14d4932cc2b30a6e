//! Bodies of requests that never come, or come a byte at a time, are cut.

use super::serve::Progress;
use axum::BoxError;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long a body may take. A route whose bodies are large has a layer of its own.
#[derive(Debug, Clone, Copy)]
pub struct BodyTimeouts {
    /// Without one more byte.
    pub stalled: Duration,
    /// In all.
    pub whole: Duration,
}

/// For forms and calls of the API.
pub const FORM: BodyTimeouts =
    BodyTimeouts { stalled: Duration::from_secs(10), whole: Duration::from_secs(60) };

/// Answers 408 if the body does not come in time; what reads the body gets an error then. While a request that is here
/// in full is answered, which may take as long as others wait before it, its connection is not idle.
pub async fn cut_stalled(State(timeouts): State<BodyTimeouts>, request: Request, next: Next) -> Response {
    let progress = request.extensions().get::<Progress>().cloned().unwrap_or_default();
    if request.body().is_end_stream() {
        let _answering = progress.answering();
        return next.run(request).await;
    }
    let late = Arc::new(AtomicBool::new(false));
    let answering = Arc::new(Mutex::new(None));
    let whole = {
        let answering = answering.clone();
        move || *answering.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress.answering())
    };
    let request = request.map(|body| timed(body, timeouts, late.clone(), whole));
    let response = next.run(request).await;
    drop(answering.lock().unwrap_or_else(PoisonError::into_inner).take());
    if !late.load(Ordering::Relaxed) {
        return response;
    }
    let text = "The request's body did not arrive in time. Check the connection and send it again.";
    let mut response = (StatusCode::REQUEST_TIMEOUT, text).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn timed(
    body: Body,
    timeouts: BodyTimeouts,
    late: Arc<AtomicBool>,
    whole: impl Fn() + Clone + Send + 'static,
) -> Body {
    let due = Instant::now() + timeouts.whole;
    let parts = stream::unfold(Some(body.into_data_stream()), move |parts| {
        let (late, whole) = (late.clone(), whole.clone());
        async move {
            let mut parts = parts?;
            match timeout_at(due.min(Instant::now() + timeouts.stalled), parts.next()).await {
                Ok(Some(Ok(part))) => Some((Ok(part), Some(parts))),
                Ok(Some(Err(fault))) => Some((Err(BoxError::from(fault)), None)),
                Ok(None) => {
                    whole();
                    None
                }
                Err(_) => {
                    late.store(true, Ordering::Relaxed);
                    Some((Err("the body did not arrive in time".into()), None))
                }
            }
        }
    });
    Body::from_stream(parts)
}
