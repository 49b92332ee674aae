//! Places for questions, shared out fairly between callers.
//!
//! - A caller holds at most half of all places, and the waiting caller who used the least comes next: what a caller uses is the time
//!   that its questions hold places, of which half is forgotten after half a minute.
//! - A question is long after a second. Long questions keep their places while nobody waits for one. When others do, at most half of
//!   the places are left to long questions, and the one whose caller used the most is ended first.
//!
//! So neither one caller nor many with long questions keep out those who ask short ones.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sluice_lake::serve::ServeError;
use tokio::sync::oneshot;

/// Questions that are worked on at once. Each takes a process, and up to its share of the memory.
pub(super) const PLACES: usize = 8;
/// Places that one caller may hold, and places that long questions may hold when others wait.
const HALF: usize = PLACES / 2;
/// Questions of one caller that wait; each takes some kB, for at most the 25 s that an answer may take.
const MAX_WAITING: usize = 32;
/// From when on a question is long.
pub(super) const LONG: Duration = Duration::from_secs(1);
/// Half of what a caller has used is forgotten after so long.
const FORGOTTEN_BY_HALF: Duration = Duration::from_secs(30);
/// Less use than this counts as no use.
const FORGOTTEN: f64 = 0.001;

/// Number of a question.
type Ticket = u64;

/// What becomes of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    /// It gets a place.
    Granted(Ticket),
    /// It must give its place up.
    Displaced(Ticket),
}

/// A question that has a place.
#[derive(Debug)]
struct Holder {
    ticket: Ticket,
    caller: String,
    since: Duration,
    is_displaced: bool,
}

/// What a caller has used, in seconds, as of a time.
#[derive(Debug, Clone, Copy, Default)]
struct Use {
    seconds: f64,
    at: Duration,
}

impl Use {
    fn as_of(self, now: Duration) -> f64 {
        let halves = now.saturating_sub(self.at).as_secs_f64() / FORGOTTEN_BY_HALF.as_secs_f64();
        self.seconds * 0.5_f64.powf(halves)
    }
}

/// Who waits, who has a place and who has used how much. Times are counted from a common beginning.
#[derive(Debug, Default)]
struct Shares {
    waiting: VecDeque<(Ticket, String)>,
    holders: Vec<Holder>,
    used: HashMap<String, Use>,
    last: Ticket,
}

impl Shares {
    /// A question of this caller begins to wait; none when too many of them do.
    fn ask(&mut self, caller: &str) -> Option<Ticket> {
        if self.waiting.iter().filter(|(_, waits)| waits == caller).count() >= MAX_WAITING {
            return None;
        }
        self.last += 1;
        self.waiting.push_back((self.last, caller.to_owned()));
        Some(self.last)
    }

    /// A question ends, whether it still waits or has a place.
    fn leave(&mut self, ticket: Ticket, now: Duration) {
        self.waiting.retain(|(waits, _)| *waits != ticket);
        let Some(index) = self.holders.iter().position(|holder| holder.ticket == ticket) else { return };
        let holder = self.holders.swap_remove(index);
        let used = self.used.entry(holder.caller).or_default();
        *used = Use { seconds: used.as_of(now) + now.saturating_sub(holder.since).as_secs_f64(), at: now };
        self.used.retain(|_, used| used.as_of(now) > FORGOTTEN);
    }

    /// What the caller has used, with what its questions hold now.
    fn use_of(&self, caller: &str, now: Duration) -> f64 {
        let past = self.used.get(caller).map_or(0.0, |used| used.as_of(now));
        let held = self.holders.iter().filter(|holder| holder.caller == caller);
        past + held.map(|holder| now.saturating_sub(holder.since).as_secs_f64()).sum::<f64>()
    }

    /// Whether a caller may have another place.
    fn may_hold(&self, caller: &str) -> bool {
        self.holders.iter().filter(|holder| holder.caller == caller).count() < HALF
    }

