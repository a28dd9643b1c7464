//! Every bound and default of the core in one place (law L9): name, value, and what happens at it.
//!
//! A bound is a constant here when it protects the node; it is a default here and a field of
//! [`Config`](crate::node::Config) when a user may choose it.

use core::time::Duration;

// ---- wire

/// Longest encoded header, in bytes; checked before decoding. Longer: the link is closed.
pub const HEADER_MAX: usize = 1_024;
/// Longest plaintext of one record, in bytes. Noise allows 65,535 with the tag.
pub const RECORD_MAX: usize = 65_519;
/// Plaintext after which a record is closed even if more waits, so that the first byte need not wait for the last.
pub const RECORD_TARGET: usize = 32_768;
/// Most bytes of a handshake message. Longer: the channel is closed.
pub const HANDSHAKE_MAX: usize = 1_024;
/// Largest payload that any configuration may allow, in bytes: several must fit the data lane of a link.
pub const PAYLOAD_HARD_MAX: usize = 16 * 1_024 * 1_024;
/// Default of the largest payload, in bytes. Larger: rejected at the sender; a larger frame closes the link.
pub const PAYLOAD_MAX: usize = 1_024 * 1_024;

// ---- links

/// Most links that are up; the default of a user's own limit. More: refused once the handshake has shown that the peer has
/// none yet, because a peer that comes back may find its old link not given up.
pub const LINKS_MAX: usize = 4_096;
/// Most channels: links, half-open handshakes, and what is closing. More: accepted ones are closed at once.
pub const CHANNELS_MAX: usize = LINKS_MAX + HALF_OPEN_MAX;
/// Most half-open handshakes. More: accepted channels are closed at once.
pub const HALF_OPEN_MAX: usize = 1_024;
/// Most configured peers to dial.
pub const DIALERS_MAX: usize = 1_024;
/// Default of accepted channels per second; twice as many in a burst. More: closed at once.
pub const ACCEPTS_PER_SEC: u32 = 50;
/// Sealed bytes handed to a channel and not yet written by it; sealing waits at this, so lanes keep their priority.
pub const CHANNEL_WINDOW: usize = 256 * 1_024;
/// Most frames waiting on the control lane of a link. More: the link is closed as too slow.
pub const LANE_CONTROL_FRAMES: usize = 16_384;
/// Most bytes waiting on the control lane of a link. More: the link is closed as too slow.
pub const LANE_CONTROL_BYTES: usize = 16 * 1_024 * 1_024;
/// Default of frames waiting on the data lane of a link. More: the oldest are dropped.
pub const LANE_DATA_FRAMES: usize = 16_384;
/// Most bytes waiting on the data lane of a link. More: the oldest are dropped.
pub const LANE_DATA_BYTES: usize = 64 * 1_024 * 1_024;
/// Most frames waiting on the bulk lane of a link. More: the newest is refused.
pub const LANE_BULK_FRAMES: usize = 1_024;
/// Most bytes waiting on the bulk lane of a link. More: the newest is refused.
pub const LANE_BULK_BYTES: usize = 64 * 1_024 * 1_024;
/// Default of the silence after which a link is pinged.
pub const HEARTBEAT: Duration = Duration::from_secs(1);
/// Default of the silence after which a link is given up.
pub const DEAD_AFTER: Duration = Duration::from_secs(10);
/// Default of the time a handshake may take.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Default of the time a dial may take, with every address of the name and the TLS handshake.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How much longer a node waits for the result of a dial: the substrate ends it in time, and knows better why it failed.
pub const DIAL_SLACK: Duration = Duration::from_millis(500);
/// Default of the first pause before dialling again.
pub const RECONNECT_INITIAL: Duration = Duration::from_millis(500);
/// Default of the longest pause before dialling again.
pub const RECONNECT_MAX: Duration = Duration::from_secs(30);
/// Default spread of the pauses, in thousandths of what is possible.
pub const RECONNECT_JITTER_PER_MILLE: u32 = 1_000;
/// How long a closing link may take to write its goodbye.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// What each waiting lane gets of a record at least, in bytes, so that a higher lane cannot shut out a lower one.
pub const LANE_SHARE: usize = RECORD_TARGET / 8;
/// Least piece of a frame that is cut to fill a record, in bytes. What would be shorter waits for the next record.
pub const PIECE_MIN: usize = 512;
/// Frames below this length, in bytes, wait on their lane as they will lie in a record. Never cut: a piece would be shorter
/// than [`PIECE_MIN`].
pub const STAGED_BELOW: usize = PIECE_MIN;
/// Most memory that a lane keeps for such frames while none waits, in bytes.
pub const STAGED_KEPT: usize = 8 * RECORD_TARGET;
/// Pings of one link whose answers are awaited. More: the oldest counts as lost.
pub const PINGS_OPEN_MAX: usize = 4;
/// Highest cost of a link, so that the cost of a path cannot overflow.
pub const LINK_COST_MAX: u32 = 1 << 24;
/// How long a link must have lasted for its peer to be dialled again within the first pause. Shorter: the pauses go on
/// growing.
pub const STABLE_AFTER: Duration = Duration::from_secs(10);
/// Most endpoints of one peer. More: the rest is ignored.
pub const ENDPOINTS_MAX: usize = 16;
/// Most channels remembered that were refused at once and have not ended yet. More: the oldest is forgotten.
pub const REFUSED_MAX: usize = CHANNELS_MAX;
/// Records sealed under one key before both sides move to the next (Noise rekey).
pub const RECORDS_PER_KEY: u64 = 1 << 20;
/// Most tokens that an accepting node tries on a handshake. More: the rest are not tried.
pub const PSKS_MAX: usize = 8;

