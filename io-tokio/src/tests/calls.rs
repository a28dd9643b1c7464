//! Calls between whole nodes on loopback.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use proto_core::rpc::{AppError, Balance, Loss, Meta, Progress, Stop};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use super::mesh::{LONG, door, listening, options, reach, start};
use crate::{
    BAD_REQUEST, CallError, HANDLER_GONE, HANDLER_PANICKED, ItemError, Mesh, Request, ServeError, ServeOptions,
};

/// Two nodes that know of each other.
async fn pair() -> (Mesh, Mesh) {
    let a = start(listening("a")).await;
    let b = start(options("b").connect(&door(&a))).await;
    reach(&a, "b").await;
    reach(&b, "a").await;
    (a, b)
}

async fn echo(request: Request) -> Result<Bytes, AppError> {
    Ok(request.payload().clone())
}

#[tokio::test]
async fn a_call_is_answered_by_whoever_serves_it() {
    let (a, b) = pair().await;
    let service = a.serve("echo", echo).await.unwrap();
    assert!(service.was_known());
    let response = b.call("echo", "hello").await.unwrap();
    assert_eq!(&response.payload[..], b"hello");
    assert_eq!(b.name_of(response.provider.unwrap().node).as_ref(), Some(a.name()));
    assert_eq!(&b.call("echo", "there").at("a").await.unwrap().payload[..], b"there");
    assert_eq!(&a.call("echo", "here").await.unwrap().payload[..], b"here");
    assert_eq!(b.call("nobody", "").await, Err(CallError::NoResponder));
    assert_eq!(b.call("echo", "").at("b").await, Err(CallError::NoResponder));
}

#[tokio::test]
async fn a_service_is_served_as_long_as_its_guard_exists() {
    let a = start(options("a")).await;
    let service = a.serve("s", echo).await.unwrap();
    assert_eq!(a.serve("s", echo).await.err(), Some(ServeError::Taken));
    let other = a.serve_with("s", ServeOptions::default().client("c"), echo).await.unwrap();
    assert!(a.call("s", "").at_provider("a", None).await.is_ok());
    drop(service);
    assert_eq!(a.call("s", "").at_provider("a", None).await, Err(CallError::NoResponder));
    assert!(a.call("s", "").at_provider("a", Some("c")).await.is_ok());
    drop(other);
    assert_eq!(a.call("s", "").await, Err(CallError::NoResponder));
    assert!(a.serve("s", echo).await.is_ok());
}

#[tokio::test]
async fn an_error_of_the_handler_reaches_the_caller_as_it_is() {
    let (a, b) = pair().await;
    let _service = a.serve("s", |_| async { Err::<Bytes, _>(AppError::new(7, "no such door")) }).await.unwrap();
    let error = b.call("s", "").await.unwrap_err();
    assert_eq!(error, CallError::App(AppError::new(7, "no such door")));
    assert!(error.may_have_run());
    assert_eq!(error.to_string(), "the handler says: no such door (code 7)");
}

#[tokio::test]
async fn a_panic_in_a_handler_is_an_error_and_the_service_goes_on() {
    let (a, b) = pair().await;
    let handler = |request: Request| async move {
        assert_ne!(&request.payload()[..], b"bad", "this panics on purpose");
        Ok("fine")
    };
    let _service = a.serve("s", handler).await.unwrap();
    let Err(CallError::App(error)) = b.call("s", "bad").await else { panic!("an error of the handler") };
    assert_eq!(error.code, HANDLER_PANICKED);
    assert_eq!(&b.call("s", "good").await.unwrap().payload[..], b"fine");
}

