//! Every pattern of the mesh as a path in one tree, so that a topic is compared with all of them at once.
//!
//! A place in the tree is a token after the tokens above it. Its owner hangs a list on the place at which a pattern ends
//! ([`Place::head`]); a place with neither a list nor places below it goes. The text of a pattern is read off the tree, so
//! it is stored nowhere. Twenty-six bytes a place and a shared token, whatever the pattern's length.
//!
//! Matching walks the tree level by level, at most two places onward from each: it costs a few look-ups a token for the
//! usual topic, and never more steps than there are places.

use alloc::string::String;

use smallvec::SmallVec;

use super::{
    index::Index,
    pool::{NONE, Pool},
    tokens::Tokens,
    topic::{ANY, REST},
};

/// The number that stands for `*`.
const ANY_TOKEN: u32 = u32::MAX - 1;
/// The number that stands for `>`.
const REST_TOKEN: u32 = u32::MAX - 2;
/// The place above every first token.
const ROOT: u32 = 0;

/// The tree. See the module's first lines.
#[derive(Clone, Debug)]
pub(super) struct Trie {
    places: Pool<Place>,
    below: Index,
    tokens: Tokens,
}

/// One place in the tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    parent: u32,
    token: u32,
    /// How many places are below, and in the two highest bits whether `*` and `>` are among them.
    children: u32,
    /// What the owner hung here; [`NONE`] if nothing.
    pub(super) head: u32,
}

const HAS_ANY: u32 = 1 << 31;
const HAS_REST: u32 = 1 << 30;

const _: () = assert!(size_of::<Place>() == 16, "a place is small");

impl Default for Place {
    fn default() -> Self {
        Self { parent: NONE, token: NONE, children: 0, head: NONE }
    }
}

impl Trie {
    /// No patterns.
    pub(super) fn new(seed: u64) -> Self {
        let mut places = Pool::new();
        places.insert(Place::default());
        Self { places, below: Index::new(seed), tokens: Tokens::new(seed) }
    }

    /// The place of a pattern, made if it is not there. Without something hung on it, it must be [released](Self::release).
    pub(super) fn insert(&mut self, pattern: &str) -> u32 {
        pattern.split('.').fold(ROOT, |parent, text| {
            let known = self.number(text).and_then(|token| self.child(parent, token));
            known.unwrap_or_else(|| self.grow(parent, text))
        })
    }

    /// The place of a pattern, if it is there.
    pub(super) fn find(&self, pattern: &str) -> Option<u32> {
        pattern.split('.').try_fold(ROOT, |parent, text| self.child(parent, self.number(text)?))
    }

    /// The place of this number.
    #[inline]
    pub(super) fn place(&self, number: u32) -> &Place {
        self.places.get(number)
    }

    /// Hangs something on a place.
    pub(super) fn hang(&mut self, number: u32, head: u32) {
        self.places.get_mut(number).head = head;
    }

    /// Takes a place out if nothing hangs on it or is below it, and then those above it likewise.
    pub(super) fn release(&mut self, mut number: u32) {
        while number != ROOT {
            let Place { parent, token, children, head } = *self.places.get(number);
            if children != 0 || head != NONE {
                return;
            }
            let Self { places, below, tokens } = self;
            below.remove(below.hash(&(parent, token)), number, |number| key(places, number));
            places.remove(number);
            let above = places.get_mut(parent);
            above.children -= 1;
            match token {
                ANY_TOKEN => above.children &= !HAS_ANY,
                REST_TOKEN => above.children &= !HAS_REST,
                token => tokens.release(token),
            }
            number = parent;
        }
        if self.places.len() == 1 {
            // Gives back what the tree held at its largest.
            self.places = Pool::new();
            self.places.insert(Place::default());
        }
    }

    /// The text of the pattern that ends here.
    pub(super) fn text(&self, mut number: u32) -> String {
        let mut tokens: SmallVec<[&str; 16]> = SmallVec::new();
        while number != ROOT {
            let place = self.places.get(number);
            tokens.push(match place.token {
                ANY_TOKEN => ANY,
                REST_TOKEN => REST,
                token => self.tokens.text(token),
            });
            number = place.parent;
        }
        tokens.reverse();
        tokens.join(".")
    }

    /// Calls `found` with what hangs on every pattern that wants this topic, in an order that depends on the patterns
    /// and the topic only.
    #[inline]
    pub(super) fn matches(&self, topic: &str, mut found: impl FnMut(u32)) {
        let mut here: SmallVec<[u32; 32]> = SmallVec::new();
        let mut onward: SmallVec<[u32; 32]> = SmallVec::new();
        here.push(ROOT);
        for text in topic.split('.') {
            let token = self.tokens.find(text);
            for &number in &here {
                let children = self.places.get(number).children;
                if children == 0 {
                    continue;
                }
                if children & HAS_REST != 0
                    && let Some(rest) = self.child(number, REST_TOKEN)
                {
                    hung(self.places.get(rest), &mut found);
                }
                onward.extend(token.and_then(|token| self.child(number, token)));
                if children & HAS_ANY != 0 {
                    onward.extend(self.child(number, ANY_TOKEN));
                }
            }
            core::mem::swap(&mut here, &mut onward);
            onward.clear();
            if here.is_empty() {
                return;
            }
        }
        for &number in &here {
            hung(self.places.get(number), &mut found);
        }
    }

    /// Whether it holds nothing at all.
    #[cfg(test)]
    pub(super) fn is_bare(&self) -> bool {
        self.places.len() == 1 && self.places.get(ROOT).children == 0 && self.tokens.is_empty()
    }

    fn grow(&mut self, parent: u32, text: &str) -> u32 {
        let (token, flag) = match text {
            ANY => (ANY_TOKEN, HAS_ANY),
            REST => (REST_TOKEN, HAS_REST),
            text => (self.tokens.acquire(text), 0),
        };
        let above = self.places.get_mut(parent);
        above.children = (above.children + 1) | flag;
        let number = self.places.insert(Place { parent, token, ..Place::default() });
        let Self { places, below, .. } = self;
        below.insert(below.hash(&(parent, token)), number, |number| key(places, number));
        number
    }

    fn number(&self, text: &str) -> Option<u32> {
        match text {
            ANY => Some(ANY_TOKEN),
            REST => Some(REST_TOKEN),
            text => self.tokens.find(text),
        }
    }

    #[inline]
    fn child(&self, parent: u32, token: u32) -> Option<u32> {
        self.below.find(self.below.hash(&(parent, token)), |number| key(&self.places, number) == (parent, token))
    }
}

#[inline]
fn key(places: &Pool<Place>, number: u32) -> (u32, u32) {
    let place = places.get(number);
    (place.parent, place.token)
}

#[inline]
fn hung(place: &Place, found: &mut impl FnMut(u32)) {
    if place.head != NONE {
        found(place.head);
    }
}
