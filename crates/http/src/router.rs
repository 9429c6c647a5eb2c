//! What each path leads to, and what every answer carries.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, get, on, post};
use consensus::Replica;
use tokio::time::timeout;
use wire::v1::config_service_server::ConfigService;
use wire::v1::lease_service_server::LeaseService;
use wire::v1::order_service_server::OrderService;

use crate::config::switch;
use crate::limits::{BODY_BYTES_MAX, REQUEST_DEADLINE};
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::server::Options;
use crate::{config, health, lease, office, order, status};

/// The text format that Prometheus reads.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) fn router<L, O, C>(
    replica: Replica,
    leases: Arc<L>,
    orders: Arc<O>,
    config: Arc<C>,
    options: Options,
) -> Router
where
    L: LeaseService,
    O: OrderService<WatchStream: Unpin>,
    C: ConfigService,
{
    let Options { metrics_text, metrics } = options;
    let metrics_page = move || async move { ([(header::CONTENT_TYPE, METRICS_TYPE)], metrics_text()) };
    let node = Router::new()
        .route("/livez", probe(health::live))
        .route("/livez/{check}", probe(health::live))
        .route("/readyz", probe(health::ready))
        .route("/readyz/{check}", probe(health::ready))
        .route("/leader", probe(office::leader))
        .route("/active", probe(office::active))
        .route("/api/v1/status", get(status::show))
        .with_state(replica);
    let leases = Router::new()
        .route("/api/v1/leases", get(lease::list::<L>))
        .route("/api/v1/leases/{name}", get(lease::show::<L>))
        .route("/api/v1/leases/{name}/acquire", post(lease::acquire::<L>))
        .route("/api/v1/leases/{name}/renew", post(lease::renew::<L>))
        .route("/api/v1/leases/{name}/release", post(lease::release::<L>))
        .with_state(leases);
    let orders = Router::new()
        .route("/api/v1/orders", get(order::list::<O>).post(order::submit::<O>))
        .route("/api/v1/orders/authorize", post(order::authorize::<O>))
        .route("/api/v1/orders/batch", post(order::submit_batch::<O>))
        .route("/api/v1/orders/report", post(order::report::<O>))
        .route("/api/v1/orders/watch", get(order::watch::<O>))
        .route("/api/v1/orders/{id}", get(order::show::<O>))
        .route("/api/v1/orders/{id}/cancel", post(order::cancel::<O>))
        .route("/api/v1/orders/{id}/replace", post(order::replace::<O>))
        .with_state(orders);
    let config = Router::new()
        .route("/api/v1/config", get(config::show::<C>).put(config::apply::<C>))
        .route("/api/v1/kill-switches", get(switch::kill_switches::<C>))
        .route("/api/v1/kill-switches/{scope}/engage", post(switch::engage::<C>))
        .route("/api/v1/kill-switches/{scope}/release", post(switch::release::<C>))
        .route("/api/v1/modes", get(switch::modes::<C>))
        .route("/api/v1/modes/{scope}/set", post(switch::set_mode::<C>))
        .route("/api/v1/breakers", get(switch::breakers::<C>))
        .route("/api/v1/breakers/{venue}/trip", post(switch::trip::<C>))
        .route("/api/v1/breakers/{venue}/reset", post(switch::reset::<C>))
        .with_state(config);
    node.merge(leases)
        .merge(orders)
        .merge(config)
        .route("/metrics", get(metrics_page))
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(within_deadline))
        .layer(from_fn_with_state(metrics, finish))
}

/// GET and HEAD, and OPTIONS as well, which is what HAProxy's `option httpchk` asks with.
fn probe<H, T>(handler: H) -> MethodRouter<Replica>
where
    H: axum::handler::Handler<T, Replica>,
    T: 'static,
{
    on(MethodFilter::GET.or(MethodFilter::OPTIONS), handler)
}

async fn no_such_path(uri: Uri) -> Refusal {
    let next = if uri.path().starts_with("/api/v1/leases/") {
        "a / in a lease's name is written %2F: GET /api/v1/leases/NAME, POST /api/v1/leases/NAME/acquire|renew|release"
    } else {
        "GET /api/v1/status, /api/v1/leases, /api/v1/orders, /api/v1/config, /api/v1/kill-switches, /readyz?verbose, /livez, /leader, /active or /metrics"
    };
    Refusal::not_found(format!("there is nothing at {}", uri.path()), next)
}

async fn wrong_method(method: Method, uri: Uri) -> Refusal {
    let message = format!("{method} is not possible on {}", uri.path());
    Refusal::invalid(StatusCode::METHOD_NOT_ALLOWED, message, "use a method from the header `allow`")
}

/// A request that could have changed something has an unknown outcome when its answer does not come.
async fn within_deadline(request: Request, next: Next) -> Response {
    let changes = matches!(*request.method(), Method::POST | Method::PUT);
    match timeout(REQUEST_DEADLINE, next.run(request)).await {
        Ok(response) => response,
        Err(_) if changes => Refusal::outcome_unknown("no outcome was known in time").into_response(),
        Err(_) => Refusal::late("there was no answer in time").into_response(),
    }
}

/// No answer may be kept by a cache or guessed at by a browser.
async fn finish(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    metrics.count(response.status());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
