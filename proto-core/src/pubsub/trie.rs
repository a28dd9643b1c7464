//! Every pattern of the mesh as a path in one tree, so that a topic is compared with all of them at once.
//!
//! A place in the tree is a token after the tokens above it. Its owner hangs a list on the place at which a pattern ends
//! ([`Trie::hang`]); a place with neither a list nor places below it goes. What follows the last branch of a path is no row
//! of places but a *tail*, a text that many patterns share; it becomes places when another pattern branches off in it. The
//! text of a pattern is read off the tree, so it is stored nowhere.
//!
//! The places below one are its family. Up to [`SMALL`] hang together in a row; a larger family is found by hash. So a
//! look-up touches little memory, which is what it costs in a tree of a million places: 20 bytes each, ten more in a large
//! family.
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
/// The largest family that hangs in a row.
const SMALL: usize = 4;

/// The tree. See the module's first lines.
#[derive(Clone, Debug)]
pub(super) struct Trie {
    places: Pool<Place>,
    /// The members of large families.
    large: Index,
    tokens: Tokens,
}

/// One place in the tree.
#[derive(Clone, Copy, Debug)]
struct Place {
    parent: u32,
    token: u32,
    /// A [`Family`] in one number.
    family: u32,
    /// The next one of a small family.
    next: u32,
    /// What the owner hung here; [`NONE`] if nothing.
    head: u32,
}

const _: () = assert!(size_of::<Place>() == 20, "a place is small");

/// What is below a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// Nothing, or a row that begins here.
    Small(u32),
    /// The rest of the only pattern that leads here.
    Tail(u32),
    /// So many, found by hash.
    Large { count: u32, any: bool, rest: bool },
}

/// The kinds of a family, in the two highest bits; without either it is small.
const TAIL: u32 = 1 << 31;
const LARGE: u32 = 1 << 30;
/// Whether a large family has `*` and `>`.
const LARGE_ANY: u32 = 1 << 29;
const LARGE_REST: u32 = 1 << 28;
/// What is left for numbers.
const NUMBER: u32 = LARGE_REST - 1;

impl Family {
    const NOBODY: Self = Self::Small(NONE);

    #[inline]
    const fn unpack(family: u32) -> Self {
        if family & TAIL != 0 {
            Self::Tail(family & !TAIL)
        } else if family & LARGE != 0 {
            let (any, rest) = (family & LARGE_ANY != 0, family & LARGE_REST != 0);
            Self::Large { count: family & NUMBER, any, rest }
        } else if family == NUMBER {
            Self::NOBODY
        } else {
            Self::Small(family)
        }
    }

    const fn pack(self) -> u32 {
        match self {
            Self::Small(NONE) => NUMBER,
            Self::Small(first) => first,
            Self::Tail(tail) => TAIL | tail,
            Self::Large { count, any, rest } => {
                LARGE | if any { LARGE_ANY } else { 0 } | if rest { LARGE_REST } else { 0 } | count
            }
        }
    }
}

impl Default for Place {
    fn default() -> Self {
        Self { parent: NONE, token: NONE, family: Family::NOBODY.pack(), next: NONE, head: NONE }
    }
}

impl Trie {
    /// No patterns.
    pub(super) fn new(seed: u64) -> Self {
        let mut places = Pool::new();
        places.insert(Place::default());
        Self { places, large: Index::new(seed), tokens: Tokens::new(seed) }
    }

    /// The place of a pattern, made if it is not there. Without something hung on it, it must be [released](Self::release).
    pub(super) fn insert(&mut self, pattern: &str) -> u32 {
        let (mut number, mut rest) = (ROOT, Some(pattern));
        while let Some(text) = rest {
            let (token, after) = first(text);
            let Some(child) = self.child(number, token) else { return self.grow(number, token, after) };
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
            number = self.child(number, token)?;
            if let Some(tail) = self.tail(number) {
                return (after == Some(tail)).then_some(number);
            }
            rest = after;
        }
        Some(number)
    }

    /// What hangs on a place.
    #[inline]
    pub(super) fn hung(&self, number: u32) -> u32 {
        self.places.get(number).head
    }

    /// Hangs something on a place.
    pub(super) fn hang(&mut self, number: u32, head: u32) {
        self.places.get_mut(number).head = head;
    }

