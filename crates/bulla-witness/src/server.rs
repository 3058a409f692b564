//! The service: one runtime thread, bounded in connections, bytes and time.
//!
//! The work itself (a signature and a few flushes) is done on a small pool of threads, one
//! request at a time. TLS is left to a reverse proxy.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bulla::witness::REQUEST_LEN_MAX;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};

use crate::witness::{Answer, Witness};

/// How long, how large and how many. What is beyond is refused or cut off.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at one time; more wait in the system's queue.
    pub connections: usize,
    /// From the first byte of a request to its last.
    pub request: Duration,
    /// A connection is asked to close after this, and cut off after that again.
    pub connection: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let (request, connection) = (Duration::from_secs(10), Duration::from_secs(60));
        Limits { connections: 64, request, connection }
    }
}

/// Bytes of a request's head.
const HEAD_LEN_MAX: usize = 16 * 1024;
/// Threads that wait for the disk; the witness's lock lets one of them work.
const WORKERS: usize = 4;
/// What is under way when the server stops has this long to end.
const STOP: Duration = Duration::from_secs(2);

/// Told of every answer, in one line.
type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// A running server. Stops when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves on a bound listener, in a thread of its own.
    ///
    /// # Errors
    /// The system refuses a thread or the listener.
    pub fn start(
        witness: Witness,
        listener: TcpListener,
        limits: Limits,
        tell: impl Fn(&str) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = runtime()?;
        let thread = std::thread::Builder::new().name("bulla-witness".to_owned());
        let thread = thread.spawn(move || {
            let until = async {
                // Asked to stop, or nobody is left to ask.
                let _ = stopped.await;
            };
            // Only the listener could be refused, and it is bound.
            let _ = runtime.block_on(serve(witness, listener, limits, Arc::new(tell), until));
            runtime.shutdown_timeout(STOP);
        })?;
        Ok(Server { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Serves on a bound listener until the process is interrupted (Ctrl-C) or asked to
    /// end (SIGTERM).
    ///
    /// # Errors
    /// The system refuses the listener or the signals.
    pub fn run(
        witness: Witness,
        listener: TcpListener,
        limits: Limits,
        tell: impl Fn(&str) + Send + Sync + 'static,
    ) -> io::Result<()> {
        let runtime = runtime()?;
        let served = runtime.block_on(async {
            let interrupted = interrupted()?;
            serve(witness, listener, limits, Arc::new(tell), interrupted).await
        });
        runtime.shutdown_timeout(STOP);
        served
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops, and waits until it has.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(WORKERS).build()
}

/// Ends when the process is asked to end.
#[cfg(unix)]
fn interrupted() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    Ok(async move {
        let mut terminated = pin!(terminated.recv());
        let mut interrupted = pin!(interrupted.recv());
        std::future::poll_fn(|cx| {
            let ended = terminated.as_mut().poll(cx).is_ready();
            match ended || interrupted.as_mut().poll(cx).is_ready() {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
    })
}

/// Ends when the process is asked to end.
#[cfg(not(unix))]
fn interrupted() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

async fn serve(
    witness: Witness,
    listener: TcpListener,
    limits: Limits,
    tell: Tell,
    until: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let accepting = accept(Arc::new(witness), listener, limits, tell);
    let (mut accepting, mut until) = (pin!(accepting), pin!(until));
    std::future::poll_fn(|cx| match until.as_mut().poll(cx) {
        std::task::Poll::Ready(()) => std::task::Poll::Ready(()),
        std::task::Poll::Pending => accepting.as_mut().poll(cx).map(|never| match never {}),
    })
    .await;
    Ok(())
}

async fn accept(
    witness: Arc<Witness>,
    listener: tokio::net::TcpListener,
    limits: Limits,
    tell: Tell,
) -> Infallible {
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        // A place first: who waits, waits in the system's queue.
        let place = Arc::clone(&places).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let (witness, limits) = (Arc::clone(&witness), limits.clone());
                let tell = Arc::clone(&tell);
                tokio::spawn(async move {
                    connection(witness, stream, limits, tell).await;
                    drop(place);
                });
            }
            // Of one connection, or no descriptors left: others come, or go.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(witness: Arc<Witness>, stream: TcpStream, limits: Limits, tell: Tell) {
    let request_time = limits.request;
    let service = service_fn(move |request| {
        let (witness, tell) = (Arc::clone(&witness), Arc::clone(&tell));
        async move {
            let answer = answer(witness, request, request_time).await;
            tell(&format!("{} {}", answer.status, answer.told));
            Ok::<_, Infallible>(response(answer))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.request)
        .max_buf_size(HEAD_LEN_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    // How a connection ends is the client's business.
    if timeout(limits.connection, served.as_mut()).await.is_err() {
        served.as_mut().graceful_shutdown();
        let _ = timeout(limits.connection, served).await;
    }
}

async fn answer(witness: Arc<Witness>, request: Request<Incoming>, time: Duration) -> Answer {
    if request.uri().path() != "/add-checkpoint" {
        return Answer::plain(404, "this is a witness; it answers POST /add-checkpoint");
    }
    if request.method() != Method::POST {
        return Answer::plain(405, "add-checkpoint is a POST");
    }
    let body = match timeout(time, Limited::new(request.into_body(), REQUEST_LEN_MAX).collect())
        .await
    {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return Answer::plain(413, &format!("a request has at most {REQUEST_LEN_MAX} bytes"));
        }
        Ok(Err(_)) => return Answer::plain(400, "the request was cut short"),
        Err(_) => return Answer::plain(408, "the request took too long"),
    };
    let done = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body)).await;
    done.unwrap_or_else(|_| Answer::plain(500, "this witness could not do its work"))
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = header::HeaderValue::from_static(answer.content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    if answer.status == 405 {
        response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("POST"));
    }
    response
}