#[tokio::test]
async fn a_call_that_is_dropped_ends_its_handler() {
    struct Told(mpsc::UnboundedSender<&'static str>);
    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send("dropped");
        }
    }
    let (a, b) = pair().await;
    let (sender, mut told) = mpsc::unbounded_channel();
    let handler = move |_| {
        let sender = sender.clone();
        async move {
            let _told = Told(sender.clone());
            let _ = sender.send("began");
            std::future::pending::<()>().await;
            Ok("never")
        }
    };
    let _service = a.serve("s", handler).await.unwrap();
    let calling = tokio::spawn(async move { b.call("s", "").deadline(Duration::from_secs(60)).await.is_ok() });
    assert_eq!(timeout(LONG, told.recv()).await.unwrap(), Some("began"));
    calling.abort();
    assert_eq!(timeout(LONG, told.recv()).await.unwrap(), Some("dropped"));
    let idle = async {
        while a.inspect(|node, _| node.calls().served().map(|served| served.running).sum::<u32>()).await != Ok(0) {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, idle).await.expect("the place of the handler is free");
}

#[tokio::test]
async fn a_timeout_says_how_far_the_call_got() {
    let (a, b) = pair().await;
    let handler = |_| async {
        std::future::pending::<()>().await;
        Ok("never")
    };
    let _service = a.serve_with("s", ServeOptions::default().concurrency(1), handler).await.unwrap();
    let slow = b.call("s", "").deadline(Duration::from_millis(2_500)).into_future();
    sleep(Duration::from_millis(50)).await;
    let behind = b.call("s", "").deadline(Duration::from_millis(1_500)).await.unwrap_err();
    assert!(matches!(behind.progress(), Some(Progress::Queued { .. })), "{behind}");
    let slow = slow.await.unwrap_err();
    assert!(matches!(slow, CallError::Timeout(Progress::Running { .. })), "{slow}");
    assert!(slow.may_have_run() && slow.to_string().starts_with("the deadline has passed: running "), "{slow}");
}

#[tokio::test]
async fn a_provider_that_crashes_in_a_call_leaves_it_lost_and_not_run_again() {
    let (a, b) = pair().await;
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let (sender, mut began) = mpsc::unbounded_channel();
    let mut requests = a.requests("s", ServeOptions::default()).await.unwrap();
    tokio::spawn(async move {
        while let Some(request) = requests.recv().await {
            counted.fetch_add(1, SeqCst);
            let _ = sender.send(request);
        }
    });
    let calling = tokio::spawn(async move { b.call("s", "").deadline(Duration::from_secs(3)).await });
    let request = timeout(LONG, began.recv()).await.unwrap().unwrap();
    a.shutdown(Duration::ZERO).await.unwrap();
    let error = timeout(LONG, calling).await.unwrap().unwrap().unwrap_err();
    assert!(error.may_have_run(), "{error}");
    drop(request);
    assert_eq!(runs.load(SeqCst), 1);
}

#[tokio::test]
async fn requests_are_answered_from_wherever_and_never_lost() {
    let (a, b) = pair().await;
    let mut requests = a.requests("s", ServeOptions::default()).await.unwrap();
    tokio::spawn(async move {
        requests.recv().await.unwrap().reply("one");
        requests.recv().await.unwrap().error(AppError::new(2, "two"));
        drop(requests.recv().await.unwrap());
    });
    assert_eq!(&b.call("s", "").await.unwrap().payload[..], b"one");
    assert_eq!(b.call("s", "").await, Err(CallError::App(AppError::new(2, "two"))));
    let Err(CallError::App(gone)) = b.call("s", "").await else { panic!("an error") };
    assert_eq!(gone.code, HANDLER_GONE);
}

#[tokio::test]
async fn a_request_learns_that_its_caller_gave_up() {
    let (a, b) = pair().await;
    let mut requests = a.requests("s", ServeOptions::default()).await.unwrap();
    let call = b.call("s", "").into_future();
    let request = timeout(LONG, requests.recv()).await.unwrap().unwrap();
    assert_eq!(request.stop(), None);
    drop(call);
    assert_eq!(timeout(LONG, request.stopped()).await.unwrap(), Stop::Cancelled);
    assert_eq!(request.item("late").await, Err(ItemError::Stopped(Stop::Cancelled)));
}

