//! The HTTP server: EMR's JSON 1.1 protocol, and the control API.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

use crate::control;
use crate::error::ApiError;
use crate::executor::StepExecutor;
use crate::fault::Fault;
use crate::service::{Answer, Service};
use crate::times::Delays;
use crate::world::{Call, Operation, World};

/// Largest body that is read; EMR requests are far smaller.
const MAX_BODY_BYTES: u64 = 4 << 20;
/// Clusters and steps on one page of a list, as in EMR.
const PAGE_SIZE: usize = 50;

/// Settings of a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// How long states last.
    pub delays: Delays,
    /// Clusters and steps on one page of a list.
    pub page_size: usize,
    /// Where the logs of steps are kept, as `<cluster>/steps/<step>/stderr`. Without it they are kept below `LogUri` of the
    /// cluster, if that is a folder on this machine; otherwise they are removed with the server.
    pub logs: Option<PathBuf>,
}

impl Default for Options {
    /// A free port on the loopback interface, short delays, pages of 50.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            delays: Delays::default(),
            page_size: PAGE_SIZE,
            logs: None,
        }
    }
}

/// A running server. Dropping it stops everything without waiting; [`LocalEmr::stop`] waits.
#[derive(Debug)]
pub struct LocalEmr {
    address: SocketAddr,
    service: Arc<Service>,
    tasks: [JoinHandle<()>; 2],
    /// Removed last.
    _folder: TempDir,
}

impl LocalEmr {
    /// Starts a server; `executor` runs its steps. Needs a tokio runtime with time and I/O.
    ///
    /// # Errors
    /// When the address is in use or the temporary folder cannot be created.
    pub async fn start(options: Options, executor: impl StepExecutor) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let folder = tempfile::Builder::new().prefix("sluice-emr-").tempdir()?;
        let world = World::new(options.delays, options.page_size);
        let service = Arc::new(Service::new(world, Box::new(executor), folder.path().to_owned(), options.logs));
        let tasks =
            [tokio::spawn(Arc::clone(&service).keep_time()), tokio::spawn(accept(listener, Arc::clone(&service)))];
        Ok(Self { address, service, tasks, _folder: folder })
    }

    /// Address for `AWS_ENDPOINT_URL_EMR`, such as `http://127.0.0.1:41234`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Plans a fault.
    pub fn add_fault(&self, fault: Fault) {
        self.service.world().faults.add(fault);
    }

    /// The faults that are still to come.
    pub fn faults(&self) -> Vec<Fault> {
        self.service.world().faults.planned().to_vec()
    }

    /// Sets how long states last from now on.
    pub fn set_delays(&self, delays: Delays) {
        self.service.world().delays = delays;
    }

    /// Every call so far, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.service.world().calls.clone()
    }

    /// All clusters with their steps, as `GET /_control/clusters` shows them.
    pub fn clusters(&self) -> Value {
        self.service.world().describe()
    }

    /// How many clusters would cost money now.
    pub fn active_clusters(&self) -> usize {
        self.service.world().clusters.iter().filter(|cluster| crate::world::is_there(cluster.state)).count()
    }

    /// Kills all steps, waits until their programs are gone (at most 10 s), and removes their folders.
    pub async fn stop(self) {
        for task in &self.tasks {
            task.abort();
        }
        self.service.stop().await;
    }
}

impl Drop for LocalEmr {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.service.abandon();
    }
}

async fn accept(listener: TcpListener, service: Arc<Service>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // A connection that was closed before it was accepted is no reason to stop.
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream, Arc::clone(&service)));
        }
    }
}

async fn serve(stream: TcpStream, service: Arc<Service>) {
    let handler = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { answer(request, &service).await }
    });
    // The caller sees the connection close; a lost response ends here, too.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), handler).await);
}

/// The response is withheld on purpose.
#[derive(Debug, thiserror::Error)]
#[error("the response is lost")]
struct LostAnswer;

async fn answer(request: Request<Incoming>, service: &Service) -> Result<Response<Full<Bytes>>, LostAnswer> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let length = header(CONTENT_LENGTH.as_str()).and_then(|text| text.parse::<u64>().ok());
    if length.is_none_or(|length| length > MAX_BODY_BYTES) && parts.method == Method::POST {
        return Ok(refused(&ApiError::serialization("the body must have a length of at most 4 MiB")));
    }
    let Ok(body) = body.collect().await else { return Err(LostAnswer) };
    let body = body.to_bytes();
    if let Some(path) = parts.uri.path().strip_prefix("/_control/") {
        let answer = control::answer(service, &parts.method, path, &body);
        return Ok(json_response(answer.status, "application/json", &answer.body));
    }
    let operation: Result<Operation, ApiError> = header("x-amz-target").unwrap_or_default().parse();
    let decoded = serde_json::from_slice(if body.is_empty() { b"{}" } else { &body });
    let answer = match (operation, decoded) {
        (Err(error), _) => Answer::Refused(error),
        (_, Err(error)) => Answer::Refused(ApiError::serialization(error.to_string())),
        (Ok(operation), Ok(request)) => service.call(operation, request),
    };
    match answer {
        Answer::Done(body) => Ok(json_response(200, "application/x-amz-json-1.1", &body)),
        Answer::Refused(error) => Ok(refused(&error)),
        Answer::Lost => Err(LostAnswer),
    }
}

fn refused(error: &ApiError) -> Response<Full<Bytes>> {
    json_response(error.status(), "application/x-amz-json-1.1", &error.body())
}

fn json_response(status: u16, content_type: &'static str, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    if let Ok(id) = Uuid::now_v7().to_string().parse() {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
