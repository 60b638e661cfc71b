//! The HTTP service on a loopback socket: `GET /data` wants a valid bearer token, `POST /token`
//! makes one. Any token that was made is accepted until it expires.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    routing::{get, post},
};
use tokio::net::TcpSocket;

use crate::{args::Args, ledger::Ledger};

/// The header by which the referee knows an attempt again.
pub(crate) const ATTEMPT: &str = "x-attempt";

/// More connections than this wait only where the system allows it.
const BACKLOG: u32 = 16_384;

#[derive(Clone)]
struct Service {
    ledger: Arc<Ledger>,
    life: Duration,
    mint: Duration,
}

/// Starts the service on a free port.
pub(crate) async fn start(args: &Args, ledger: Arc<Ledger>) -> std::io::Result<SocketAddr> {
    let service = Service {
        ledger,
        life: Duration::from_millis(args.token_ms),
        mint: Duration::from_millis(args.mint_ms),
    };
    let router = Router::new()
        .route("/data", get(data))
        .route("/token", post(token))
        .with_state(service);
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    // All clients may come at once.
    let listener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn data(State(service): State<Service>, headers: HeaderMap) -> StatusCode {
    // The work takes its time; a token that was valid at its beginning will do.
    let token = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer ")?.parse().ok());
    if !token.is_some_and(|token| service.ledger.is_valid(token)) {
        return StatusCode::UNAUTHORIZED;
    }
    tokio::time::sleep(Duration::from_millis(fastrand::u64(10..40))).await;
    StatusCode::OK
}

async fn token(State(service): State<Service>, headers: HeaderMap) -> Result<String, StatusCode> {
    let attempt = headers
        .get(ATTEMPT)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .ok_or(StatusCode::BAD_REQUEST)?;
    let minting = service.ledger.mint(attempt);
    tokio::time::sleep(service.mint).await;
    Ok(minting.answer(service.life).to_string())
}