#[tokio::test]
async fn a_streaming_reply_waits_for_a_caller_that_reads_slowly() {
    const ITEMS: u32 = 1_000;
    let (a, b) = pair().await;
    let sent = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&sent);
    let handler = move |request: Request| {
        let count = Arc::clone(&count);
        async move {
            for number in 0..ITEMS {
                request.item(number.to_le_bytes().to_vec()).await.map_err(|why| AppError::new(1, &why.to_string()))?;
                count.fetch_add(1, SeqCst);
            }
            Ok("done")
        }
    };
    let _service = a.serve("count", handler).await.unwrap();
    let mut reply = b.call_stream("count", "").unwrap();
    assert_eq!(reply.recv().await, Some(Ok(Bytes::from_owner(0_u32.to_le_bytes()))));
    sleep(Duration::from_millis(200)).await;
    assert!(sent.load(SeqCst) < 200, "the handler waits: {}", sent.load(SeqCst));
    for number in 1..ITEMS {
        let item = timeout(LONG, reply.recv()).await.unwrap().unwrap().unwrap();
        assert_eq!(item[..], number.to_le_bytes());
    }
    assert_eq!(timeout(LONG, reply.recv()).await.unwrap(), None);
    assert_eq!(&reply.response().unwrap().payload[..], b"done");
    assert_eq!(reply.recv().await, None);
}

