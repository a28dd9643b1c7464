//! Publishing and subscribing between whole nodes on loopback.

use std::{sync::Arc, time::Duration};

use proto_core::{
    error::Rejected,
    node::TopicEvent,
    pubsub::{Ended, HistoryRule, Pattern, Policy, Publication},
};
use tokio::time::{sleep, timeout};

use super::mesh::{LONG, door, listening, options, reach, start};
use crate::{
    Event, HubEvent, Mesh, MeshOptions, Notice, PublishError, PublishOptions, SubscribeError, SubscribeOptions,
    Subscription,
};

/// Two nodes that know of each other.
async fn pair() -> (Mesh, Mesh) {
    let a = start(listening("a")).await;
    let b = start(options("b").connect(&door(&a))).await;
    reach(&a, "b").await;
    reach(&b, "a").await;
    (a, b)
}

fn number(publication: &Publication) -> u32 {
    u32::from_le_bytes(publication.payload[..].try_into().unwrap())
}

async fn next(subscription: &mut Subscription) -> Arc<Publication> {
    timeout(LONG, subscription.recv()).await.expect("a publication comes").expect("the subscription goes on")
}

#[tokio::test]
async fn a_publication_reaches_every_node_that_subscribed() {
    let (a, b) = pair().await;
    let mut at_a = a.subscribe("site.*.door").await.unwrap();
    let mut at_b = b.subscribe("site.>").await.unwrap();
    assert!(at_a.was_known() && at_b.was_known());
    b.publish("site.7.door", "open").await.unwrap();
    for at in [&mut at_a, &mut at_b] {
        let publication = next(at).await;
        assert_eq!((publication.topic.as_str(), &publication.payload[..]), ("site.7.door", &b"open"[..]));
        assert_eq!(a.name_of(publication.from).as_ref(), Some(b.name()));
    }
    assert_eq!(at_a.try_recv(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_reordered_at_full_speed() {
    const COUNT: u32 = 100_000;
    let (a, b) = pair().await;
    let plenty = SubscribeOptions::default().queue(COUNT as usize, 1 << 30);
    let mut at_a = a.subscribe_with("n", plenty).await.unwrap();
    let publisher = b.publisher("n").unwrap();
    let publishing = tokio::spawn(async move {
        for number in 0..COUNT {
            publisher.publish(number.to_le_bytes().to_vec()).await.unwrap();
        }
    });
    let mut batch = Vec::new();
    let mut expected = 0;
    while expected < COUNT {
        let some = timeout(LONG, at_a.recv_many(&mut batch, 1_000)).await.expect("goes on");
        assert!(some > 0);
        for publication in batch.drain(..) {
            assert_eq!(number(&publication), expected);
            expected += 1;
        }
    }
    publishing.await.unwrap();
    assert_eq!(b.counters().await.unwrap()["topics_lost"], 0);
}

#[tokio::test]
async fn a_receipt_counts_subscriptions_and_nodes() {
    let (a, b) = pair().await;
    let mut held = Vec::new();
    for pattern in ["x.*", "x.>", "other"] {
        held.push(a.subscribe(pattern).await.unwrap());
    }
    held.push(b.subscribe("x.y").await.unwrap());
    let report = b.publish_acked("x.y", "1").await.unwrap();
    assert_eq!((report.subscribers, report.nodes, report.missing.len()), (3, 2, 0));
    let nobody = b.publish_acked("nobody.listens", "1").await.unwrap();
    assert_eq!((nobody.subscribers, nobody.nodes), (0, 0));
}

#[tokio::test]
async fn one_member_of_a_queue_group_gets_each_publication() {
    let (a, b) = pair().await;
    let mut first = a.queue_subscribe("work", "w").await.unwrap();
    let mut second = a.queue_subscribe("work", "w").await.unwrap();
    for number in 0..10_u32 {
        let report = b.publish_acked("work", number.to_le_bytes().to_vec()).await.unwrap();
        assert_eq!(report.subscribers, 1);
    }
    let mut got = Vec::new();
    while let Some(publication) = first.try_recv().or_else(|| second.try_recv()) {
        got.push(number(&publication));
    }
    got.sort_unstable();
    assert_eq!(got, (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_dropped_subscription_is_over_everywhere() {
    let (a, b) = pair().await;
    let subscription = a.subscribe("t").await.unwrap();
    assert_eq!(b.publish_acked("t", "1").await.unwrap().subscribers, 1);
    drop(subscription);
    let over = async {
        while b.publish_acked("t", "2").await.unwrap().subscribers > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, over).await.unwrap();
    assert_eq!(a.inspect(|node, _| node.topics().subscriptions().count()).await, Ok(0));
}

#[tokio::test]
async fn subscribing_that_is_given_up_leaves_no_subscription() {
    let a = start(options("a")).await;
    let (mut early, mut late) = (Box::pin(a.subscribe("t")), Box::pin(a.subscribe("t")));
    std::future::poll_fn(|cx| {
        assert!(early.as_mut().poll(cx).is_pending() && late.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    drop(early);
    // Answered, and not taken.
    a.inspect(|_, _| ()).await.unwrap();
    drop(late);
    let none = async {
        while a.inspect(|node, _| node.topics().subscriptions().count()).await != Ok(0) {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, none).await.unwrap();
}

#[tokio::test]
async fn a_subscription_that_is_too_slow_is_ended_if_that_is_its_policy() {
    let (a, b) = pair().await;
    let strict = SubscribeOptions::default().policy(Policy::Disconnect).credit(10).queue(20, 1 << 20).client("slow");
    let mut slow = a.subscribe_with("t", strict).await.unwrap();
    let mut quick = a.subscribe("t").await.unwrap();
    let mut events = a.events();
    for number in 0..100_u32 {
        b.publish("t", number.to_le_bytes().to_vec()).await.unwrap();
    }
    for expected in 0..100 {
        assert_eq!(number(&*next(&mut quick).await), expected);
    }
    let mut got = 0;
    while timeout(LONG, slow.recv()).await.unwrap().is_some() {
        got += 1;
    }
    assert_eq!(got, 10, "as many as its credit");
    assert!(matches!(slow.ended(), Some(Ended::TooSlow { queued: 20, .. })), "{:?}", slow.ended());
    let Notice::Event(Event::Topic(TopicEvent::Ended { client, .. })) = events.recv().await.unwrap() else {
        panic!("nothing else happened");
    };
    assert_eq!(client.as_deref(), Some("slow"));
}

#[tokio::test]
async fn what_a_slow_subscription_drops_is_counted_and_told() {
    let a = start(options("a")).await;
    let small = SubscribeOptions::default().credit(1).queue(2, 1 << 20);
    let mut slow = a.subscribe_with("t", small).await.unwrap();
    for number in 0..10_u32 {
        a.publish("t", number.to_le_bytes().to_vec()).await.unwrap();
    }
    a.publish_acked("t", 10_u32.to_le_bytes().to_vec()).await.unwrap();
    let mut got = Vec::new();
    for _ in 0..3 {
        got.push(number(&*next(&mut slow).await));
    }
    assert_eq!(got, [0, 9, 10], "the oldest that waited made room");
    assert!(slow.dropped() > 0);
}

#[tokio::test]
async fn a_hub_takes_the_publications_of_many_subscriptions() {
    let (a, b) = pair().await;
    let mut hub = a.hub();
    let first = hub.subscribe("x.1", SubscribeOptions::default().client("one")).await.unwrap();
    let second = hub.handle().subscribe("x.2", SubscribeOptions::default().credit(1)).await.unwrap();
    for topic in ["x.1", "x.2", "x.2", "x.1"] {
        b.publish(topic, topic).await.unwrap();
    }
    let mut got = Vec::new();
    while got.len() < 4 {
        let HubEvent::Publication { subscription, publication } = timeout(LONG, hub.recv()).await.unwrap().unwrap()
        else {
            panic!("nothing ends");
        };
        got.push((subscription, publication.topic.as_str().to_owned()));
    }
    let of = |id, topic: &str| got.iter().filter(|(of, at)| *of == id && at == topic).count();
    assert_eq!((of(first.id(), "x.1"), of(second.id(), "x.2")), (2, 2));
    drop(first);
    let over = async {
        while b.publish_acked("x.1", "").await.unwrap().subscribers > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, over).await.unwrap();
    a.shutdown(LONG).await.unwrap();
    while timeout(LONG, hub.recv()).await.unwrap().is_some() {}
}

#[tokio::test]
async fn a_publisher_may_leave_its_own_subscriptions_out() {
    let a = start(options("a")).await;
    let mut own = a.subscribe_with("t", SubscribeOptions::default().client("me")).await.unwrap();
    let quiet = PublishOptions::default().client("me").no_echo();
    assert_eq!(a.publish_with("t", "not for me", quiet).await.unwrap().subscribers, 0);
    assert_eq!(a.publish_acked("t", "for all").await.unwrap().subscribers, 1);
    assert_eq!(&next(&mut own).await.payload[..], b"for all");
}

#[tokio::test]
async fn a_node_that_is_over_ends_its_subscriptions_and_takes_no_publications() {
    let a = start(options("a")).await;
    let mut subscription = a.subscribe("t").await.unwrap();
    let publisher = a.publisher("t").unwrap();
    a.shutdown(LONG).await.unwrap();
    assert_eq!(timeout(LONG, subscription.recv()).await.unwrap(), None);
    assert_eq!(subscription.ended(), None);
    assert!(matches!(publisher.publish("x").await, Err(PublishError::Stopped(_))));
    assert!(matches!(a.subscribe("t").await.err(), Some(SubscribeError::Stopped(_))));
}

#[tokio::test]
async fn what_is_no_topic_is_refused_at_once() {
    let a = start(options("a")).await;
    assert!(matches!(a.publish("a..b", "").await, Err(PublishError::BadTopic(_))));
    assert!(matches!(a.publish("a.*", "").await, Err(PublishError::BadTopic(_))));
    let large = a.publish("t", vec![0; 1 << 30]).await;
    assert!(matches!(large, Err(PublishError::Rejected(Rejected::TooLarge { .. }))), "{large:?}");
    assert!(matches!(a.subscribe("a.>.b").await.err(), Some(SubscribeError::BadTopic(_))));
}

#[tokio::test]
async fn people_can_see_who_subscribed_and_who_would_receive() {
    let (a, b) = pair().await;
    let _plain = a.subscribe("site.>").await.unwrap();
    let _first = a.queue_subscribe("site.7", "w").await.unwrap();
    let _second = b.queue_subscribe("site.7", "w").await.unwrap();
    let topics = b.topics().await.unwrap();
    let seen: Vec<_> = topics.patterns.iter().map(|seen| (seen.pattern.as_str(), seen.nodes.len())).collect();
    assert_eq!((seen, topics.subscriptions.len()), (vec![("site.7", 2), ("site.>", 1)], 1));
    let receivers = b.who_would_receive("site.7").await.unwrap();
    assert_eq!((receivers.here.len(), receivers.nodes.len(), receivers.groups.len()), (0, 1, 1));
    assert_eq!(receivers.nodes[0].node.name.as_ref(), Some(a.name()));
    let (group, members) = &receivers.groups[0];
    let at: Vec<_> = members.iter().map(|member| member.node.name.clone().unwrap()).collect();
    assert_eq!((group.as_str(), at), ("w", vec![b.name().clone(), a.name().clone()]));
    assert_eq!(b.who_would_receive("other").await.unwrap(), crate::ReceiversInfo::default());
}

#[tokio::test]
async fn values_travel_as_json() {
    let a = start(options("a")).await;
    let mut numbers = a.subscribe_json::<Vec<u32>>("n").await.unwrap();
    a.publish_json("n", &[1, 2]).await.unwrap();
    a.publish("n", "no json").await.unwrap();
    assert_eq!(numbers.recv().await.unwrap().value.unwrap(), [1, 2]);
    assert!(numbers.recv().await.unwrap().value.is_err());
}

#[tokio::test]
async fn a_subscriber_that_comes_back_goes_on_where_it_was() {
    let rule = HistoryRule { pattern: Pattern::new("kept.>").unwrap(), messages: 5, bytes: 1 << 20, age: None };
    let a = start(MeshOptions { history: vec![rule], ..options("a") }).await;
    for number in 0..8_u32 {
        a.publish("kept.n", number.to_le_bytes().to_vec()).await.unwrap();
    }
    a.publish_acked("kept.n", 8_u32.to_le_bytes().to_vec()).await.unwrap();
    let mut late = a.subscribe_with("kept.n", SubscribeOptions::default().last(2)).await.unwrap();
    assert_eq!(late.recovery().map(|recovery| recovery.replayed), Some(2));
    let seen = next(&mut late).await;
    assert_eq!((number(&seen), number(&*next(&mut late).await)), (7, 8));
    drop(late);
    a.publish_acked("kept.n", 9_u32.to_le_bytes().to_vec()).await.unwrap();
    let since = SubscribeOptions::default().since([(seen.topic.clone(), seen.position.unwrap())]);
    let mut back = a.subscribe_with("kept.n", since).await.unwrap();
    assert_eq!(back.recovery().map(|recovery| (recovery.recovered, recovery.replayed)), Some((true, 2)));
    a.publish("kept.n", 10_u32.to_le_bytes().to_vec()).await.unwrap();
    for expected in 8..=10 {
        assert_eq!(number(&*next(&mut back).await), expected);
    }
}