// ---- identity

/// Most names pinned to keys. More: a new name takes the place of one that was not seen for [`PIN_IDLE`], and is refused if
/// there is none.
pub const PINS_MAX: usize = 65_536;
/// How long a name without a link keeps its pin when there is no room for another.
pub const PIN_IDLE: Duration = Duration::from_secs(24 * 3_600);

// ---- routing

/// Most nodes in the link-state database. More: new origins are refused.
pub const NODES_MAX: usize = 16_384;
/// Most neighbours in one advert. More: the advert is refused.
pub const NEIGHBOURS_MAX: usize = 1_024;
/// Most equal-cost first hops kept for one destination.
pub const MULTIPATH_MAX: usize = 4;
/// Default of links a frame may cross.
pub const HOPS_MAX: u8 = 16;
/// Least time between two adverts of one origin; changes in between are gathered.
pub const ADVERT_INTERVAL_MIN: Duration = Duration::from_millis(50);
/// Time after which an unchanged advert is sent anew.
pub const ADVERT_REFRESH: Duration = Duration::from_secs(300);
/// Age at which an advert is dropped.
pub const ADVERT_EXPIRY: Duration = Duration::from_secs(1_000);
/// Time for changes to gather before the shortest paths are computed anew.
pub const SPF_DELAY: Duration = Duration::from_millis(5);
/// Longest such time while changes keep coming.
pub const SPF_DELAY_MAX: Duration = Duration::from_secs(1);
/// Time between comparisons of link-state digests with a neighbour.
pub const ANTI_ENTROPY: Duration = Duration::from_secs(30);
/// Most bytes of an advert with its signature: what [`NEIGHBOURS_MAX`] neighbours need. More: refused, link closed.
pub const ADVERT_BYTES_MAX: usize = 256 + NEIGHBOURS_MAX * 13;
/// Most bytes of all adverts in the link-state database. More: new origins and longer adverts are refused.
pub const DATABASE_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Longest time between two adverts of one origin whose links keep changing.
pub const ADVERT_INTERVAL_MAX: Duration = Duration::from_secs(5);
/// Most bytes in the payload of a summary or a want. Longer ones are split; a longer one that arrives closes the link.
pub const SUMMARY_BODY_MAX: usize = 16 * 1_024;
/// Least time between two full summaries to one neighbour. Sooner: its digest is not answered.
pub const SUMMARY_INTERVAL_MIN: Duration = Duration::from_secs(5);
/// Adverts sent to one neighbour within one [`FLOOD_PACE`]. More: they wait, and only the newest of an origin is sent.
pub const FLOOD_FRAMES: usize = 512;
/// Bytes of adverts sent to one neighbour within one [`FLOOD_PACE`]; one advert may exceed it. More: they wait.
pub const FLOOD_BYTES: usize = 256 * 1_024;
/// Time over which [`FLOOD_FRAMES`] and [`FLOOD_BYTES`] are counted.
pub const FLOOD_PACE: Duration = Duration::from_millis(20);
/// Signatures that one neighbour may have checked per second, on the average. More: its adverts are dropped and counted,
/// and what they said comes with the next comparison. A mesh of [`NODES_MAX`] at rest has 55 new adverts a second.
pub const SIGNATURES_PER_SEC: u32 = 1_000;
/// Signatures that one neighbour may have checked at once: every advert of the largest mesh, twice. More: as above.
pub const SIGNATURES_BURST: u32 = 2 * NODES_MAX as u32;
/// Looks at adverts that one neighbour may cause per second, on the average, by summaries, wants, and questions for nodes.
/// More: they are dropped and counted, and the next comparison does what they were for.
pub const LOOKS_PER_SEC: u32 = 2 * NODES_MAX as u32;
/// Looks at adverts that one neighbour may cause at once: a few comparisons of the largest databases. More: as above.
pub const LOOKS_BURST: u32 = 8 * NODES_MAX as u32;
/// Frames for several links, adverts, digests and questions, that one call of the router sends. More: the rest goes out at
/// the next timeout, which is due at once, and every [`CALL_GAP`] after that.
pub const CALL_FRAMES: usize = 1_024;
/// Time between two timeouts that send what was too much for one.
pub const CALL_GAP: Duration = Duration::from_millis(1);
/// Most look-ups under way. More: answered at once as not found.
pub const LOOKUPS_MAX: usize = 1_024;
/// Most different nodes asked for within one [`FIND_INTERVAL`], and most questions that wait to be passed on. More: the
/// question is not passed on.
pub const FINDS_MAX: usize = 256;
/// Least time between two questions for the same node that are passed on.
pub const FIND_INTERVAL: Duration = Duration::from_secs(1);
/// Links that a question for a node crosses.
pub const FIND_HOPS: u8 = 3;
/// Least time between two reports that one name is used with another key.
pub const CONFLICT_INTERVAL: Duration = Duration::from_secs(60);
/// Most names with such a report within one [`CONFLICT_INTERVAL`]. More: counted only.
pub const CONFLICTS_MAX: usize = 256;

