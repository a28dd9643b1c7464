//! The queue groups that anybody is in, under small numbers, and whose turn it is in each. Counted: a group that nobody is
//! in any more goes. Bounds: at most one for each interest.

use alloc::collections::BTreeMap;

use super::{pool::Pool, topic::Group};

/// Groups by number. See the module's first lines.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    slots: Pool<Option<Slot>>,
    by_name: BTreeMap<Group, u32>,
    /// What [`Groups::name`] answers for a number that is not in use.
    nobody: Group,
}

#[derive(Clone, Debug)]
struct Slot {
    name: Group,
    uses: u32,
    turn: u64,
}

impl Groups {
    /// None.
    pub(super) fn new() -> Self {
        Self { slots: Pool::new(), by_name: BTreeMap::new(), nobody: Group::nobody() }
    }

    /// The number of a group, if anybody is in it.
    pub(super) fn find(&self, group: &Group) -> Option<u32> {
        self.by_name.get(group).copied()
    }

    /// The number of a group, counted once more.
    pub(super) fn acquire(&mut self, group: &Group) -> u32 {
        if let Some(&number) = self.by_name.get(group) {
            if let Some(slot) = self.slots.get_mut(number) {
                slot.uses += 1;
            }
            return number;
        }
        let number = self.slots.insert(Some(Slot { name: group.clone(), uses: 1, turn: 0 }));
        self.by_name.insert(group.clone(), number);
        number
    }

    /// One use less; the last one takes the group out.
    pub(super) fn release(&mut self, number: u32) {
        let Some(slot) = self.slots.get_mut(number) else { return };
        slot.uses -= 1;
        if slot.uses == 0 {
            self.by_name.remove(&slot.name);
            self.slots.remove(number);
        }
    }

    /// The name of a group that is in use.
    pub(super) fn name(&self, number: u32) -> &Group {
        self.slots.get(number).as_ref().map_or(&self.nobody, |slot| &slot.name)
    }

    /// Whether nobody is in any.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty() && self.slots.len() == 0
    }

    /// Whose turn it is: one more every time.
    pub(super) fn turn(&mut self, number: u32) -> u64 {
        let Some(slot) = self.slots.get_mut(number) else { return 0 };
        slot.turn = slot.turn.wrapping_add(1);
        slot.turn
    }
}
