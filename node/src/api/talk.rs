//! The life of one WebSocket client, in one task, whatever it speaks.
//!
//! It may have to show a token first ([`ENTER_TIME`]); then it is present as a client of the node. From there on its
//! messages are taken as they come, what it asks for runs beside each other ([`UNDER_WAY_MAX`] requests; then it is not
//! read until one is answered), and answers and messages for it wait in its bounded queue. Calls may take long: they are no
//! such requests, and have a bound of their own. It ends when the client leaves, falls silent, does not keep up, sends too
//! much, or when the node drains; where the client can know, it is told why. All that it holds ends with it.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::extract::ws::{Utf8Bytes, WebSocket};
use futures_util::{
    Stream as _, StreamExt as _,
    future::{BoxFuture, OptionFuture},
    stream::FuturesUnordered,
};
use io_tokio::{Message, OpenRequest, Publication, Stop};
use tokio::{
    sync::watch,
    task::coop,
    time::{Instant, sleep_until},
};

use super::{
    Api,
    auth::Caller,
    clients::{Client, Present},
    held::{Gain, Held, News},
    limits::Bucket,
    outbox::{Care, Overflow},
    problem::ApiError,
    server::Slot,
    socket::{Frame, Silence, Socket},
};
use crate::config::SlowPolicy;

/// Requests of one client that are under way.
const UNDER_WAY_MAX: usize = 64;
/// Time in which a client must have shown a token.
const ENTER_TIME: Duration = Duration::from_secs(10);
/// Messages that are taken for a client before anything else gets its turn.
const MESSAGES_AT_ONCE: usize = 256;

/// What a surface makes of the talk.
pub(super) trait Language: Send {
    /// What a message of the client calls for.
    fn heard(&mut self, held: &mut Held, text: &str) -> Said;

    /// What to say to a message that is no text.
    fn binary(&mut self) -> Said;

    /// A message for the client, in its words.
    fn message(&mut self, message: &Message) -> String;

    /// So many messages were dropped because it did not keep up.
    fn missed(&mut self, messages: u64) -> Option<String>;

    /// A publication for its subscription of this name.
    fn publication(&mut self, subscription: &str, publication: &Arc<Publication>) -> Utf8Bytes;

    /// A call of its service of this name, which it is to answer.
    fn call(&mut self, service: &str, call: &OpenRequest) -> String;

    /// A call that it need not answer any more.
    fn stopped(&mut self, number: u64, why: Stop) -> Option<String>;

    /// Makes the client present, now that it has shown a token; and what to say about it.
    fn enter(&mut self, caller: Caller) -> BoxFuture<'static, Result<Present, ApiError>>;

    /// The client is present, or is not.
    fn entered(&mut self, result: Result<&Client, ApiError>) -> String;