    /// Takes a place out if nothing hangs on it or is below it, and then those above it likewise.
    pub(super) fn release(&mut self, mut number: u32) {
        while number != ROOT {
            let Place { parent, token, family, head, .. } = *self.places.get(number);
            let family = Family::unpack(family);
            if head != NONE {
                return;
            }
            match family {
                Family::Tail(tail) => self.tokens.release(tail),
                Family::NOBODY => {}
                Family::Small(_) | Family::Large { .. } => return,
            }
            self.detach(number);
            self.places.remove(number);
            self.let_go(token);
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
            tokens.push(token_text(&self.tokens, place.token));
            number = place.parent;
        }
        tokens.reverse();
        tokens.join(".")
    }

    /// Calls `found` with what hangs on every pattern that wants this topic, in an order that depends on the patterns
    /// and the topic only.
    #[inline]
    pub(super) fn matches(&self, topic: &str, mut found: impl FnMut(u32)) {
        let mut found = |head| {
            if head != NONE {
                found(head);
            }
        };
        let mut here: SmallVec<[u32; 32]> = SmallVec::new();
        let mut onward: SmallVec<[u32; 32]> = SmallVec::new();
        here.push(ROOT);
        let mut rest = Some(topic);
        while let Some(text) = rest {
            let (token, after) = first(text);
            for &number in &here {
                let Place { family, head, .. } = *self.places.get(number);
                match Family::unpack(family) {
                    Family::Tail(tail) if wants(self.tokens.text(tail), text) => found(head),
                    Family::Tail(_) => {}
                    Family::Small(mut child) => {
                        while child != NONE {
                            let Place { token: one, next, head, .. } = *self.places.get(child);
                            match one {
                                REST_TOKEN => found(head),
                                ANY_TOKEN => onward.push(child),
                                one if self.tokens.is(one, token) => onward.push(child),
                                _ => {}
                            }
                            child = next;
                        }
                    }
                    Family::Large { any, rest, .. } => {
                        if rest && let Some(child) = self.find_large(number, REST) {
                            found(self.places.get(child).head);
                        }
                        onward.extend(self.find_large(number, token));
                        if any {
                            onward.extend(self.find_large(number, ANY));
                        }
                    }
                }
            }
            core::mem::swap(&mut here, &mut onward);
            onward.clear();
            rest = after.filter(|_| !here.is_empty());
        }
        for &number in &here {
            let Place { family, head, .. } = *self.places.get(number);
            if !matches!(Family::unpack(family), Family::Tail(_)) {
                found(head);
            }
        }
    }

    /// Whether it holds nothing at all.
    #[cfg(test)]
    pub(super) fn is_bare(&self) -> bool {
        let root = Family::unpack(self.places.get(ROOT).family);
        self.places.len() == 1 && root == Family::NOBODY && self.tokens.is_empty() && self.large.is_empty()
    }

    /// A new place below another, with what follows it as its tail.
    fn grow(&mut self, parent: u32, text: &str, tail: Option<&str>) -> u32 {
        let token = self.acquire(text);
        let family = self.tail_of(tail);
        let number = self.places.insert(Place { parent, token, family, ..Place::default() });
        self.attach(number);
        number
    }

    /// Puts a new place where one with a tail is, and that one below it, with what is left of its tail: its number stays,
    /// since others know it. Answers the new place.
    fn branch(&mut self, number: u32) -> u32 {
        let Place { parent, token, family, .. } = *self.places.get(number);
        let Family::Tail(tail) = Family::unpack(family) else { return number };
        self.detach(number);
        let between = self.places.insert(Place { parent, token, ..Place::default() });
        self.attach(between);
        let whole = String::from(self.tokens.text(tail));
        let (text, rest) = first(&whole);
        let (token, family) = (self.acquire(text), self.tail_of(rest));
        self.tokens.release(tail);
        let place = self.places.get_mut(number);
        (place.parent, place.token, place.family) = (between, token, family);
        self.attach(number);
        between
    }

    /// Makes a place one of its parent's family.
    fn attach(&mut self, number: u32) {
        let Place { parent, token, .. } = *self.places.get(number);
        let family = match Family::unpack(self.places.get(parent).family) {
            Family::Small(first) if self.row(first).count() < SMALL => {
                self.places.get_mut(number).next = first;
                Family::Small(number)
            }
            Family::Small(first) => {
                let row: SmallVec<[u32; SMALL]> = self.row(first).collect();
                self.enter(number);
                row.iter().for_each(|&child| self.enter(child));
                let has = |wild| token == wild || row.iter().any(|&child| self.places.get(child).token == wild);
                let count = u32::try_from(row.len() + 1).unwrap_or(NUMBER);
                Family::Large { count, any: has(ANY_TOKEN), rest: has(REST_TOKEN) }
            }
            Family::Large { count, any, rest } => {
                self.enter(number);
                Family::Large { count: count + 1, any: any || token == ANY_TOKEN, rest: rest || token == REST_TOKEN }
            }
            // Nothing grows below a place before it has branched.
            tail @ Family::Tail(_) => tail,
        };
        self.places.get_mut(parent).family = family.pack();
    }