#[tokio::test]
async fn a_streaming_reply_that_fails_says_so_after_its_items() {
    let (a, b) = pair().await;
    let handler = |request: Request| async move {
        request.item("one").await.map_err(|why| AppError::new(1, &why.to_string()))?;
        Err::<Bytes, _>(AppError::new(9, "then it broke"))
    };
    let _service = a.serve("s", handler).await.unwrap();
    let mut reply = b.call_stream("s", "").unwrap();
    assert_eq!(reply.recv().await, Some(Ok(Bytes::from_static(b"one"))));
    assert_eq!(reply.recv().await, Some(Err(CallError::App(AppError::new(9, "then it broke")))));
    assert_eq!(reply.recv().await, None);
    assert_eq!(b.call("s", "").await, Err(CallError::App(AppError::new(1, "the caller does not take items"))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_callers_at_once_all_get_their_own_answers() {
    const CALLERS: u32 = 64;
    const CALLS: u32 = 100;
    let (a, b) = pair().await;
    let _service = a.serve("echo", echo).await.unwrap();
    let callers = (0..CALLERS).map(|caller| {
        let b = b.clone();
        tokio::spawn(async move {
            for call in 0..CALLS {
                let payload = (caller * CALLS + call).to_le_bytes();
                let response = b.call("echo", payload.to_vec()).await.unwrap();
                assert_eq!(response.payload[..], payload);
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        timeout(LONG, caller).await.unwrap().unwrap();
    }
    let served = a.inspect(|node, _| node.calls().served().map(|served| served.requests).sum::<u64>()).await;
    assert_eq!(served, Ok(u64::from(CALLERS * CALLS)));
}

#[tokio::test]
async fn calls_with_one_idempotency_key_run_once() {
    let (a, b) = pair().await;
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let handler = move |_| {
        let run = counted.fetch_add(1, SeqCst);
        async move { Ok(run.to_le_bytes().to_vec()) }
    };
    let _service = a.serve("s", handler).await.unwrap();
    let first = b.call("s", "").idempotency_key("k").await.unwrap();
    let second = b.call("s", "").idempotency_key("k").await.unwrap();
    assert_eq!((first.payload, runs.load(SeqCst)), (second.payload, 1));
    assert_eq!(b.call("s", "").idempotency_key("").await, Err(CallError::BadKey));
}

#[tokio::test]
async fn balanced_calls_take_turns_among_providers() {
    let (a, b) = pair().await;
    let named = |name: &'static str| move |_| async move { Ok(name) };
    let _one = a.serve("s", named("a")).await.unwrap();
    let _two = b.serve("s", named("b")).await.unwrap();
    let mut at_a = 0;
    for _ in 0..10 {
        at_a += u32::from(&b.call("s", "").balance(Balance::RoundRobin).await.unwrap().payload[..] == b"a");
    }
    assert_eq!(at_a, 5);
    assert_eq!(&b.call("s", "").await.unwrap().payload[..], b"b", "the nearest is this node itself");
}

#[tokio::test]
async fn a_client_that_leaves_loses_its_calls_in_progress() {
    let (a, b) = pair().await;
    let here = a.client("c").await.unwrap();
    let mut requests = a.requests("s", ServeOptions::default().client("c")).await.unwrap();
    let call = b.call("s", "").into_future();
    let request = timeout(LONG, requests.recv()).await.unwrap().unwrap();
    drop(here);
    assert_eq!(call.await, Err(CallError::Lost(Loss::HandlerGone)));
    request.reply("too late");
    assert_eq!(b.call("s", "").await, Err(CallError::NoResponder));
}

#[tokio::test]
async fn values_are_asked_for_and_answered_as_json() {
    let (a, b) = pair().await;
    let twice = |number: i64, _: Request| async move { Ok::<_, AppError>(number * 2) };
    let _service = a.serve_json("twice", twice).await.unwrap();
    assert_eq!(b.call_json::<_, i64>("twice", &21).await, Ok(42));
    let Err(CallError::App(bad)) = b.call("twice", "\"text\"").await else { panic!("an error") };
    assert_eq!(bad.code, BAD_REQUEST);
    assert!(matches!(b.call_json::<_, String>("twice", &1).await, Err(CallError::Malformed(_))));
}

#[tokio::test]
async fn people_can_see_who_serves_what_and_how_it_fares() {
    let (a, b) = pair().await;
    let meta = Meta { note: "says it again".into(), ..Meta::default() };
    let _service = a.serve_with("echo", ServeOptions::default().meta(meta).concurrency(3), echo).await.unwrap();
    b.call("echo", "").await.unwrap();
    let [seen] = &b.services().await.unwrap()[..] else { panic!("one provider") };
    assert_eq!((seen.service.as_str(), seen.node.name.as_ref()), ("echo", Some(a.name())));
    assert_eq!((seen.meta.note.as_str(), seen.capacity.concurrency, seen.served), ("says it again", 3, None));
    let [here] = &a.services().await.unwrap()[..] else { panic!("one provider") };
    assert_eq!(here.served.map(|served| (served.requests, served.errors)), Some((1, 0)));
    assert_eq!(here.cost, Some(0));
}

#[tokio::test]
async fn a_node_that_is_over_ends_its_handlers_and_calls() {
    let (a, b) = pair().await;
    let (sender, mut told) = mpsc::unbounded_channel::<()>();
    let handler = move |_| {
        let sender = sender.clone();
        async move {
            sender.send(()).unwrap();
            std::future::pending::<()>().await;
            drop(sender);
            Ok("never")
        }
    };
    let service = a.serve("s", handler).await.unwrap();
    let calling = tokio::spawn({
        let b = b.clone();
        async move { b.call("s", "").deadline(Duration::from_secs(60)).await }
    });
    assert_eq!(timeout(LONG, told.recv()).await.unwrap(), Some(()));
    b.shutdown(Duration::ZERO).await.unwrap();
    assert!(timeout(LONG, calling).await.unwrap().unwrap().is_err());
    a.shutdown(Duration::ZERO).await.unwrap();
    drop(service);
    assert_eq!(timeout(LONG, told.recv()).await.unwrap(), None, "the handler's future is gone");
}

#[tokio::test]
async fn a_service_runs_as_many_calls_at_once_as_it_said() {
    let (a, b) = pair().await;
    let (running, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let seen = Arc::clone(&most);
    let handler = move |_| {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        async move {
            most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
            sleep(Duration::from_millis(5)).await;
            running.fetch_sub(1, SeqCst);
            Ok("done")
        }
    };
    let few = ServeOptions::default().concurrency(3).queue(20);
    let _service = a.serve_with("s", few, handler).await.unwrap();
    let calls: Vec<_> = (0..40).map(|_| b.call("s", "").into_future()).collect();
    let (mut done, mut refused) = (0, 0);
    for call in calls {
        match call.await {
            Ok(_) => done += 1,
            Err(CallError::Overloaded(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((done, refused, seen.load(SeqCst)), (23, 17, 3));
}
