//! The times of records, and a clock that is not to be believed.

use super::*;

fn accept(reason: &str) -> Submission<AcceptClock> {
    Submission::own("operator", "/test/AcceptClock", AcceptClock { reason: reason.to_owned() })
}

fn newest_time(ledger: &Ledger<Counters>) -> i64 {
    ledger.log().read(ledger.head().sequence).unwrap().time_ms - NOW
}

/// Within its bounds the clock is believed, also backwards: a record never has another time than the clock's.
#[tokio::test]
async fn a_record_has_the_time_of_the_clock_and_one_that_is_far_behind_is_refused() {
    let folder = TempDir::new().unwrap();
    let mut times = Vec::new();
    for now in [0, -290_000, 5, 400 * 86_400_000] {
        let ledger = open_at(&folder, OPTIONS, NOW + now).unwrap();
        ledger.submit(add("a", 1, "")).await.unwrap();
        times.push(newest_time(&ledger));
        ledger.close().await;
    }
    // The last one is of a machine whose clock was wrong for as long as it was up: the next start has the right time.
    assert_eq!(times, [0, -290_000, 5, 400 * 86_400_000]);
    let ledger = open_at(&folder, OPTIONS, NOW + 60_000).unwrap();
    let refused = ledger.submit(add("a", 1, "id-9")).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::ClockJumped);
    assert_eq!(refused.metadata()["why"], "BEHIND_LAST_RECORD");
    assert!(!refused.is_refusal(), "it is to be asked again");
    assert_eq!(ledger.look_at_clock().fault, Some(ClockFault::BehindLastRecord));
    assert_eq!(ledger.head().sequence, 4);
    assert_eq!(ledger.accept_clock(accept(" ")).await.unwrap_err().reason(), Reason::FieldRequired);
    let accepted = ledger.accept_clock(accept("the time server was wrong")).await.unwrap();
    assert_eq!(accepted.clock_time.unwrap().seconds, NOW / 1000 + 60);
    assert_eq!(accepted.expected_time.unwrap().seconds, NOW / 1000 + 400 * 86_400);
    ledger.submit(add("a", 1, "id-9")).await.unwrap();
    assert_eq!(newest_time(&ledger), 60_000);
    ledger.close().await;
    // The acceptance is a record: the next start needs no other, and the state is made from it as from any.
    State::remove(&Places::in_folder(folder.path()).state).unwrap();
    let ledger = open_at(&folder, OPTIONS, NOW + 61_000).unwrap();
    ledger.submit(add("a", 1, "")).await.unwrap();
    assert_eq!(total(ledger.submit(add("a", 0, "")).await.unwrap()), 6);
    let again = ledger.accept_clock(accept("once more")).await.unwrap_err();
    assert_eq!(again.reason(), Reason::StateForbids);
    ledger.close().await;
}

#[tokio::test]
async fn a_clock_that_jumps_while_time_passes_is_refused_until_it_is_right_or_accepted() {
    let folder = TempDir::new().unwrap();
    let clock = TestClock::at(Timestamp::from_millisecond(NOW).unwrap());
    let ledger = open_by(&folder, OPTIONS, clock.clone()).unwrap();
    let add_one = async || ledger.submit(add("a", 1, "")).await.map(drop).map_err(|fault| fault.reason());
    let shift = |by: i64| clock.set(Timestamp::from_millisecond(clock.now().as_millisecond() + by).unwrap());
    add_one().await.unwrap();
    // An hour without a look, as of a machine that slept, and drift within the bounds of that time.
    clock.advance(Duration::from_secs(3600));
    shift(100_000);
    add_one().await.unwrap();
    for jump in [2_001, -2_001, 400 * 86_400_000] {
        shift(jump);
        assert_eq!(add_one().await, Err(Reason::ClockJumped), "{jump}");
        // It does not become right by waiting.
        clock.advance(Duration::from_secs(86_400));
        assert_eq!(add_one().await, Err(Reason::ClockJumped), "{jump}");
        shift(-jump);
        add_one().await.unwrap();
    }
    shift(7_200_000);
    assert_eq!(ledger.look_at_clock().fault, Some(ClockFault::Jumped));
    ledger.accept_clock(accept("summer time was set by hand")).await.unwrap();
    add_one().await.unwrap();
    assert_eq!(newest_time(&ledger), clock.now().as_millisecond() - NOW);
    ledger.close().await;
}

/// Ids grow with the journal also where its clock goes back.
#[tokio::test]
async fn an_id_is_never_of_a_time_before_that_of_a_record() {
    let folder = TempDir::new().unwrap();
    let clock = TestClock::at(Timestamp::from_millisecond(NOW).unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    for now in [0, -200_000] {
        clock.set(Timestamp::from_millisecond(NOW + now).unwrap());
        let seen = Arc::clone(&seen);
        let ids: Ids = Box::new(move |at| {
            seen.lock().unwrap().push(at.as_millisecond() - NOW);
            Uuid::from_u64_pair(9, seen.lock().unwrap().len() as u64)
        });
        let places = Places::in_folder(folder.path());
        let ledger = Ledger::open(&places, OPTIONS, Counters, clock.clone(), ids).unwrap();
        ledger.submit(add("a", 1, "")).await.unwrap();
        ask(&ledger, "a").await.unwrap();
        ledger.close().await;
    }
    assert_eq!(*seen.lock().unwrap(), [0, 0]);
}