// ---- messages

/// Most messages of one sender to one receiver that are not answered yet. More: they wait at the sender.
pub const FLOW_WINDOW: usize = 4_096;
/// Most messages waiting or unanswered at a sender for one receiver. More: rejected as busy.
pub const FLOW_QUEUE_MESSAGES: usize = 65_536;
/// Most bytes waiting or unanswered at a sender for one receiver. More: rejected as busy.
pub const FLOW_QUEUE_BYTES: usize = 64 * 1_024 * 1_024;
/// Most receivers with something waiting or unanswered. More: rejected as busy.
pub const FLOWS_OUT_MAX: usize = 16_384;
/// Most senders remembered. More: what a new one sends is dropped, and it tries again; forgetting one early could let a
/// message in twice.
pub const FLOWS_IN_MAX: usize = 16_384;
/// Silence after which a flow without anything waiting is forgotten.
pub const FLOW_IDLE: Duration = Duration::from_secs(600);
/// Time between two looks for idle flows.
pub const FLOW_SWEEP: Duration = Duration::from_secs(60);
/// Most bytes of payload that one sender has transmitted to one receiver and that are not answered. More: they wait.
pub const FLOW_FLIGHT_BYTES: usize = 16 * 1_024 * 1_024;
/// Messages in flight that a flow begins with before it knows what the way carries. More: they wait.
pub const PACE_INITIAL: usize = 256;
/// Messages in flight that a flow falls back to when everything seems lost; also the most sent again per timeout.
pub const PACE_MIN: usize = 64;
/// The same when nothing was heard of those either. Few, since a lane that is full drops the oldest: of many sent at once
/// the first, for which the receiver waits, would be dropped each time.
pub const PACE_LEAST: usize = 4;
/// Most refused messages in one acknowledgement. More: the rest follows once the sender has seen these.
pub const REFUSALS_PER_ACK: usize = 64;
/// Default of the messages handed to the application for the node itself and not yet consumed by it. More: they wait, and
/// the sender's window closes. As many for all clients together: a mailbox that holds as many as are still free for all
/// refuses more as busy.
pub const INBOX_MESSAGES: usize = 65_536;
/// Bytes of such messages at which the next one waits, or is refused; one message may exceed it. Messages count as
/// consumed in the order in which they were handed over.
pub const INBOX_BYTES: usize = 256 * 1_024 * 1_024;
/// Messages that a client's mailbox may hold however full the others are, if they have no more than
/// [`MAILBOX_BYTES_MIN`]. More: its fair share counts.
pub const MAILBOX_MESSAGES_MIN: usize = 8;
/// Bytes that a client's mailbox may hold however full the others are. More: its fair share counts.
pub const MAILBOX_BYTES_MIN: usize = 4 * 1_024;
/// How long the node's own mailbox may stay full while messages wait for it. Longer: what waits, and what comes until
/// something is taken out, is refused as busy, so that it does not hold up what comes after it.
pub const INBOX_PATIENCE: Duration = Duration::from_secs(5);
/// Least messages that a sender of which nothing waits may have under way, however full the node's own mailbox is: they
/// may be for clients. More: they wait at the sender.
pub const INBOX_WINDOW_MIN: usize = 64;
/// Headers of parcels are cut from blocks of so many bytes. A header under way keeps the block that it lies in alive.
pub const HEAD_BLOCK: usize = 4 * 1_024;
/// Payloads up to this many bytes are copied when they have to wait, so that they do not keep a whole read alive.
pub const COPY_MAX: usize = RECORD_TARGET / 8;
/// Most bytes of messages, from all senders together, that arrived out of order or wait for room in the inbox. More: what
/// arrives is dropped, and its sender tries again.
pub const INBOX_WAITING_BYTES: usize = 256 * 1_024 * 1_024;
/// Longest time a message may take; a longer deadline is cut to it. What a receiver remembers of a sender
/// ([`FLOW_IDLE`]) must outlive every copy of a message.
pub const MESSAGE_DEADLINE_MAX: Duration = Duration::from_secs(300);
/// Default of the time a message may take.
pub const MESSAGE_DEADLINE: Duration = Duration::from_secs(10);
/// First retransmission timeout of a flow without a measured round trip: a relay whose routes are a little behind may have
/// dropped the first message. On a slower way one message is sent twice before its round trip is known.
pub const RETRY_INITIAL: Duration = Duration::from_millis(200);
/// Least retransmission timeout.
pub const RETRY_MIN: Duration = Duration::from_millis(50);
/// Longest retransmission timeout.
pub const RETRY_MAX: Duration = Duration::from_secs(5);
/// Longest client name, in bytes. Longer: there is no such client.
pub const CLIENT_NAME_MAX: usize = 64;
/// Most clients of a node. More: not registered, and messages for them are refused.
pub const CLIENTS_MAX: usize = 65_536;
/// Most receivers of one send to a list. More: rejected as busy.
pub const RECEIVERS_MAX: usize = 16_384;
/// Most sends to a list that are not answered yet. More: rejected as busy.
pub const LISTS_MAX: usize = 4_096;

