//! Counters. Cheap enough for every frame; what a user must know of is an [`Event`](crate::node::Event) instead.

/// Declares the counters with their metric names.
macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What is counted. Grows with features; order carries no meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(usize)]
        pub enum Counter {
            $($(#[$doc])* $variant,)*
        }

        impl Counter {
            /// Every counter.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name it is exported by, without prefix and unit suffix.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

counters! {
    /// Channels that were accepted.
    Accepted = "link_accepts",
    /// Accepted channels that were refused at once: too many, or too fast.
    AcceptsRefused = "link_accepts_refused",
    /// Dials that were started.
    Dialled = "link_dials",
    /// Handshakes that failed, for whatever reason.
    HandshakesFailed = "link_handshakes_failed",
    /// Links that came up.
    LinksUp = "link_ups",
    /// Links that went down.
    LinksDown = "link_downs",
    /// Frames received on links that are up.
    FramesIn = "link_frames_in",
    /// Frames put on lanes.
    FramesOut = "link_frames_out",
    /// Frames put on control lanes; part of the frames put on lanes.
    ControlFramesOut = "link_control_frames_out",
    /// Bytes of frames put on control lanes, without what records and the transport add.
    ControlBytesOut = "link_control_bytes_out",
    /// Bytes received on channels.
    BytesIn = "link_bytes_in",
    /// Bytes written to channels.
    BytesOut = "link_bytes_out",
    /// Records sealed.
    RecordsOut = "link_records_out",
    /// Records opened.
    RecordsIn = "link_records_in",
    /// Frames of an unknown kind.
    UnknownKind = "link_frames_unknown",
    /// Frames forwarded for others.
    Forwarded = "route_forwarded",
    /// Frames dropped: no route.
    DroppedNoRoute = "route_dropped_no_route",
    /// Frames dropped: hop limit.
    DroppedHopLimit = "route_dropped_hop_limit",
    /// Frames dropped: the only way on was the way back.
    DroppedWouldReturn = "route_dropped_would_return",
    /// Frames dropped: transit is off.
    DroppedNoTransit = "route_dropped_no_transit",
    /// Frames dropped: lane full.
    DroppedQueueFull = "route_dropped_queue_full",
    /// End-to-end frames that could not be decoded.
    DroppedMalformed = "route_dropped_malformed",
    /// Adverts that this node originated.
    AdvertsOriginated = "route_adverts_originated",
    /// Adverts received and taken in.
    AdvertsAccepted = "route_adverts_accepted",
    /// Adverts received that were known already or older.
    AdvertsStale = "route_adverts_stale",
    /// Adverts refused: bad signature, key conflict, or malformed.
    AdvertsRefused = "route_adverts_refused",
    /// Adverts, summaries, wants and questions for nodes beyond what one neighbour may ask for, and dropped.
    OverBudget = "route_over_budget",
    /// Shortest-path computations.
    SpfRuns = "route_spf_runs",
    /// Messages sent by the application of this node.
    MessagesSent = "messages_sent",
    /// Messages handed to the application of this node.
    MessagesDelivered = "messages_delivered",
    /// Messages refused, at either end.
    MessagesRefused = "messages_refused",
    /// Messages whose outcome is unknown after their deadline.
    MessagesUnknown = "messages_unknown",
    /// Transmissions of messages beyond the first.
    MessagesRetransmitted = "messages_retransmitted",
    /// End-to-end frames of another life than their source's advert tells, or for another life of this node; dropped.
    OtherLife = "messages_other_life",
    /// Messages received again and dropped.
    MessagesDuplicate = "messages_duplicate",
    /// Parcels sent by the machines of this node to those of others.
    ParcelsSent = "parcels_sent",
    /// Parcels handed to the machines of this node.
    ParcelsDelivered = "parcels_delivered",
    /// Parcels refused, at either end.
    ParcelsRefused = "parcels_refused",
    /// Parcels whose outcome is unknown after their deadline.
    ParcelsUnknown = "parcels_unknown",
    /// Transmissions of parcels beyond the first.
    ParcelsRetransmitted = "parcels_retransmitted",
    /// Parcels received again and dropped.
    ParcelsDuplicate = "parcels_duplicate",
    /// Answers to calls and receipts of publications that could neither be sent nor kept.
    ParcelsUnsent = "parcels_unsent",
    /// Publications by the application of this node.
    Published = "topics_published",
    /// Publications that arrived from other nodes.
    PublicationsArrived = "topics_arrived",
    /// Publications handed to subscriptions; one for each subscription.
    PublicationsDelivered = "topics_delivered",
    /// Publications that a slow subscription did not get; one for each subscription.
    PublicationsDropped = "topics_dropped",
    /// Publications that a node did not get; one for each node.
    PublicationsLost = "topics_lost",
    /// Publications for which no member of a group was found; one for each group.
    GroupsUnserved = "topics_groups_unserved",
    /// Publications that arrived and nobody wants any more.
    PublicationsUnwanted = "topics_unwanted",
    /// Publications that arrived and could not be understood.
    PublicationsMalformed = "topics_malformed",
    /// Interests of other nodes that were not taken in.
    InterestsRefused = "topics_interests_refused",
    /// Subscriptions ended because they were too slow.
    SubscriptionsEnded = "topics_subscriptions_ended",
    /// Calls that the application of this node made.
    Calls = "rpc_calls",
    /// Calls that were tried at another provider.
    CallsRetried = "rpc_calls_retried",
    /// Calls that could have been tried at another provider, had there not been too many such tries.
    CallsNotRetried = "rpc_calls_not_retried",
    /// Calls that ended without a result or an error of the handler.
    CallsFailed = "rpc_calls_failed",
    /// Answers to calls that were over, or that came from somebody else than the one called.
    CallsLate = "rpc_answers_late",
    /// Calls that were handed to handlers of this node.
    Invocations = "rpc_invocations",
    /// Calls that providers of this node refused.
    InvocationsRefused = "rpc_invocations_refused",
    /// Calls that were over before a handler of this node had time for them.
    InvocationsExpired = "rpc_invocations_expired",
    /// Calls whose handler did not stop when told to; its place was given to another call.
    InvocationsAbandoned = "rpc_invocations_abandoned",
    /// Calls that were answered from the table of idempotency keys, or joined to one that ran.
    InvocationsRepeated = "rpc_invocations_repeated",
    /// Providers that were announced and not taken in: too many, or malformed.
    ProvidersRefused = "rpc_providers_refused",
    /// Messages of remote calls that could not be decoded, or made no sense.
    CallsMalformed = "rpc_malformed",
    /// Inputs that broke the contract of the core.
    Misuse = "misuse",
}

/// Where a machine counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    counts: [u64; Counter::ALL.len()],
}

impl Probe {
    /// All zero.
    #[must_use]
    pub const fn new() -> Self {
        Self { counts: [0; Counter::ALL.len()] }
    }

    /// Counts one.
    pub fn count(&mut self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Counts `amount`.
    pub fn add(&mut self, counter: Counter, amount: u64) {
        self.counts[counter as usize] += amount;
    }

    /// How often so far.
    #[must_use]
    pub const fn get(&self, counter: Counter) -> u64 {
        self.counts[counter as usize]
    }
}

impl Default for Probe {
    fn default() -> Self {
        Self::new()
    }
}
