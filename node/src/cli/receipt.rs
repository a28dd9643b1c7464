//! What became of a message, for people.

use super::output::table;
use crate::control::{Receipt, Receipts};

/// One line for one receiver.
pub(super) fn line(receipt: &Receipt) -> String {
    match &receipt.detail {
        Some(detail) => format!("{} {}: {detail}", receipt.outcome, receipt.id),
        None => format!("{} {}", receipt.outcome, receipt.id),
    }
}

/// A line for each receiver, and the sum.
pub(super) fn lines(receipts: &Receipts) -> String {
    let rows = receipts
        .receipts
        .iter()
        .map(|receipt| [receipt.id.clone(), receipt.outcome.clone(), receipt.detail.clone().unwrap_or_default()]);
    format!("{}{} of {} have it", table(["ID", "OUTCOME", ""], rows), receipts.delivered, receipts.total)
}