// ---- parcels

/// Most bytes of a machine's part of a parcel's header. More: rejected as too large.
pub const PARCEL_HEAD_MAX: usize = 896;
/// The same for one frame that is for several nodes. More: a frame for each.
pub const CAST_HEAD_MAX: usize = 512;
/// Most receivers of one frame that is for several. More: further frames.
pub const CAST_NODES_MAX: usize = 20;
/// Pause before an answer or a receipt that the flow to another node did not take, because too much waits in it, is handed
/// to it again.
pub const UNSENT_PAUSE: Duration = Duration::from_millis(50);
/// Most such words that wait, of calls and of topics each. More: dropped, and who waits for them hears nothing before the
/// deadline.
pub const UNSENT_MAX: usize = 65_536;
/// Most of these for one node. More: dropped likewise.
pub const UNSENT_PER_NODE_MAX: usize = 32_768;
/// Most bytes of payload of these words. More: an answer's payload is let go, and the caller learns that it was lost.
pub const UNSENT_BYTES: usize = 64 * 1_024 * 1_024;

// ---- directory

/// Most bytes of offers in one piece of what a node tells another; one offer may exceed it. More: another piece.
pub const OFFER_PIECE_BYTES: usize = 32 * 1_024;
/// Pieces under way to one node. More: they wait for an outcome.
pub const OFFER_PIECES: usize = 4;
/// Time that one piece may take to a node. Longer: it counts as lost.
pub const OFFER_DEADLINE: Duration = Duration::from_secs(30);
/// Most commands that wait until every node knows something. More: rejected as busy.
pub const SETTLING_MAX: usize = 65_536;
/// Pause before a node is told, or asked, again after something was lost.
pub const OFFER_PAUSE: Duration = Duration::from_secs(1);