    /// Takes a place out of its parent's family.
    fn detach(&mut self, number: u32) {
        let Place { parent, token, next, .. } = *self.places.get(number);
        let family = match Family::unpack(self.places.get(parent).family) {
            Family::Small(first) if first == number => Family::Small(next),
            Family::Small(first) => {
                let before = self.row(first).find(|&child| self.places.get(child).next == number);
                if let Some(before) = before {
                    self.places.get_mut(before).next = next;
                }
                Family::Small(first)
            }
            Family::Large { count, any, rest } => {
                let Self { places, large, tokens } = self;
                let hash = large.hash(&key(places, tokens, number));
                large.remove(hash, number, |number| key(places, tokens, number));
                let (any, rest) = (any && token != ANY_TOKEN, rest && token != REST_TOKEN);
                if count == 1 { Family::NOBODY } else { Family::Large { count: count - 1, any, rest } }
            }
            tail @ Family::Tail(_) => tail,
        };
        self.places.get_mut(parent).family = family.pack();
        self.places.get_mut(number).next = NONE;
    }

    /// Makes a member of a large family findable.
    fn enter(&mut self, number: u32) {
        let Self { places, large, tokens } = self;
        let hash = large.hash(&key(places, tokens, number));
        large.insert(hash, number, |number| key(places, tokens, number));
    }

    /// The row that begins with this place.
    fn row(&self, first: u32) -> impl Iterator<Item = u32> {
        let some = |number| (number != NONE).then_some(number);
        core::iter::successors(some(first), move |&number| some(self.places.get(number).next))
    }

    fn child(&self, parent: u32, text: &str) -> Option<u32> {
        match Family::unpack(self.places.get(parent).family) {
            Family::Small(first) => self.row(first).find(|&child| self.is(child, text)),
            Family::Large { .. } => self.find_large(parent, text),
            Family::Tail(_) => None,
        }
    }

    #[inline]
    fn find_large(&self, parent: u32, text: &str) -> Option<u32> {
        let hash = self.large.hash(&(parent, text));
        self.large.find(hash, |number| self.places.get(number).parent == parent && self.is(number, text))
    }

    /// Whether the token of a place is this one.
    #[inline]
    fn is(&self, number: u32, text: &str) -> bool {
        match self.places.get(number).token {
            ANY_TOKEN => text == ANY,
            REST_TOKEN => text == REST,
            token => self.tokens.is(token, text),
        }
    }

    /// What follows a place, if it is no row of places.
    fn tail(&self, number: u32) -> Option<&str> {
        match Family::unpack(self.places.get(number).family) {
            Family::Tail(tail) => Some(self.tokens.text(tail)),
            Family::Small(_) | Family::Large { .. } => None,
        }
    }

    fn tail_of(&mut self, tail: Option<&str>) -> u32 {
        tail.map_or(Family::NOBODY, |tail| Family::Tail(self.tokens.acquire(tail))).pack()
    }

    /// The number of a token, counted once more if it is an ordinary one.
    fn acquire(&mut self, text: &str) -> u32 {
        match text {
            ANY => ANY_TOKEN,
            REST => REST_TOKEN,
            text => self.tokens.acquire(text),
        }
    }

    /// One use less of a token, if it is an ordinary one.
    fn let_go(&mut self, token: u32) {
        if token != ANY_TOKEN && token != REST_TOKEN {
            self.tokens.release(token);
        }
    }
}

/// What a member of a large family is found by.
fn key<'a>(places: &Pool<Place>, tokens: &'a Tokens, number: u32) -> (u32, &'a str) {
    let place = places.get(number);
    (place.parent, token_text(tokens, place.token))
}

fn token_text(tokens: &Tokens, token: u32) -> &str {
    match token {
        ANY_TOKEN => ANY,
        REST_TOKEN => REST,
        token => tokens.text(token),
    }
}

/// The first token, and what follows it.
#[inline]
fn first(text: &str) -> (&str, Option<&str>) {
    text.split_once('.').map_or((text, None), |(token, rest)| (token, Some(rest)))
}
