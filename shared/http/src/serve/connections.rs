//! Which connections are open, and which of them is closed for a new one.
//!
//! A connection is busy from the complete head of a request until the answer is known, and until it is sent if it
//! counts among those of its caller. All others are idle: they have not asked yet, or not again, or they are sent what
//! anybody may have any number of. Idle ones cost their callers nothing, so they keep nobody out: when all places are
//! taken, the one that has been idle for longest is closed for the new one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

/// The connections of a server. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    open: Mutex<Open>,
    /// Rings when a place may have become free.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Open {
    connections: HashMap<u64, Connection>,
    /// Counts what happens: connections have numbers from it, and the order in which they became idle.
    events: u64,
}

#[derive(Debug)]
struct Connection {
    /// Requests that are being answered.
    busy: usize,
    /// When it became idle.
    idle_since: u64,
    close: oneshot::Sender<()>,
}

/// The place of a connection; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    connections: Connections,
    number: u64,
}

/// A request that is being answered; dropped when it is.
#[derive(Debug)]
pub(super) struct Busy {
    connections: Connections,
    number: u64,
}

impl Open {
    fn event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    /// Closes the connection that has been idle for longest. False when all are busy.
    fn close_one(&mut self) -> bool {
        let idle = self.connections.iter().filter(|(_, connection)| connection.busy == 0);
        let oldest = idle.min_by_key(|(_, connection)| connection.idle_since).map(|(number, _)| *number);
        let Some(connection) = oldest.and_then(|number| self.connections.remove(&number)) else { return false };
        // A connection that does not listen any more has ended.
        let _ = connection.close.send(());
        true
    }
}

impl Connections {
    /// At most so many.
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Shared { most, open: Mutex::default(), freed: Notify::new() }))
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // Every change is complete before the lock is released.
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection, and what says that it must end. Waits while all others are busy.
    pub(super) async fn place(&self) -> (Place, oneshot::Receiver<()>) {
        loop {
            if let Some(place) = self.free_place() {
                return place;
            }
            self.0.freed.notified().await;
        }
    }

    fn free_place(&self) -> Option<(Place, oneshot::Receiver<()>)> {
        let mut open = self.open();
        if open.connections.len() >= self.0.most && !open.close_one() {
            return None;
        }
        let (close, closed) = oneshot::channel();
        let number = open.event();
        open.connections.insert(number, Connection { busy: 0, idle_since: number, close });
        Some((Place { connections: self.clone(), number }, closed))
    }
}

impl Place {
    /// A request has come. Its connection is busy until what this returns is dropped.
    pub(super) fn busy(&self) -> Busy {
        if let Some(connection) = self.connections.open().connections.get_mut(&self.number) {
            connection.busy += 1;
        }
        Busy { connections: self.connections.clone(), number: self.number }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().connections.remove(&self.number);
        self.connections.0.freed.notify_one();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        let now = open.event();
        if let Some(connection) = open.connections.get_mut(&self.number) {
            connection.busy = connection.busy.saturating_sub(1);
            connection.idle_since = now;
        }
        drop(open);
        self.connections.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn the_connection_that_was_idle_for_longest_makes_room() {
        let connections = Connections::new(3);
        let (first, mut first_closed) = connections.place().await;
        let (_second, mut second_closed) = connections.place().await;
        let (third, mut third_closed) = connections.place().await;
        // The first is idle again, and the last is busy.
        drop(first.busy());
        let busy = third.busy();
        let _fourth = connections.place().await;
        assert!(second_closed.try_recv().is_ok(), "the second has been silent since it came");
        assert!(first_closed.try_recv().is_err() && third_closed.try_recv().is_err());
        drop(busy);
    }

    #[tokio::test]
    async fn busy_connections_stay_and_new_ones_wait_for_them() {
        let connections = Connections::new(1);
        let (place, mut closed) = connections.place().await;
        let busy = place.busy();
        assert!(timeout(SOON, connections.place()).await.is_err(), "the only place is busy");
        assert!(closed.try_recv().is_err());
        drop(busy);
        let next = timeout(SOON, connections.place()).await.expect("a place");
        assert!(closed.try_recv().is_ok(), "it was closed for the next");
        drop(place);
        assert_eq!(connections.open().connections.len(), 1, "the next has its place");
        drop(next);
        assert_eq!(connections.open().connections.len(), 0);
    }
}