// ---- topics

/// Longest topic or pattern, in bytes. Longer: refused; dropped if it comes from another node.
pub const TOPIC_MAX: usize = 255;
/// Most tokens of a topic or pattern. More: like a longer one.
pub const TOPIC_TOKENS_MAX: usize = 16;
/// Longest name of a queue group, in bytes. Longer: refused.
pub const GROUP_NAME_MAX: usize = 64;
/// Most bytes of a publication's own headers. More: rejected as too large.
pub const PUBLICATION_HEADERS_MAX: usize = 16 * 1_024;
/// Most subscriptions of a node. More: rejected as busy.
pub const SUBSCRIPTIONS_MAX: usize = 2 * 1_024 * 1_024;
/// Most interests (pattern, group, node) that a node knows of. More: not taken in, and who has them does not get what they
/// ask for from here.
pub const INTERESTS_MAX: usize = 4 * 1_024 * 1_024;
/// Most interests of one node. More: like more than [`INTERESTS_MAX`].
pub const INTERESTS_PER_NODE_MAX: usize = 2 * 1_024 * 1_024;
/// Most nodes with interests. More: like more than [`INTERESTS_MAX`].
pub const OWNERS_MAX: usize = NODES_MAX;
/// Topics for which it is remembered who wants them. More: the later of two in one place.
pub const MATCH_SLOTS: usize = 4_096;
/// Most interests that are remembered for one of these topics. More: remembered for the last such topic only.
pub const MATCH_KEPT_MAX: usize = 1_024;
/// Most groups of other nodes that one topic is looked up for. More: nobody in them gets it; those with members here do.
pub const MATCH_GROUPS_MAX: usize = 1_024;
/// Default of the publications handed to a subscription and not yet consumed. More: they wait in its queue.
pub const SUBSCRIPTION_CREDIT: u32 = 256;
/// Default of the publications waiting for one subscription. More: its policy decides.
pub const SUBSCRIPTION_MESSAGES: usize = 4_096;
/// Default of the bytes waiting for one subscription. More: its policy decides.
pub const SUBSCRIPTION_BYTES: usize = 16 * 1_024 * 1_024;
/// What a waiting publication counts beside its bytes.
pub const PUBLICATION_OVERHEAD: usize = 128;
/// Least time between two reports that one subscription or one node is too slow.
pub const SLOW_INTERVAL: Duration = Duration::from_secs(10);
/// Members of a group that are asked for room for one publication. More: the one whose turn it is gets it.
pub const GROUP_MEMBERS_ASKED: usize = 64;
/// Nodes that are tried for one group and one publication. More: nobody in the group gets it.
pub const GROUP_TRIES: usize = 3;
/// How long a publication is kept, if nobody waits for its receipt, so that another node of a group can be tried.
pub const GROUP_RETRY: Duration = Duration::from_secs(2);
/// Most publications kept for that. More: the oldest cannot be tried again.
pub const GROUP_RETRY_MESSAGES: usize = 16_384;
/// Most bytes of publications kept so that another node of a group can be tried. More: the oldest without a receipt cannot
/// be tried again, then the newest.
pub const GROUP_RETRY_BYTES: usize = 64 * 1_024 * 1_024;
/// How long a node may be out of reach before its receipts are not waited for any longer.
pub const RECEIPT_LOST_AFTER: Duration = Duration::from_secs(5);
/// Most publications whose receipts are awaited. More: rejected as busy.
pub const RECEIPTS_MAX: usize = 65_536;
/// Most topics of which history is kept. More: the one that was used longest ago is forgotten.
pub const HISTORY_TOPICS: usize = 65_536;
/// Most bytes of all history. More: the topic that was used longest ago is forgotten.
pub const HISTORY_BYTES: usize = 256 * 1_024 * 1_024;
/// How much longer than its age a publication may be held; it is never replayed then.
pub const HISTORY_SWEEP: Duration = Duration::from_secs(1);
// ---- remote calls

