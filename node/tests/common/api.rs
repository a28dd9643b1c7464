//! Talks to the API of a node: real requests and sockets. Every answer below `/api/v1` is held against the OpenAPI
//! document of the program, so that no test can see an undocumented one.

use std::{collections::VecDeque, sync::OnceLock, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::{
    Request, Response,
    body::{Body as _, Bytes, Incoming},
    header::{HeaderMap, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, runtime::Runtime, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{self, Message, client::IntoClientRequest as _},
};

/// Time for one answer.
const PATIENCE: Duration = Duration::from_secs(15);

static DOCUMENT: OnceLock<Value> = OnceLock::new();

/// A program that uses the API of one node.
pub(crate) struct Api {
    runtime: Runtime,
    addr: String,
    headers: HeaderMap,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Its status.
    pub(crate) status: u16,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Bytes,
}

/// The usual token of tests.
pub(crate) const TOKEN: &str = "a-token-of-the-app-itself";

/// Lines for `api` that change nothing but that Majula's GET may.
pub(crate) const PLAIN: &str = "  majula: { get_changes_state: true }";

/// A socket.
pub(crate) struct Socket<'a> {
    api: &'a Api,
    ws: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// What came while an answer was waited for.
    before: VecDeque<Value>,
    asked: u64,
}

/// How a socket ended: the code.
pub(crate) type Closed = Option<u16>;

/// A stream of server-sent events.
pub(crate) struct Stream<'a> {
    api: &'a Api,
    body: Incoming,
    text: String,
    /// Of the head.
    pub(crate) headers: HeaderMap,
}

impl Api {
    /// At `host:port`, without a token.
    pub(crate) fn new(addr: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { runtime, addr: addr.to_owned(), headers: HeaderMap::new() }
    }

    /// With a header in every request.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self
    }

    /// With a token.
    pub(crate) fn token(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// Where it is.
    pub(crate) fn addr(&self) -> &str {
        &self.addr
    }

    /// GET.
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.request("GET", path, &[], b"")
    }

    /// POST of raw bytes.
    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Reply {
        self.request("POST", path, &[], body)
    }

    /// POST of a document.
    pub(crate) fn post_json(&self, path: &str, body: &Value) -> Reply {
        self.request("POST", path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// Any request.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let reply = self.runtime.block_on(async {
            let work = async {
                let response = self.send(method, path, headers, body).await;
                let (parts, body) = response.into_parts();
                Reply { status: parts.status.as_u16(), headers: parts.headers, body: whole(body).await }
            };
            timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("no answer to {method} {path}"))
        });
        self.is_documented(method, path, &reply);
        reply
    }

    /// Opens a stream.
    pub(crate) fn stream(&self, path: &str, headers: &[(&str, &str)]) -> Stream<'_> {
        let response = self.runtime.block_on(self.send("GET", path, headers, b""));
        assert_eq!(response.status(), 200, "{path}");
        let (parts, body) = response.into_parts();
        assert_eq!(parts.headers["content-type"], "text/event-stream");
        Stream { api: self, body, text: String::new(), headers: parts.headers }
    }

    /// Opens a native socket.
    pub(crate) fn socket(&self, path: &str) -> Socket<'_> {
        self.try_socket(path, &[("sec-websocket-protocol", "mesh.v1.json")]).unwrap()
    }

    /// Opens a native socket that has been greeted.
    pub(crate) fn greeted(&self, path: &str) -> Socket<'_> {
        let mut socket = self.socket(path);
        assert_eq!(socket.read()["message_type"], "hello");
        socket
    }

    /// Opens a socket as Majula's own clients do: the name is in the path, and the first package repeats it.
    pub(crate) fn majula(&self, name: &str) -> Socket<'_> {
        let mut socket = self.try_socket(&format!("/majula/ws/{name}"), &[]).unwrap();
        socket.send(&serde_json::json!({"method": "REGISTER_CLIENT", "args": {"client_id": name}}));
        socket
    }

    /// Opens a socket, or says with which status that was refused.
    pub(crate) fn try_socket(&self, path: &str, headers: &[(&str, &str)]) -> Result<Socket<'_>, u16> {
        let mut request = format!("ws://{}{path}", self.addr).into_client_request().unwrap();
        for (name, value) in self.headers.iter() {
            request.headers_mut().insert(name, value.clone());
        }
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        }
        match self.runtime.block_on(tokio_tungstenite::connect_async(request)) {
            Ok((ws, _)) => Ok(Socket { api: self, ws, before: VecDeque::new(), asked: 1_000_000 }),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(why) => panic!("{path}: {why}"),
        }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response<Incoming> {
        let stream = TcpStream::connect(&self.addr).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in self.headers.iter() {
            request = request.header(name, value);
        }
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", &self.addr);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Once(Some(Bytes::copy_from_slice(body)));
        sender.send_request(request.body(body).unwrap()).await.unwrap()
    }

    /// The OpenAPI document.
    pub(crate) fn document(&self) -> Value {
        self.runtime.block_on(async {
            let response = self.send("GET", "/api/v1/openapi.json", &[], b"").await;
            assert_eq!(response.status(), 200, "the document");
            serde_json::from_slice(&whole(response.into_body()).await).unwrap()
        })
    }

    fn is_documented(&self, method: &str, path: &str, reply: &Reply) {
        let bare = path.split('?').next().unwrap();
        if !bare.starts_with("/api/v1/") || bare.ends_with("/openapi.json") {
            return;
        }
        let Some(document) = DOCUMENT.get() else {
            // Some test knows a token that may read it.
            if reply.status == 200 {
                let _ = DOCUMENT.set(self.document());
                self.is_documented(method, path, reply);
            }
            return;
        };
        let fits = |template: &str| {
            let (template, path) = (template.split('/'), bare.split('/'));
            template.clone().count() == path.clone().count()
                && template.zip(path).all(|(wanted, got)| wanted.starts_with('{') || wanted == got)
        };
        let paths = document["paths"].as_object().unwrap();
        let found = paths.iter().find(|(template, _)| fits(template)).map(|(_, item)| item);
        let Some(operation) = found.and_then(|item| item.get(method.to_ascii_lowercase())) else {
            assert!([404, 405, 501, 200, 401, 403].contains(&reply.status), "{method} {path}: {}", reply.status);
            assert!(reply.status != 200 || method == "OPTIONS" || method == "HEAD", "undocumented: {method} {path}");
            return;
        };
        let response = &operation["responses"][reply.status.to_string()];
        assert!(response.is_object(), "{method} {path}: {} is not documented\n{reply:?}", reply.status);
        let kind = reply.headers["content-type"].to_str().unwrap().split(';').next().unwrap();
        assert!(response["content"][kind].is_object(), "{method} {path}: {} as {kind} is not documented", reply.status);
    }
}

