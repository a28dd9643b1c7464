//! What `node why` tells.

use serde::{Deserialize, Serialize};

use super::Document;

documents! {
    /// Why something is as it is.
    WhyDoc = "firelink.why/v1" {
        /// What is so.
        claim: String,
        /// Why, in order of weight or of time.
        because: Vec<ReasonDoc>,
        /// What happened lately that has to do with it.
        evidence: Vec<EvidenceDoc>,
        /// What could be done.
        remedies: Vec<RemedyDoc>,
    }
    /// One reason.
    ReasonDoc = "firelink.reason/v1" {
        /// Whom or what it is about: a node, a pattern, a provider.
        about: String,
        /// `yes`: it speaks for what is wanted; `no`: against it; `note`: neither.
        sign: String,
        /// The reason, in words.
        text: String,
        /// When it was so, for what has a time.
        at: Option<String>,
    }
    /// Something that happened.
    EvidenceDoc = "firelink.evidence/v1" {
        /// Its number among the events.
        event: u64,
        /// When.
        at: String,
        /// The node it is about.
        node: Option<String>,
        /// It, in words.
        text: String,
    }
    /// Something that could be done.
    RemedyDoc = "firelink.remedy/v1" {
        /// What to do.
        action: String,
        /// What would come of it.
        effect: String,
    }
}