/// Longest name of a service, in bytes. Longer: there is no such service.
pub const SERVICE_NAME_MAX: usize = 128;
/// Most bytes of what a provider says of its service: note, parameters and results together. More: not registered.
pub const SERVICE_META_MAX: usize = 8 * 1_024;
/// Most registrations of one node. More: not registered; an entry that another node announces beyond it is ignored.
pub const REGISTRATIONS_MAX: usize = 65_536;
/// Most providers known in the mesh. More: what is announced beyond it is ignored, so those cannot be chosen from here.
pub const PROVIDERS_MAX: usize = 262_144;
/// Default of the calls that a provider runs at once. More: they queue.
pub const SERVICE_CONCURRENCY: u32 = 64;
/// Most calls that a provider may ask to run at once; a larger wish is cut to it.
pub const SERVICE_CONCURRENCY_MAX: u32 = 16_384;
/// Default of the calls that wait for a provider that runs as many as it may. More: refused as overloaded.
pub const SERVICE_QUEUE: u32 = 256;
/// Most calls that a provider may ask to let wait; a larger wish is cut to it.
pub const SERVICE_QUEUE_MAX: u32 = 4_096;
/// Most bytes of payload of all calls that wait for providers of this node. More: refused as overloaded.
pub const SERVICE_QUEUE_BYTES: usize = 64 * 1_024 * 1_024;
/// Most calls of this node that are not completed. More: rejected as busy.
pub const CALLS_MAX: usize = 65_536;
/// Most calls of this node to one node that are not completed. More: rejected as busy.
pub const CALLS_PER_NODE_MAX: u32 = 16_384;
/// Most bytes of payload kept so that calls can be tried at another provider. More: the call is tried once.
pub const CALLS_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Most calls that this node runs or lets wait. More: refused as overloaded.
pub const INVOCATIONS_MAX: usize = 65_536;
/// Most calls of one node that this node runs or lets wait. More: refused as overloaded.
pub const INVOCATIONS_PER_NODE_MAX: u32 = 16_384;
/// Longest time a call may take; a longer deadline is cut to it.
pub const CALL_DEADLINE_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Most providers at which one call is tried. More: it completes with the last refusal.
pub const CALL_TRIES_MAX: u8 = 4;
/// Calls after which one more try at another provider is allowed: a tenth.
pub const CALLS_PER_RETRY: u32 = 10;
/// Most tries saved up. More: further calls save nothing.
pub const RETRIES_SAVED_MAX: u32 = 100;
/// How long a provider that refused is chosen last.
pub const REFUSED_COOL_DOWN: Duration = Duration::from_millis(100);
/// Time after which a provider first tells how far a call got; a quarter of the call's time, if that is less.
pub const CALL_STATUS_FIRST: Duration = Duration::from_millis(100);
/// Time between two such notes.
pub const CALL_STATUS_EVERY: Duration = Duration::from_secs(1);
/// How long a node may be out of reach before the calls to it are given up.
pub const CALL_LOST_AFTER: Duration = Duration::from_secs(5);
/// How long a handler that was told to stop keeps its place. Longer: the place is given to another call.
pub const HANDLER_STOP: Duration = Duration::from_secs(30);
/// Longest message of an application's error, in bytes. Longer: cut.
pub const CALL_ERROR_MESSAGE_MAX: usize = 512;
/// Items of a streaming reply that may be on their way or unread. More: the handler waits.
pub const STREAM_WINDOW_ITEMS: u32 = 64;
/// Bytes of a streaming reply that may be on their way or unread; one item may exceed it. More: the handler waits.
pub const STREAM_WINDOW_BYTES: u32 = 1_024 * 1_024;
/// Longest idempotency key, in bytes. Longer: there is no such key.
pub const IDEMPOTENCY_KEY_MAX: usize = 64;
/// How long the result of a call with an idempotency key is kept.
pub const IDEMPOTENCY_TTL: Duration = Duration::from_secs(600);
/// Most idempotency keys remembered. More: calls with a new key are refused as overloaded; forgetting one early could let
/// a call run twice.
pub const IDEMPOTENCY_KEYS_MAX: usize = 65_536;
/// Most bytes of results kept for idempotency keys. More: the result is not kept, and a repeated call learns that.
pub const IDEMPOTENCY_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Most calls that wait for one run with the same idempotency key. More: refused as overloaded.
pub const IDEMPOTENCY_JOINED_MAX: usize = 64;

