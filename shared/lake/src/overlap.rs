//! Work of two threads at the same time: one makes the items that the other takes, or each does its own.

use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::thread;

use tokio::runtime::Handle;

/// What the producer gets when the consumer has stopped; only the consumer knows why.
#[derive(Debug, thiserror::Error)]
#[error("the consumer took no more")]
pub(crate) struct Stopped;

/// Runs `produce` on a thread of its own and `take` on this one, which gets the items in their order.
///
/// Nothing is queued: one item is taken while the next one is made, and no third exists, so memory grows by one item.
/// The consumer may use the runtime of this thread; the producer may not.
///
/// # Errors
/// The consumer's first error, otherwise the producer's. A panic of the producer goes on here.
pub(crate) fn overlapped<T: Send, P: Send, ProducerError: Send, Error: From<ProducerError>>(
    produce: impl FnOnce(&mut dyn FnMut(T) -> Result<(), Stopped>) -> Result<P, ProducerError> + Send,
    mut take: impl FnMut(T) -> Result<(), Error>,
) -> Result<P, Error> {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(0);
        let producer = scope.spawn(move || produce(&mut |item| sender.send(item).map_err(|_| Stopped)));
        let taken = receiver.iter().try_for_each(&mut take);
        // A producer that waits to hand over the next item must not wait for ever.
        drop(receiver);
        let produced = producer.join().unwrap_or_else(|panic| resume_unwind(panic));
        taken?;
        Ok(produced?)
    })
}

/// Does `first` on a thread of its own and `second` on this one. Both may use the runtime of this thread, which must be
/// one that may block.
///
/// # Errors
/// The error of `first`, otherwise that of `second`. A panic of `first` goes on here.
pub(crate) fn both<Error: Send>(
    first: impl FnOnce() -> Result<(), Error> + Send,
    second: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    let runtime = Handle::current();
    thread::scope(|scope| {
        let thread = scope.spawn(move || {
            let _entered = runtime.enter();
            first()
        });
        let second = second();
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        second
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Fault(&'static str);

    /// Produces 0 to 9 with an error after `produce_until`, takes until `take_until`.
    fn check(produce_until: u32, take_until: u32, expected: Result<u32, &'static str>, taken_items: u32) {
        let mut taken = Vec::new();
        let made = AtomicU32::new(0);
        let result = overlapped(
            |put| {
                for item in 0..10 {
                    if item == produce_until {
                        return Err(Fault("producer"));
                    }
                    made.store(item + 1, Ordering::Relaxed);
                    if put(item).is_err() {
                        return Err(Fault("stopped"));
                    }
                }
                Ok(10)
            },
            |item| {
                if item == take_until {
                    return Err(Fault("consumer"));
                }
                taken.push(item);
                Ok(())
            },
        );
        assert_eq!(result, expected.map_err(Fault));
        assert_eq!(taken, (0..taken_items).collect::<Vec<u32>>());
        assert!(made.into_inner() <= taken_items + 2, "the producer runs ahead");
    }

    #[test]
    fn items_come_in_order_and_errors_come_out() {
        check(99, 99, Ok(10), 10);
        check(5, 99, Err("producer"), 5);
        check(0, 99, Err("producer"), 0);
        check(99, 4, Err("consumer"), 4);
        check(99, 0, Err("consumer"), 0);
        // What stopped the consumer is the cause; that the producer then failed, too, is not.
        check(5, 4, Err("consumer"), 4);
    }

    #[test]
    #[should_panic(expected = "in the producer")]
    fn a_panic_is_not_lost() {
        let _: Result<(), Fault> = overlapped(
            |put| {
                put(1).map_err(|_| Fault("stopped"))?;
                panic!("in the producer");
            },
            |_| Ok(()),
        );
    }

    #[test]
    fn of_two_faults_the_first_comes_out() {
        let runtime = tokio::runtime::Runtime::new().expect("runtime");
        let _entered = runtime.enter();
        let check = |first: Result<(), Fault>, second: Result<(), Fault>, expected: Result<(), Fault>| {
            let mut done = (false, false);
            let both = both(
                || {
                    // What uploads a file needs a runtime.
                    Handle::current().block_on(async { done.0 = true });
                    first
                },
                || {
                    done.1 = true;
                    second
                },
            );
            assert_eq!(both, expected);
            assert_eq!(done, (true, true));
        };
        check(Ok(()), Ok(()), Ok(()));
        check(Err(Fault("first")), Ok(()), Err(Fault("first")));
        check(Ok(()), Err(Fault("second")), Err(Fault("second")));
        check(Err(Fault("first")), Err(Fault("second")), Err(Fault("first")));
    }

    #[test]
    #[should_panic(expected = "in the first")]
    fn a_panic_of_the_first_is_not_lost() {
        let runtime = tokio::runtime::Runtime::new().expect("runtime");
        let _entered = runtime.enter();
        let _: Result<(), Fault> = both(|| panic!("in the first"), || Ok(()));
    }
}
