//! What a WebSocket client holds at the node: subscriptions, services, the calls that it was given to answer, and the calls
//! that it makes. It all ends with the client: whoever waits for an answer of it is answered at once.
//!
//! Bounds: [`SUBSCRIPTIONS_MAX`] subscriptions, [`METHODS_MAX`] methods, [`CALLS_MAX`] calls made. Calls given are bounded by
//! what its services take at once. A client that only listens costs one subscription; the rest is made when it is needed.

mod calls;
mod services;
mod slots;
mod subscriptions;

use std::{
    future::Future,
    task::{Context, Poll},
};

use futures_util::{FutureExt as _, StreamExt as _, stream::BoxStream};
use io_tokio::{Ended, OpenRequest, Publication, Stop};

pub(super) use crate::control::{ItemRefused, Unknown};
pub(super) use calls::Answer;
pub(super) use services::{Method, Offer, mesh_name};
pub(super) use slots::Ticket;
pub(super) use subscriptions::Wanted;

use crate::control::Given;
use calls::Calls;
use slots::Slots;

/// Subscriptions of one client.
const SUBSCRIPTIONS_MAX: usize = 1_024;
/// Methods that one client serves.
const METHODS_MAX: usize = 1_024;
/// Calls that one client has made and that are not answered.
const CALLS_MAX: usize = 1_024;

/// What one client holds.
#[derive(Debug)]
pub(super) struct Held {
    subscriptions: Slots<Wanted>,
    /// Calls have their turn before publications.
    calls_first: bool,
    /// For clients that call or serve.
    work: Option<Box<Work>>,
}

#[derive(Debug, Default)]
struct Work {
    services: Slots<Offer>,
    given: Given,
    calls: Calls,
}

/// What a client has got, some time after it asked.
#[derive(Debug)]
pub(super) enum Gain {
    /// Nothing that it holds.
    Nothing,
    /// A subscription, or none.
    Subscription(Ticket, Option<Box<Wanted>>),
    /// A service, or none.
    Service(Ticket, Option<Offer>),
}

/// Why a client gets no more of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It has one of this name.
    Double,
    /// It has as many as it may.
    TooMany(usize),
}

/// Something that happened to what a client holds.
#[derive(Debug)]
pub(super) enum News {
    /// A publication for the subscription at this place.
    Publication(usize, std::sync::Arc<Publication>),
    /// The node has ended the subscription of this name.
    Ended(String, Option<Ended>),
    /// A call for the client's service of this name.
    Call(String, Box<OpenRequest>),
    /// A call that it was given need not be answered any more.
    Stopped(u64, Stop),
    /// An answer to a call that it made.
    Answer(Answer),
}

impl Held {
    /// Nothing.
    pub(super) const fn new() -> Self {
        Self { subscriptions: Slots::new(), calls_first: false, work: None }
    }

    /// Takes what the client has got. If it gave that up meanwhile, it ends here.
    pub(super) fn gain(&mut self, gain: Gain) {
        match gain {
            Gain::Nothing => {}
            Gain::Subscription(ticket, wanted) => self.subscriptions.arrive(ticket, wanted.map(|wanted| *wanted)),
            Gain::Service(ticket, offer) => self.work().services.arrive(ticket, offer),
        }
    }

    /// A place for a subscription that is to come.
    ///
    /// # Errors
    /// [`Refused`].
    pub(super) fn subscribe(&mut self, name: &str) -> Result<Ticket, Refused> {
        self.subscriptions.begin(name, SUBSCRIPTIONS_MAX)
    }

    /// Ends a subscription, or says that there is none.
    pub(super) fn unsubscribe(&mut self, name: &str) -> bool {
        self.subscriptions.remove(name)
    }

    /// The subscription at this place, with its name.
    pub(super) fn subscription(&mut self, at: usize) -> Option<(&str, &mut Wanted)> {
        self.subscriptions.at(at)
    }

    /// A place for a service of some methods that is to come.
    ///
    /// # Errors
    /// [`Refused`].
    pub(super) fn serve(&mut self, name: &str, methods: usize) -> Result<Ticket, Refused> {
        let services = &mut self.work().services;
        let held: usize = services.iter().map(Offer::methods).sum();
        if held + methods > METHODS_MAX {
            return Err(Refused::TooMany(METHODS_MAX));
        }
        services.begin(name, METHODS_MAX)
    }

    /// Ends a service, or says that there is none. Calls that run may still be answered.
    pub(super) fn withdraw(&mut self, name: &str) -> bool {
        self.work.as_mut().is_some_and(|work| work.services.remove(name))
    }

    /// Notes a call that the client was given; answers the number that it is to be answered under.
    pub(super) fn give(&mut self, call: OpenRequest) -> u64 {
        self.work().given.add(call)
    }

    /// The calls that it was given.
    ///
    /// # Errors
    /// [`Unknown`]: it was given none.
    pub(super) fn given(&mut self) -> Result<&mut Given, Unknown> {
        self.work.as_mut().map(|work| &mut work.given).ok_or(Unknown)
    }

    /// Takes in an answer that takes its time and holds nothing else up: what is under way is bounded elsewhere.
    pub(super) fn answer_later(&mut self, answer: impl Future<Output = String> + Send + 'static) {
        self.work().calls.say_later(answer.into_stream().boxed());
    }

    /// Takes in a call that the client makes: `answers` are the texts that it is told, the last of which ends it. `id` is
    /// what it can be cancelled by.
    ///
    /// # Errors
    /// [`Refused`].
    pub(super) fn call(&mut self, id: Option<&str>, answers: BoxStream<'static, String>) -> Result<(), Refused> {
        self.work().calls.add(id, answers, CALLS_MAX)
    }

    /// Cancels a call that it made, or says that there is none of this number.
    pub(super) fn cancel(&mut self, id: &str) -> bool {
        self.work.as_mut().is_some_and(|work| work.calls.cancel(id))
    }

    /// What happens next. `answers`: whether there is room for answers to calls that it made.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>, answers: bool) -> Poll<News> {
        if self.calls_first
            && let Poll::Ready(news) = self.poll_work(cx, answers)
        {
            self.calls_first = false;
            return Poll::Ready(news);
        }
        if let Poll::Ready(news) = self.subscriptions.poll(|at, name, wanted| wanted.poll(cx, at, name)) {
            self.calls_first = true;
            if let News::Ended(name, _) = &news {
                self.subscriptions.remove(name);
            }
            return Poll::Ready(news);
        }
        self.poll_work(cx, answers)
    }

    fn poll_work(&mut self, cx: &mut Context<'_>, answers: bool) -> Poll<News> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        if let Poll::Ready((number, why)) = work.given.poll_stopped(cx) {
            return Poll::Ready(News::Stopped(number, why));
        }
        if let Poll::Ready(call) = work.services.poll(|_, name, offer| offer.poll(cx, name)) {
            return Poll::Ready(call);
        }
        if answers && let Poll::Ready(answer) = work.calls.poll(cx) {
            return Poll::Ready(News::Answer(answer));
        }
        Poll::Pending
    }

    fn work(&mut self) -> &mut Work {
        self.work.get_or_insert_with(Box::default)
    }
}
