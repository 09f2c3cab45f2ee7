//! Counts requests and times them, by route and method: rate, errors and duration.
//!
//! What a request costs is one look into a map that is only read: the series of a route are made at its first request.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, OnceLock, PoisonError, RwLock},
    time::Instant,
};

use http::{Method, StatusCode};
use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// Methods that have a series of their own; a client can make up any number of others.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];
/// Classes of statuses; the last one is for a client that left before it was answered.
const STATUSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "aborted"];
const ABORTED: usize = STATUSES.len() - 1;

static IN_FLIGHT: LazyLock<Gauge> = LazyLock::new(|| gauge!("http_requests_in_flight"));
/// As many entries as the routers of the process have routes.
static ROUTES: LazyLock<RwLock<HashMap<String, Arc<Route>>>> = LazyLock::new(RwLock::default);

/// Says what is counted here.
pub fn describe() {
    describe_counter!(
        "http_requests_total",
        Unit::Count,
        "Requests that ended, by route template, method and class of status."
    );
    describe_histogram!(
        "http_request_duration_seconds",
        Unit::Seconds,
        "From a request's head to the head of its answer; a stream goes on after that."
    );
    describe_gauge!("http_requests_in_flight", Unit::Count, "Requests whose answer has not begun.");
}

/// The series of one route.
struct Route {
    name: Arc<str>,
    series: [[OnceLock<Series>; STATUSES.len()]; METHODS.len()],
}

struct Series {
    requests: Counter,
    seconds: Histogram,
}

/// One request, which is counted when this is dropped.
pub struct Measured {
    route: Arc<Route>,
    method: usize,
    status: usize,
    start: Instant,
}

impl Measured {
    /// A request begins.
    pub fn begin(method: &Method, route: &str) -> Self {
        IN_FLIGHT.increment(1.0);
        let other = METHODS.len() - 1;
        let method = METHODS.iter().position(|known| *known == method.as_str()).unwrap_or(other);
        Self { route: find(route), method, status: ABORTED, start: Instant::now() }
    }

    /// It is answered.
    pub fn answered(mut self, status: StatusCode) {
        self.status = usize::from(status.as_u16() / 100).saturating_sub(1).min(ABORTED - 1);
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        IN_FLIGHT.decrement(1.0);
        let series = self.route.series(self.method, self.status);
        series.requests.increment(1);
        series.seconds.record(self.start.elapsed());
    }
}

impl Route {
    fn series(&self, method: usize, status: usize) -> &Series {
        self.series[method][status].get_or_init(|| {
            let labels = [
                ("route", metrics::SharedString::from(self.name.clone())),
                ("method", METHODS[method].into()),
                ("status", STATUSES[status].into()),
            ];
            Series {
                requests: counter!("http_requests_total", &labels),
                seconds: histogram!("http_request_duration_seconds", &labels),
            }
        })
    }
}

fn find(name: &str) -> Arc<Route> {
    if let Some(route) = ROUTES.read().unwrap_or_else(PoisonError::into_inner).get(name) {
        return route.clone();
    }
    let fresh = || Arc::new(Route { name: name.into(), series: Default::default() });
    ROUTES.write().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_insert_with(fresh).clone()
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, extract::Request, routing::get};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use crate::{Health, http::finish, metrics};

    async fn ask(router: &Router, method: &str, path: &str) -> String {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn series_bear_templates_and_nothing_that_a_client_made_up() {
        metrics::install().unwrap();
        let router = finish(Router::new().route("/things/{id}", get(|| async { "a thing" })), &Health::default());
        ask(&router, "GET", "/things/42").await;
        ask(&router, "GET", "/things/43").await;
        ask(&router, "DELETE", "/things/42").await;
        ask(&router, "INVENTED", "/nowhere/44").await;
        let text = ask(&router, "GET", "/metrics").await;
        for line in [
            r#"http_requests_total{route="/things/{id}",method="GET",status="2xx"} 2"#,
            r#"http_requests_total{route="/things/{id}",method="DELETE",status="4xx"} 1"#,
            r#"http_requests_total{route="-",method="other",status="4xx"} 1"#,
            r#"http_request_duration_seconds_count{route="/things/{id}",method="GET",status="2xx"} 2"#,
            "http_requests_in_flight 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("nowhere") && !text.contains("INVENTED") && !text.contains("42"), "{text}");
    }
}
