//! Every pattern of the mesh as a path in one tree, so that a topic is compared with all of them at once.
//!
//! A place in the tree is a token after the tokens above it. Its owner hangs a list on the place at which a pattern ends
//! ([`Place::head`]); a place with neither a list nor places below it goes. What follows the last branch of a path is no
//! row of places but a *tail*, a text that many patterns share; it becomes places when another pattern branches off in it.
//! The text of a pattern is read off the tree, so it is stored nowhere. A place takes 26 bytes, and so does a token or tail
//! of up to eleven bytes.
//!
//! Matching walks the tree level by level, at most two places onward from each: it costs a few look-ups a token for the
//! usual topic, and never more steps than there are places.

use alloc::string::String;

use smallvec::SmallVec;

use super::{
    index::Index,
    pool::{NONE, Pool},
    tokens::Tokens,
    topic::{ANY, REST, wants},
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
    /// How many places are below, and in the highest bits whether `*` and `>` are among them; or, without any, the number of
    /// the tail that follows, and the bit that says so.
    children: u32,
    /// What the owner hung here; [`NONE`] if nothing.
    pub(super) head: u32,
}

const HAS_ANY: u32 = 1 << 31;
const HAS_REST: u32 = 1 << 30;
const HAS_TAIL: u32 = 1 << 29;

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
        let (mut number, mut rest) = (ROOT, Some(pattern));
        while let Some(text) = rest {
            let (token, after) = first(text);
            let known = self.number(token).and_then(|token| self.child(number, token));
            let Some(child) = known else { return self.grow(number, token, after) };
            let tail = self.tail(child);
            if tail.is_some() && tail == after {
                return child;
            }
            number = if tail.is_some() { self.branch(child) } else { child };
            rest = after;
        }
        number
    }

    /// The place of a pattern, if it is there.
    pub(super) fn find(&self, pattern: &str) -> Option<u32> {
        let (mut number, mut rest) = (ROOT, Some(pattern));
        while let Some(text) = rest {
            let (token, after) = first(text);
            number = self.child(number, self.number(token)?)?;
            if let Some(tail) = self.tail(number) {
                return (after == Some(tail)).then_some(number);
            }
            rest = after;
        }
        Some(number)
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
            let tail = children & HAS_TAIL != 0;
            if (children != 0 && !tail) || head != NONE {
                return;
            }
            if tail {
                self.tokens.release(children & !HAS_TAIL);
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
        tokens.extend(self.tail(number));
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
        let mut rest = Some(topic);
        while let Some(text) = rest {
            let (token, after) = first(text);
            let token = self.tokens.find(token);
            for &number in &here {
                let Place { children, head, .. } = *self.places.get(number);
                if children & HAS_TAIL != 0 {
                    if wants(self.tokens.text(children & !HAS_TAIL), text) {
                        hung(head, &mut found);
                    }
                    continue;
                }
                if children == 0 {
                    continue;
                }
                if children & HAS_REST != 0
                    && let Some(rest) = self.child(number, REST_TOKEN)
                {
                    hung(self.places.get(rest).head, &mut found);
                }
                onward.extend(token.and_then(|token| self.child(number, token)));
                if children & HAS_ANY != 0 {
                    onward.extend(self.child(number, ANY_TOKEN));
                }
            }
            core::mem::swap(&mut here, &mut onward);
            onward.clear();
            rest = after.filter(|_| !here.is_empty());
        }
        for &number in &here {
            let Place { children, head, .. } = *self.places.get(number);
            if children & HAS_TAIL == 0 {
                hung(head, &mut found);
            }
        }
    }

    /// Whether it holds nothing at all.
    #[cfg(test)]
    pub(super) fn is_bare(&self) -> bool {
        self.places.len() == 1 && self.places.get(ROOT).children == 0 && self.tokens.is_empty()
    }

    /// A new place below another, with what follows it as its tail.
    fn grow(&mut self, parent: u32, text: &str, tail: Option<&str>) -> u32 {
        let (token, flag) = self.acquire(text);
        let above = self.places.get_mut(parent);
        above.children = (above.children + 1) | flag;
        let children = tail.map_or(0, |tail| self.tokens.acquire(tail) | HAS_TAIL);
        let number = self.places.insert(Place { parent, token, children, head: NONE });
        self.enter(number);
        number
    }

    /// Puts a new place where one with a tail is, and that one below it, with what is left of its tail: its number stays,
    /// since others know it. Answers the new place.
    fn branch(&mut self, number: u32) -> u32 {
        let Place { parent, token, children, .. } = *self.places.get(number);
        let shared = children & !HAS_TAIL;
        let whole = String::from(self.tokens.text(shared));
        let (text, rest) = first(&whole);
        let (below, flag) = self.acquire(text);
        let left = rest.map_or(0, |tail| self.tokens.acquire(tail) | HAS_TAIL);
        self.tokens.release(shared);
        let Self { places, below: index, .. } = self;
        index.remove(index.hash(&(parent, token)), number, |number| key(places, number));
        let between = places.insert(Place { parent, token, children: 1 | flag, head: NONE });
        let place = places.get_mut(number);
        (place.parent, place.token, place.children) = (between, below, left);
        self.enter(between);
        self.enter(number);
        between
    }

    /// The number of a token, counted once more if it is an ordinary one, and what its parent has to remember of it.
    fn acquire(&mut self, text: &str) -> (u32, u32) {
        match text {
            ANY => (ANY_TOKEN, HAS_ANY),
            REST => (REST_TOKEN, HAS_REST),
            text => (self.tokens.acquire(text), 0),
        }
    }

    /// Makes a place findable below its parent.
    fn enter(&mut self, number: u32) {
        let Self { places, below, .. } = self;
        below.insert(below.hash(&key(places, number)), number, |number| key(places, number));
    }

    /// What follows a place, if it is no row of places.
    fn tail(&self, number: u32) -> Option<&str> {
        let children = self.places.get(number).children;
        (children & HAS_TAIL != 0).then(|| self.tokens.text(children & !HAS_TAIL))
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
fn hung(head: u32, found: &mut impl FnMut(u32)) {
    if head != NONE {
        found(head);
    }
}

/// The first token, and what follows it.
#[inline]
fn first(text: &str) -> (&str, Option<&str>) {
    text.split_once('.').map_or((text, None), |(token, rest)| (token, Some(rest)))
}
