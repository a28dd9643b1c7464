//! Publishing and subscribing.

mod desk;
mod hub;
mod pacing;
mod press;
mod publisher;
mod subscriber;
mod subscription;

pub(crate) use desk::TopicDesk;
pub(crate) use pacing::Pacing;
pub(crate) use press::Press;
pub(crate) use subscriber::{Delivery, Registered};

pub use hub::{HubEvent, HubHandle, HubSubscription, SubscriptionHub};
pub use publisher::{PublishOptions, Publisher};
pub use subscription::{SubscribeOptions, Subscription};