    /// Gives out places that are free, and takes back places of long questions that others wait for.
    fn settle(&mut self, now: Duration) -> Vec<Call> {
        let mut calls = Vec::new();
        while self.holders.len() < PLACES
            && let Some(index) = self.next(now)
            && let Some((ticket, caller)) = self.waiting.remove(index)
        {
            self.holders.push(Holder { ticket, caller, since: now, is_displaced: false });
            calls.push(Call::Granted(ticket));
        }
        let wanted = self.waiting.iter().filter(|(_, caller)| self.may_hold(caller)).count();
        let leaving = self.holders.iter().filter(|holder| holder.is_displaced).count();
        for _ in leaving..wanted {
            let Some(index) = self.most_dispensable(now) else { break };
            let Some(holder) = self.holders.get_mut(index) else { break };
            holder.is_displaced = true;
            calls.push(Call::Displaced(holder.ticket));
        }
        calls
    }

    /// The question that waits to be next: of the caller who used the least, the oldest.
    fn next(&self, now: Duration) -> Option<usize> {
        let may = self.waiting.iter().enumerate().filter(|(_, (_, caller))| self.may_hold(caller));
        let used = may.map(|(index, (_, caller))| (index, self.use_of(caller, now)));
        used.reduce(|least, one| if one.1 < least.1 { one } else { least }).map(|(index, _)| index)
    }

    /// The long question to end first, when there are more than long ones may have places.
    fn most_dispensable(&self, now: Duration) -> Option<usize> {
        let is_long = |holder: &Holder| !holder.is_displaced && now.saturating_sub(holder.since) >= LONG;
        let long = self.holders.iter().enumerate().filter(|(_, holder)| is_long(holder));
        let used: Vec<(usize, f64)> = long.map(|(index, holder)| (index, self.use_of(&holder.caller, now))).collect();
        if used.len() <= HALF {
            return None;
        }
        used.into_iter().reduce(|most, one| if one.1 > most.1 { one } else { most }).map(|(index, _)| index)
    }
}

/// How a question learns what becomes of it.
#[derive(Debug)]
struct Bells {
    granted: Option<oneshot::Sender<()>>,
    displaced: Option<oneshot::Sender<()>>,
}

#[derive(Debug)]
struct Desk {
    began: Instant,
    shares: Shares,
    bells: HashMap<Ticket, Bells>,
}

impl Desk {
    fn settle(&mut self) {
        for call in self.shares.settle(self.began.elapsed()) {
            let bell = match call {
                Call::Granted(ticket) => self.bells.get_mut(&ticket).and_then(|bells| bells.granted.take()),
                Call::Displaced(ticket) => self.bells.get_mut(&ticket).and_then(|bells| bells.displaced.take()),
            };
            // Whoever does not listen any more is about to leave.
            let _ = bell.map(|bell| bell.send(()));
        }
    }
}

/// The places. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Mutex<Desk>>);

/// A place, or the right to wait for one; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    ticket: Ticket,
}

/// Says when a place must be given up.
#[derive(Debug)]
pub(super) struct Displaced(oneshot::Receiver<()>);

impl Places {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Desk { began: Instant::now(), shares: Shares::default(), bells: HashMap::new() })))
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Every change is complete before the lock is released, even if the thread panics afterwards.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// [`ServeError::TooBusy`] when too many questions of this caller wait.
    pub(super) async fn take(&self, caller: &str) -> Result<(Place, Displaced), ServeError> {
        let (grant, granted) = oneshot::channel();
        let (displace, displaced) = oneshot::channel();
        let place = {
            let mut desk = self.desk();
            let ticket = desk.shares.ask(caller).ok_or(ServeError::TooBusy)?;
            desk.bells.insert(ticket, Bells { granted: Some(grant), displaced: Some(displace) });
            let place = Place { places: self.clone(), ticket };
            desk.settle();
            place
        };
        granted.await.map_err(|_| ServeError::TooBusy)?;
        Ok((place, Displaced(displaced)))
    }

    /// How many questions have a place, and how many wait for one.
    pub(super) fn counts(&self) -> (usize, usize) {
        let desk = self.desk();
        (desk.shares.holders.len(), desk.shares.waiting.len())
    }

    /// Shares the places out again, as when a question has become long.
    pub(super) fn settle(&self) {
        self.desk().settle();
    }
}

impl Displaced {
    /// Waits until the place must be given up.
    pub(super) async fn called(&mut self) {
        if (&mut self.0).await.is_err() {
            // The places are gone, so nobody will call.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut desk = self.places.desk();
        let now = desk.began.elapsed();
        desk.shares.leave(self.ticket, now);
        desk.bells.remove(&self.ticket);
        desk.settle();
    }
}

#[cfg(test)]
mod tests;
