//! The calls that a client has made, until they are answered or cancelled.

use std::{
    collections::BTreeMap,
    fmt,
    task::{Context, Poll},
};

use futures_util::{
    StreamExt as _,
    stream::{self, AbortHandle, BoxStream, SelectAll, abortable},
};

use super::Refused;

/// The number that no call has.
const NO_CALL: u64 = 0;

/// The calls.
#[derive(Default)]
pub(super) struct Calls {
    answers: SelectAll<BoxStream<'static, Answer>>,
    open: BTreeMap<u64, Call>,
    numbers: u64,
}

struct Call {
    /// What its client calls it.
    id: Option<Box<str>>,
    abort: AbortHandle,
}

/// Something that is to be said about a call.
#[derive(Debug)]
pub(in crate::api) struct Answer {
    call: u64,
    /// What; `None`: that was all.
    pub(in crate::api) text: Option<String>,
}

impl Calls {
    /// Takes a call in.
    pub(super) fn add(
        &mut self,
        id: Option<&str>,
        answers: BoxStream<'static, String>,
        most: usize,
    ) -> Result<(), Refused> {
        if self.open.len() >= most {
            return Err(Refused::TooMany(most));
        }
        if id.is_some_and(|id| self.find(id).is_some()) {
            return Err(Refused::Double);
        }
        self.numbers += 1;
        let call = self.numbers;
        let end = stream::iter([Answer { call, text: None }]);
        let all = answers.map(move |text| Answer { call, text: Some(text) }).chain(end);
        let (all, abort) = abortable(all);
        self.answers.push(all.boxed());
        self.open.insert(call, Call { id: id.map(Into::into), abort });
        Ok(())
    }

    /// Takes in an answer that belongs to no call.
    pub(super) fn say_later(&mut self, answer: BoxStream<'static, String>) {
        self.answers.push(answer.map(|text| Answer { call: NO_CALL, text: Some(text) }).boxed());
    }

    /// Cancels a call.
    pub(super) fn cancel(&mut self, id: &str) -> bool {
        let Some(number) = self.find(id) else { return false };
        if let Some(call) = self.open.remove(&number) {
            call.abort.abort();
        }
        true
    }

    /// The next answer.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        while let Poll::Ready(Some(answer)) = self.answers.poll_next_unpin(cx) {
            if answer.text.is_none() {
                self.open.remove(&answer.call);
            } else if answer.call == NO_CALL || self.open.contains_key(&answer.call) {
                return Poll::Ready(answer);
            }
        }
        Poll::Pending
    }

    fn find(&self, id: &str) -> Option<u64> {
        self.open.iter().find(|(_, call)| call.id.as_deref() == Some(id)).map(|(number, _)| *number)
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Calls({} open)", self.open.len())
    }
}