// ---- node

/// Longest chain of hand-offs between machines that one input may cause, however wide: what the network sends decides the
/// width, and only the machines decide the length. Longer is a bug: an assertion fails.
pub const HAND_OFFS_PER_INPUT: usize = 64;
/// Rounds of due deadlines that one call of `handle_timeout` may take to settle. More is a bug: an assertion fails.
pub const SETTLE_ROUNDS: usize = 64;
/// Most inputs that one engine turn takes.
pub const INPUTS_PER_TURN: usize = 64;
/// Most rounds of due timers in one engine turn.
pub const TIMER_ROUNDS_PER_TURN: usize = 8;
/// Most hop traces and pings under way.
pub const TRACES_MAX: usize = 1_024;
/// Time after which a trace or ping ends without all answers.
pub const TRACE_TIMEOUT: Duration = Duration::from_secs(5);

const _: () = {
    assert!(RECORD_TARGET <= RECORD_MAX, "a record must be able to reach its target");
    assert!(RECORD_MAX + 16 <= 65_535, "a record with its tag must fit the length field");
    assert!(RECORD_TARGET + 2 * LANE_SHARE <= RECORD_MAX, "the shares of lower lanes must fit a record");
    assert!(STAGED_BELOW <= PIECE_MIN, "what is staged is never cut");
    assert!(PIECE_MIN < LANE_SHARE, "a share must have room for a piece");
    assert!(CHANNEL_WINDOW > 2 * RECORD_MAX, "the window must have room for records");
    assert!(PAYLOAD_HARD_MAX <= LANE_DATA_BYTES / 2, "a lane must be able to carry any payload");
    assert!(PAYLOAD_MAX <= PAYLOAD_HARD_MAX, "the default payload limit must be allowed");
    assert!(HEARTBEAT.as_millis() * 2 <= DEAD_AFTER.as_millis(), "one lost ping must not kill a link");
    assert!(ADVERT_REFRESH.as_secs() * 2 < ADVERT_EXPIRY.as_secs(), "one lost refresh must not expire an advert");
    assert!(FLOOD_PACE.as_millis() > 0, "pacing needs a window");
    assert!(NODES_MAX as u64 * 2 < SIGNATURES_PER_SEC as u64 * ADVERT_REFRESH.as_secs(), "refreshes are within budget");
    assert!(
        NODES_MAX as u64 * 4 < LOOKS_PER_SEC as u64 * SUMMARY_INTERVAL_MIN.as_secs(),
        "a full summary of each side and the wants that follow, as often as they may come, are within budget"
    );
    assert!(RETRY_MIN.as_millis() <= RETRY_INITIAL.as_millis(), "retries grow");
    assert!(
        MESSAGE_DEADLINE_MAX.as_secs() * 2 <= FLOW_IDLE.as_secs(),
        "a forgotten flow must have no copies under way"
    );
    assert!(MESSAGE_DEADLINE.as_secs() <= MESSAGE_DEADLINE_MAX.as_secs(), "the default deadline must be allowed");
    assert!(
        PACE_LEAST <= PACE_MIN && PACE_MIN <= PACE_INITIAL && PACE_INITIAL <= FLOW_WINDOW,
        "a flow begins within its bounds"
    );
    assert!(66 + 11 * REFUSALS_PER_ACK <= HEADER_MAX, "an acknowledgement must fit a header");
    assert!(66 + PARCEL_HEAD_MAX <= HEADER_MAX, "a parcel's header must fit");
    assert!(32 + 23 * CAST_NODES_MAX + CAST_HEAD_MAX <= HEADER_MAX, "a header for several must fit");
    assert!(CALLS_MAX <= 1 << 16 && INVOCATIONS_MAX <= 1 << 16, "the place of a call is 16 bits of its number");
    assert!(CALL_TRIES_MAX <= 4, "a try is two bits of what the transport is asked to report");
    assert!(
        SERVICE_NAME_MAX + 2 * CLIENT_NAME_MAX + IDEMPOTENCY_KEY_MAX + 64 <= HEADER_MAX / 2,
        "a request must leave room for the header around it"
    );
    assert!(CALL_ERROR_MESSAGE_MAX + 64 <= HEADER_MAX - 128, "an error must leave room for the header around it");
    assert!(FLOW_WINDOW <= FLOW_QUEUE_MESSAGES, "what is in flight is part of what waits");
    assert!(
        CLIENTS_MAX * MAILBOX_BYTES_MIN <= INBOX_BYTES,
        "what all mailboxes are guaranteed is no more than they share"
    );
    assert!(INBOX_WINDOW_MIN <= FLOW_WINDOW, "the least window is within the largest");
    assert!(INBOX_PATIENCE.as_millis() < MESSAGE_DEADLINE.as_millis(), "what waits behind must not expire meanwhile");
    assert!(
        64 + TOPIC_MAX + CLIENT_NAME_MAX <= HEADER_MAX / 2,
        "a publication leaves half a header to what carries it"
    );
    assert!(SUBSCRIPTIONS_MAX <= INTERESTS_PER_NODE_MAX, "others can know of every subscription");
};