    /// The last words, and the code and reason that the socket is closed with.
    fn farewell(&mut self, why: Farewell) -> (Option<String>, u16, &'static str);
}

/// What a message of the client calls for.
pub(super) enum Said {
    /// Nothing.
    Nothing,
    /// An answer.
    Reply(String),
    /// Several, in order.
    Replies(Vec<String>),
    /// An answer that takes its time.
    Later(BoxFuture<'static, Outcome>),
    /// The client has shown a token.
    Enter(Caller),
    /// The end.
    Leave(Farewell),
}

/// What came of something that took its time.
pub(super) struct Outcome {
    /// What the client is told.
    pub(super) say: Option<String>,
    /// What it holds from now on.
    pub(super) gain: Gain,
}

impl From<Option<String>> for Outcome {
    fn from(say: Option<String>) -> Self {
        Self { say, gain: Gain::Nothing }
    }
}

impl From<String> for Outcome {
    fn from(say: String) -> Self {
        Some(say).into()
    }
}

/// Why a talk ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// The client said so.
    Quit,
    /// The node drains.
    Draining,
    /// It answers no ping.
    Silent,
    /// It does not keep up.
    Slow,
    /// It sends too much.
    TooFast,
    /// It sent a message that is too large.
    TooLarge,
    /// It has shown no valid token.
    Unknown,
    /// Another client of its name has come.
    Replaced,
}

/// One client.
pub(super) struct Talk<L> {
    /// Ends before the client is gone: who has its name next may serve the same.
    held: Held,
    socket: Socket,
    language: L,
    present: Option<Present>,
    /// On the way to be present. Nothing is heard meanwhile.
    entering: Option<BoxFuture<'static, Result<Present, ApiError>>>,
    under_way: FuturesUnordered<BoxFuture<'static, Outcome>>,
    bucket: Bucket,
    largest: usize,
    /// What becomes of messages that the client does not take.
    policy: SlowPolicy,
    /// Messages that were dropped, of which it was not told.
    missed: u64,
    /// Which of [`SOURCES`] is asked first.
    turn: usize,
    draining: watch::Receiver<bool>,
}

/// What happens next.
enum Next {
    Frame(Frame),
    Message(Message),
    News(News),
    /// The node is over.
    Over,
    Answered(Outcome),
    Entered(Result<Present, ApiError>),
    Due,
    Draining,
    Replaced,
}

/// Where something can happen.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// What the client holds.
    News,
    /// The client, or its reading.
    Socket,
    /// Messages for it.
    Messages,
    /// What it asked for.
    Answers,
    /// Time, and the node.
    Rest,
}

/// In which order they are asked. What was taken is written next.
const SOURCES: [Source; 5] = [Source::News, Source::Socket, Source::Messages, Source::Answers, Source::Rest];

/// What goes on.
type Goes = Result<(), Farewell>;

impl<L: Language> Talk<L> {
    /// Takes a socket over. Without `present`, a token must be shown first.
    pub(super) fn new(api: &Arc<Api>, ws: WebSocket, language: L, present: Option<Present>) -> Self {
        Self {
            socket: Socket::new(ws, api.config.slow_client),
            language,
            present,
            entering: None,
            held: Held::new(),
            under_way: FuturesUnordered::new(),
            bucket: Bucket::new(api.config.limits.messages_per_sec, Instant::now()),
            largest: api.config.limits.message,
            policy: api.config.slow_client.policy,
            missed: 0,
            turn: 0,
            draining: api.draining.subscribe(),
        }
    }

    /// Talks until the end.
    #[expect(clippy::manual_async_fn, reason = "an `async fn` would hold the whole of it twice")]
    pub(super) fn run(mut self, hello: Option<String>) -> impl Future<Output = ()> + Send {
        async move {
            let Some(why) = self.talk(hello).await else { return };
            // Neither whoever has the same name next nor callers must wait for the last words.
            self.held = Held::new();
            self.under_way.clear();
            drop(self.present.take());
            let (last, code, reason) = self.language.farewell(why);
            // Room for it is needed once.
            Box::pin(self.socket.close(last, code, reason)).await;
        }
    }

