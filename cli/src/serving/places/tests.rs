use std::collections::BTreeMap;

use super::*;

/// A shop with one clock: callers ask, and the test says what each question takes.
#[derive(Default)]
struct Shop {
    shares: Shares,
    now: Duration,
    callers: BTreeMap<Ticket, &'static str>,
    granted: Vec<Ticket>,
    displaced: Vec<Ticket>,
}

impl Shop {
    fn ask(&mut self, caller: &'static str) -> Ticket {
        let ticket = self.shares.ask(caller).expect("a question may wait");
        self.callers.insert(ticket, caller);
        self.settle();
        ticket
    }

    fn leave(&mut self, ticket: Ticket) {
        self.shares.leave(ticket, self.now);
        self.settle();
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.settle();
    }

    fn settle(&mut self) {
        for call in self.shares.settle(self.now) {
            match call {
                Call::Granted(ticket) => self.granted.push(ticket),
                Call::Displaced(ticket) => self.displaced.push(ticket),
            }
        }
    }

    /// Who has places.
    fn holders(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for holder in &self.shares.holders {
            *counts.entry(holder.caller.as_str()).or_default() += 1;
        }
        counts
    }
}

#[test]
fn one_caller_holds_half_of_the_places_at_most() {
    let mut shop = Shop::default();
    let greedy: Vec<Ticket> = (0..20).map(|_| shop.ask("greedy")).collect();
    assert_eq!(shop.holders(), BTreeMap::from([("greedy", HALF)]));
    let other = shop.ask("other");
    assert!(shop.granted.contains(&other));
    shop.leave(greedy[0]);
    assert_eq!(shop.holders(), BTreeMap::from([("greedy", HALF), ("other", 1)]));
}

#[test]
fn so_many_questions_of_a_caller_wait_and_no_more() {
    let mut shop = Shop::default();
    for _ in 0..HALF + MAX_WAITING {
        shop.ask("greedy");
    }
    assert_eq!(shop.shares.ask("greedy"), None);
    let other = shop.ask("other");
    assert!(shop.granted.contains(&other));
}

#[test]
fn who_used_the_least_comes_next() {
    let mut shop = Shop::default();
    let callers = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let first: Vec<Ticket> = callers.iter().map(|caller| shop.ask(caller)).collect();
    let (heavy, light) = (shop.ask("a"), shop.ask("new"));
    shop.wait(LONG / 2);
    shop.leave(first[7]);
    assert!(shop.granted.contains(&light) && !shop.granted.contains(&heavy), "the first to wait is not the next");
    shop.leave(first[0]);
    assert!(shop.granted.contains(&heavy), "who used more comes, too");
    // What was used is forgotten.
    shop.leave(heavy);
    shop.wait(FORGOTTEN_BY_HALF * 20);
    shop.leave(first[1]);
    assert!(!shop.shares.used.contains_key("a"), "{:?}", shop.shares.used);
}

#[test]
fn long_questions_keep_their_places_until_others_wait() {
    let mut shop = Shop::default();
    let attackers = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let long: Vec<Ticket> = attackers.iter().map(|caller| shop.ask(caller)).collect();
    shop.wait(LONG * 10);
    assert_eq!(shop.displaced, Vec::<Ticket>::new(), "nobody waits");
    let waiting: Vec<Ticket> = (0..20).map(|_| shop.ask("patient")).collect();
    assert_eq!(shop.displaced.len(), HALF, "half of the places are left to long questions");
    for ticket in shop.displaced.clone() {
        assert!(long.contains(&ticket));
        shop.leave(ticket);
    }
    assert_eq!(shop.holders().get("patient"), Some(&HALF));
    shop.wait(LONG / 2);
    // Long questions that came back wait behind those who used less.
    let again = shop.ask("a");
    let other = shop.ask("other");
    shop.leave(waiting[0]);
    assert!(shop.granted.contains(&other) && !shop.granted.contains(&again));
}

#[test]
fn a_question_that_is_not_long_yet_is_not_ended() {
    let mut shop = Shop::default();
    for caller in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        shop.ask(caller);
    }
    shop.ask("other");
    shop.wait(LONG / 2);
    assert_eq!(shop.displaced, Vec::<Ticket>::new());
    shop.wait(LONG / 2);
    assert_eq!(shop.displaced.len(), 1, "as many as wait");
}

/// Eight callers ask for as long as they can, a hundred and ninety-two ask short questions, all without a pause: what the short ones
/// get in a minute, compared with a minute without the eight.
#[test]
fn short_questions_are_answered_as_well_among_attackers() {
    const SHORT: Duration = Duration::from_millis(50);
    let names: Vec<&'static str> = (0..200).map(|number| &*format!("caller-{number}").leak()).collect();
    let answered = |attackers: usize| {
        let mut shop = Shop::default();
        for name in &names {
            shop.ask(name);
        }
        let mut answered = 0_u32;
        while shop.now < Duration::from_secs(60) {
            shop.wait(SHORT);
            let holders: Vec<(Ticket, &'static str, bool, Duration)> = shop
                .shares
                .holders
                .iter()
                .map(|holder| (holder.ticket, shop.callers[&holder.ticket], holder.is_displaced, holder.since))
                .collect();
            for (ticket, caller, is_displaced, since) in holders {
                let attacks = names[..attackers].contains(&caller);
                let ends = if attacks { is_displaced || shop.now - since >= Duration::from_secs(25) } else { true };
                if ends {
                    answered += u32::from(!attacks);
                    shop.leave(ticket);
                    shop.ask(caller);
                }
            }
        }
        answered
    };
    let (alone, among) = (answered(0), answered(8));
    // Long questions may hold half of the places while others wait; on a machine with fewer cores than that, at a lower priority.
    assert!(among * 20 >= alone * 9, "{among} of {alone}");
}

#[tokio::test]
async fn a_place_is_free_again_when_its_question_is_given_up() {
    let places = Places::new();
    let mut held = Vec::new();
    for _ in 0..HALF {
        held.push(places.take("one").await.expect("a place"));
    }
    // Given up while it waits, and while it holds a place.
    let waiting = tokio::time::timeout(Duration::from_millis(10), places.take("one")).await;
    assert!(waiting.is_err(), "a caller holds more than half of the places");
    assert_eq!(places.desk().shares.waiting.len(), 0);
    drop(held.pop());
    held.push(
        tokio::time::timeout(Duration::from_secs(10), places.take("one")).await.expect("in time").expect("a place"),
    );
    held.clear();
    let desk = places.desk();
    assert!(desk.shares.holders.is_empty() && desk.bells.is_empty(), "{desk:?}");
}
