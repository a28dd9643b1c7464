//! Items of a reply come only to a call that wants them, before its one end, in order and without a gap; and a call that
//! succeeds got all that its handler sent.
//!
//! RC9: a streaming reply is a stream with exactly one trailer.

use io_sim::{item_of, items_of};
use proto_core::{
    node::{CallEvent, Event},
    rpc::Completion,
};

use super::{Fact, Held, Invariant, What};
use crate::oracle::Oracle;

#[derive(Debug)]
pub(super) struct RcStream;

impl Invariant for RcStream {
    fn id(&self) -> &'static str {
        "rc_stream"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        if let What::Told(Event::Call(CallEvent::Item { call, payload })) = fact.what {
            let key = oracle.request(fact.node, *call).and_then(|asked| asked.message);
            let Some((key, called)) = key.and_then(|key| Some((key, oracle.calls().call(key)?))) else {
                return Err(format!("{} got an item of {call}, which is no call", fact.spec.name));
            };
            // The oracle knows of it already.
            let number = called.items.saturating_sub(1);
            if !called.streaming || !called.ended.is_empty() {
                return Err(format!("the call {key} got item {number}: {called:?}"));
            }
            if *payload != item_of(&called.payload, number) {
                return Err(format!("the call {key} got {payload:?} as item {number}"));
            }
        }
        let Some((key, Completion::Ok(_))) = fact.completion(oracle) else { return Ok(()) };
        let Some(called) = oracle.calls().call(key) else { return Ok(()) };
        let all = if called.streaming { items_of(&called.payload) } else { 0 };
        if called.items != all {
            return Err(format!("the call {key} succeeded with {} items of {all}", called.items));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{super::sample, *};

    fn item(oracle: &mut Oracle, number: u64) -> Held {
        sample::item(&mut RcStream, oracle, item_of(&sample::KEY.payload(20), number))
    }

    fn ends(oracle: &mut Oracle) -> Held {
        sample::ends(&mut RcStream, oracle, Completion::Ok(sample::KEY.payload(20)))
    }

    #[test]
    fn fires_on_a_gap_a_repetition_and_a_strange_item() {
        let mut oracle = sample::streaming();
        assert_eq!((item(&mut oracle, 0), item(&mut oracle, 1)), (Ok(()), Ok(())));
        assert!(item(&mut oracle.clone(), 1).is_err());
        assert!(item(&mut oracle.clone(), 3).is_err());
        assert!(sample::item(&mut RcStream, &mut oracle, Bytes::from_static(b"strange")).is_err());
        assert!(item(&mut sample::called(None), 0).is_err(), "it wants none");
    }

    #[test]
    fn fires_on_success_without_all_items_and_on_items_after_the_end() {
        let mut oracle = sample::streaming();
        assert!(ends(&mut oracle.clone()).is_err());
        (0..20).for_each(|number| assert_eq!(item(&mut oracle, number), Ok(())));
        assert_eq!(ends(&mut oracle), Ok(()));
        assert!(item(&mut oracle, 20).is_err());
    }
}