    /// Answers with why it ends; `None`: the client is gone.
    async fn talk(&mut self, hello: Option<String>) -> Option<Farewell> {
        let enter_by = self.present.is_none().then(|| Instant::now() + ENTER_TIME);
        let due = |socket: &Socket, present: bool| match enter_by.filter(|_| !present) {
            Some(by) => by.min(socket.due()),
            None => socket.due(),
        };
        let mut timer = pin!(sleep_until(due(&self.socket, self.present.is_some())));
        let mut draining = self.draining.clone();
        let mut draining = pin!(draining.wait_for(|draining| *draining));
        // Those who come to be present later make room for nobody: see `clients`.
        let client = self.present.as_ref().map(|present| Arc::clone(&present.client));
        let mut replaced = pin!(OptionFuture::from(client.as_ref().map(|client| client.replaced.notified())));
        let mut goes = hello.map_or(Ok(()), |hello| self.say(hello));
        loop {
            if let Err(why) = goes {
                return Some(why);
            }
            // Whatever is waited for is made once: made anew for each publication to each client, it would cost much.
            let next = poll_fn(|cx| {
                self.poll_next(cx, |cx| {
                    if draining.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Next::Draining);
                    }
                    if let Poll::Ready(Some(())) = replaced.as_mut().poll(cx) {
                        return Poll::Ready(Next::Replaced);
                    }
                    timer.as_mut().poll(cx).map(|()| Next::Due)
                })
            })
            .await;
            goes = match next {
                Next::Frame(Frame::Gone) | Next::Over => return None,
                Next::Frame(Frame::Text(text)) => self.heard(&text),
                Next::Frame(Frame::Binary) => {
                    let said = self.language.binary();
                    self.answer(said)
                }
                Next::Entered(result) => self.entered(result),
                Next::Frame(Frame::Room) => self.tell_missed(),
                Next::Message(message) => self.messages(message),
                Next::News(news) => self.news(news),
                Next::Answered(Outcome { say, gain }) => {
                    // The answer comes before what it makes possible.
                    let said = say.map_or(Ok(()), |answer| self.say(answer));
                    self.held.gain(gain);
                    said
                }
                Next::Draining => Err(Farewell::Draining),
                Next::Replaced => Err(Farewell::Replaced),
                Next::Due => {
                    let now = Instant::now();
                    let silence = self.socket.look(now);
                    timer.as_mut().reset(due(&self.socket, self.present.is_some()));
                    match silence {
                        Silence::Dead => Err(Farewell::Silent),
                        Silence::Fine if self.present.is_none() && enter_by.is_some_and(|by| by <= now) => {
                            Err(Farewell::Unknown)
                        }
                        Silence::Fine => Ok(()),
                    }
                }
            };
        }
    }

    /// What happens next. Each source that has something has its turn before another has a second one; whoever was idle
    /// begins with publications, which wake every client of their topic.
    fn poll_next(&mut self, cx: &mut Context<'_>, mut rest: impl FnMut(&mut Context<'_>) -> Poll<Next>) -> Poll<Next> {
        let budget = ready!(coop::poll_proceed(cx));
        let room = self.socket.has_room();
        for step in 0..SOURCES.len() {
            let at = (self.turn + step) % SOURCES.len();
            let next = match SOURCES[at] {
                Source::News => self.held.poll_next(cx, room).map(Next::News),
                Source::Socket => {
                    let read = self.under_way.len() < UNDER_WAY_MAX && self.entering.is_none();
                    self.socket.poll_next(cx, read).map(Next::Frame)
                }
                Source::Messages => match &mut self.present {
                    Some(present) => {
                        Pin::new(&mut present.incoming).poll_next(cx).map(|it| it.map_or(Next::Over, Next::Message))
                    }
                    None => Poll::Pending,
                },
                Source::Answers => self.poll_answers(cx),
                Source::Rest => rest(cx),
            };
            if next.is_ready() {
                self.turn = at + 1;
                budget.made_progress();
                return next;
            }
        }
        self.turn = 0;
        Poll::Pending
    }

    fn poll_answers(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        if let Some(entering) = &mut self.entering
            && let Poll::Ready(result) = entering.as_mut().poll(cx)
        {
            return Poll::Ready(Next::Entered(result));
        }
        // Empty, it would say that it is over.
        match self.under_way.is_empty() {
            true => Poll::Pending,
            false => match self.under_way.poll_next_unpin(cx) {
                Poll::Ready(Some(outcome)) => Poll::Ready(Next::Answered(outcome)),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            },
        }
    }

    fn heard(&mut self, text: &str) -> Goes {
        if text.len() > self.largest {
            return Err(Farewell::TooLarge);
        }
        self.bucket.take(Instant::now()).map_err(|_| Farewell::TooFast)?;
        let said = self.language.heard(&mut self.held, text);
        self.answer(said)
    }

    fn answer(&mut self, said: Said) -> Goes {
        match said {
            Said::Nothing => Ok(()),
            Said::Reply(answer) => self.say(answer),
            Said::Replies(answers) => answers.into_iter().try_for_each(|answer| self.say(answer)),
            Said::Later(answer) => {
                self.under_way.push(answer);
                Ok(())
            }
            Said::Leave(why) => Err(why),
            Said::Enter(caller) if self.present.is_none() => {
                self.entering = Some(self.language.enter(caller));
                Ok(())
            }
            Said::Enter(_) => self.greet(),
        }
    }

    fn entered(&mut self, result: Result<Present, ApiError>) -> Goes {
        self.entering = None;
        match result {
            Ok(present) => {
                self.present = Some(present);
                self.greet()
            }
            Err(why) => {
                let answer = self.language.entered(Err(why));
                self.say(answer)
            }
        }
    }

    fn greet(&mut self) -> Goes {
        let Some(present) = &self.present else { return Ok(()) };
        let answer = self.language.entered(Ok(&present.client));
        self.say(answer)
    }

    /// Takes a message for the client, and those that are there besides.
    fn messages(&mut self, first: Message) -> Goes {
        let mut next = Some(first);
        for _ in 0..MESSAGES_AT_ONCE {
            let Some(message) = next else { return Ok(()) };
            let text = self.language.message(&message);
            self.push(text, Care::Lose(self.policy))?;
            next = self.present.as_mut().and_then(|present| present.incoming.try_recv());
        }
        match next {
            Some(message) => {
                let text = self.language.message(&message);
                self.push(text, Care::Lose(self.policy))
            }
            None => Ok(()),
        }
    }

    /// Takes in what happened to what the client holds.
    fn news(&mut self, news: News) -> Goes {
        match news {
            News::Publication(at, publication) => self.publications(at, publication),
            // Its queue at the node was full, and that is its policy.
            News::Ended(_, Some(_)) => Err(Farewell::Slow),
            News::Ended(_, None) => Ok(()),
            News::Call(service, call) => {
                let text = self.language.call(&service, &call);
                self.held.give(*call);
                self.say(text)
            }
            News::Stopped(number, why) => {
                let text = self.language.stopped(number, why);
                text.map_or(Ok(()), |text| self.say(text))
            }
            News::Answer(answer) => answer.text.map_or(Ok(()), |text| self.say(text)),
        }
    }

    /// Takes a publication for a subscription, and those that are there besides.
    fn publications(&mut self, at: usize, first: Arc<Publication>) -> Goes {
        let mut next = Some(first);
        for left in (0..MESSAGES_AT_ONCE).rev() {
            let Some(publication) = next else { return Ok(()) };
            let Some((name, wanted)) = self.held.subscription(at) else { return Ok(()) };
            let text = self.language.publication(name, &publication);
            let care = Care::Lose(wanted.policy);
            next = if left > 0 { wanted.more() } else { None };
            self.push(text, care)?;
        }
        Ok(())
    }

    fn say(&mut self, text: String) -> Goes {
        self.push(text, Care::Keep)
    }

    fn push(&mut self, text: impl Into<Utf8Bytes>, care: Care) -> Goes {
        self.socket.push(text, care).map_err(|Overflow| Farewell::Slow)?;
        let missed = self.socket.take_missed();
        if let (1.., Some(present)) = (missed, &self.present) {
            self.missed += missed;
            present.missed(missed);
        }
        Ok(())
    }

    /// Tells what was dropped, now that there is room.
    fn tell_missed(&mut self) -> Goes {
        let told = match std::mem::take(&mut self.missed) {
            0 => None,
            missed => self.language.missed(missed),
        };
        told.map_or(Ok(()), |text| self.say(text))
    }
}

/// Who talks, as every surface needs to know.
#[derive(Clone, Debug)]
pub(super) struct Party {
    /// The node's side.
    pub(super) api: Arc<Api>,
    /// The client's rights.
    pub(super) caller: Caller,
    /// The client's address.
    pub(super) peer: SocketAddr,
    /// Its place among the connections.
    #[expect(dead_code, reason = "held, not read")]
    pub(super) slot: Slot,
}