impl Reply {
    /// The body as a document.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    /// The code of the problem, which must be a whole one.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let problem = self.json();
        for field in ["type", "title", "detail", "instance", "request_id", "outcome", "hint"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {problem}");
        }
        assert_eq!(problem["status"], self.status, "{problem}");
        assert_eq!(problem["request_id"], self.headers["x-request-id"].to_str().unwrap());
        assert!(problem["retryable"].is_boolean());
        problem["code"].as_str().unwrap().to_owned()
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Socket<'_> {
    /// Sends a document.
    pub(crate) fn send(&mut self, value: &Value) {
        self.send_text(&value.to_string());
    }

    /// Sends a text.
    pub(crate) fn send_text(&mut self, text: &str) {
        self.send_message(Message::text(text));
    }

    /// Sends any message.
    pub(crate) fn send_message(&mut self, message: Message) {
        self.api.runtime.block_on(self.ws.send(message)).unwrap();
    }

    /// Sends without minding that the other side may have closed already.
    pub(crate) fn try_send_text(&mut self, text: &str) {
        let _ = self.api.runtime.block_on(self.ws.send(Message::text(text)));
    }

    /// Sends a native message, and answers with its number.
    pub(crate) fn begin(&mut self, kind: &str, data: &Value) -> u64 {
        self.asked += 1;
        self.send(&serde_json::json!({"message_id": self.asked, "message_type": kind, "data": data}));
        self.asked
    }

    /// The answer under this number. What comes before it is read later.
    pub(crate) fn answer(&mut self, number: u64) -> Value {
        if let Some(at) = self.before.iter().position(|value| value["request_id"] == number) {
            return self.before.remove(at).unwrap();
        }
        let mut before = std::mem::take(&mut self.before);
        loop {
            let value = self.read();
            if value["request_id"] == number {
                self.before = before;
                return value;
            }
            before.push_back(value);
        }
    }

    /// Sends a native message, and answers with its answer.
    pub(crate) fn ask(&mut self, kind: &str, data: &Value) -> Value {
        let number = self.begin(kind, data);
        self.answer(number)
    }

    /// The same; the answer must be an `ack`, of which the data is given.
    pub(crate) fn done(&mut self, kind: &str, data: &Value) -> Value {
        let mut answer = self.ask(kind, data);
        assert_eq!(answer["message_type"], "ack", "{kind} {data}: {answer}");
        answer["data"].take()
    }

    /// The same; it must fail, and the code is given.
    pub(crate) fn fails(&mut self, kind: &str, data: &Value) -> String {
        let answer = self.ask(kind, data);
        assert_eq!(answer["message_type"], "error", "{kind} {data}: {answer}");
        answer["data"]["details"]["error"].as_str().unwrap().to_owned()
    }

    /// The data of the next message, which must be of this kind.
    pub(crate) fn pushed(&mut self, kind: &str) -> Value {
        let mut message = self.read();
        assert_eq!(message["message_type"], kind, "{message}");
        message["data"].take()
    }

    /// The next document, or how the socket ended.
    pub(crate) fn next(&mut self) -> Result<Value, Closed> {
        self.within(PATIENCE).unwrap_or_else(|| panic!("nothing came"))
    }

    /// The next document, which must come.
    pub(crate) fn read(&mut self) -> Value {
        self.next().unwrap_or_else(|code| panic!("closed with {code:?}"))
    }

    /// Whether nothing comes for a while.
    pub(crate) fn is_silent(&mut self) -> bool {
        self.within(Duration::from_millis(300)).is_none()
    }

    /// Whether nothing comes for a while; what comes goes to `take`.
    pub(crate) fn is_silent_or(&mut self, take: impl FnOnce(&Value)) -> bool {
        match self.within(Duration::from_millis(300)) {
            None => true,
            Some(Ok(value)) => {
                take(&value);
                false
            }
            Some(Err(code)) => panic!("closed with {code:?}"),
        }
    }

    /// How the socket ends, whatever comes before.
    pub(crate) fn end(&mut self) -> (Vec<Value>, Closed) {
        let mut before = Vec::new();
        loop {
            match self.next() {
                Ok(value) => before.push(value),
                Err(code) => return (before, code),
            }
        }
    }

    fn within(&mut self, time: Duration) -> Option<Result<Value, Closed>> {
        if let Some(value) = self.before.pop_front() {
            return Some(Ok(value));
        }
        let next = async {
            loop {
                match self.ws.next().await {
                    Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                    Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Err(None),
                }
            }
        };
        self.api.runtime.block_on(async { timeout(time, next).await.ok() })
    }
}

impl Stream<'_> {
    /// The next event or comment: its lines.
    pub(crate) fn next(&mut self) -> Option<Vec<String>> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let event = event.lines().map(str::to_owned).collect();
                self.text = rest.to_owned();
                return Some(event);
            }
            let body = &mut self.body;
            let piece = async { timeout(PATIENCE, data(body)).await.expect("nothing came") };
            let piece = self.api.runtime.block_on(piece)?;
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }

    /// The next event, field by field.
    pub(crate) fn event(&mut self) -> Option<Value> {
        loop {
            let lines = self.next()?;
            let fields = lines.iter().filter_map(|line| line.split_once(": ")).filter(|(name, _)| !name.is_empty());
            let event: serde_json::Map<_, _> =
                fields.map(|(name, value)| (name.to_owned(), Value::String(value.to_owned()))).collect();
            if !event.is_empty() {
                return Some(event.into());
            }
        }
    }
}

async fn whole(mut body: Incoming) -> Bytes {
    let mut all = Vec::new();
    while let Some(piece) = data(&mut body).await {
        all.extend_from_slice(&piece);
    }
    all.into()
}

async fn data(body: &mut Incoming) -> Option<Bytes> {
    loop {
        let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *body).poll_frame(cx)).await?;
        if let Ok(piece) = frame.unwrap().into_data() {
            return Some(piece);
        }
    }
}

/// A body in one piece.
struct Once(Option<Bytes>);

impl hyper::body::Body for Once {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(self.0.take().map(|piece| Ok(hyper::body::Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
