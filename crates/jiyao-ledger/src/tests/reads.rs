//! Reads beside writes that never pause, and answers of what is recorded.

use std::cell::Cell;
use std::sync::atomic::AtomicBool;

use super::*;

/// Writes for as long as it lives.
struct Load {
    stop: Arc<AtomicBool>,
    writing: Vec<tokio::task::JoinHandle<u64>>,
}

impl Load {
    fn of(ledger: &Ledger<Counters>, clients: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let writing = (0..clients).map(|n| {
            let (ledger, stop) = (ledger.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut written = 0;
                while !stop.load(Ordering::SeqCst) {
                    ledger.submit(add(["a", "b", "c"][n % 3], 1, "")).await.unwrap();
                    written += 1;
                }
                written
            })
        });
        let writing = writing.collect();
        Self { stop, writing }
    }

    async fn end(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        let mut written = 0;
        for one in self.writing {
            written += one.await.unwrap();
        }
        written
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_read_is_begun_once_and_sees_one_state_while_others_write() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder);
    let load = Load::of(&ledger, 64);
    for _ in 0..5 {
        let slow = ledger.clone();
        let before = ledger.head().sequence;
        let begun = blocking(move || {
            let begun = Cell::new(0);
            let read = slow.read(|view| {
                begun.set(begun.get() + 1);
                let all = || view.scan(b"", b"").collect::<jiyao_fault::Result<Vec<_>>>();
                let first = all()?;
                std::thread::sleep(Duration::from_millis(50));
                assert_eq!(first, all()?, "one state");
                let of_counters = first.iter().filter(|(key, _)| key.len() == 1);
                let sum: i64 = of_counters
                    .map(|(_, value)| i64::from_be_bytes(value.as_slice().try_into().unwrap()))
                    .sum();
                Ok(sum)
            });
            let (sum, sequence) = read.unwrap();
            assert_eq!(sum.cast_unsigned(), sequence, "that of its sequence: each record added one");
            begun.get()
        })
        .await;
        assert_eq!(begun, 1);
        assert!(ledger.head().sequence > before, "writes went on meanwhile");
    }
    load.end().await;
    ledger.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_never_ends_is_refused_and_holds_up_nobody() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder);
    let load = Load::of(&ledger, 8);
    let endless = ledger.clone();
    let reading = blocking(move || {
        let read = endless.read(|view| {
            loop {
                view.get(b"a")?;
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        read.map(|((), _)| ()).unwrap_err().reason()
    });
    assert_eq!(reading.await, Reason::ReadTooLong);
    assert!(load.end().await > 8, "others went on");
    assert!(ledger.read(|view| view.get(b"a")).unwrap().0.is_some());
    ledger.close().await;
}

#[tokio::test]
async fn a_read_that_looks_at_too_much_is_refused() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder);
    let look = |times: usize| {
        ledger.read(|view| (0..times).try_for_each(|_| view.get(b"a").map(drop))).map(|((), _)| ())
    };
    look(20_000).unwrap();
    assert_eq!(look(20_001).unwrap_err().reason(), Reason::ReadTooLong);
    ledger.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_fails_under_a_read_gives_way_to_another() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder);
    ledger.submit(add("a", 1, "")).await.unwrap();
    let reading = ledger.clone();
    let (first, again) = blocking(move || {
        let read = reading.read(|view| {
            let first = view.get(b"a")?;
            let state = reading.inner.state.get().unwrap();
            reading.ask_for_another(&state);
            let is_another = || reading.inner.state.get().is_some_and(|now| !Arc::ptr_eq(&now, &state));
            while !is_another() {
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok((first, view.get(b"a")?))
        });
        read.unwrap().0
    })
    .await;
    assert_eq!(first, again, "the version that was begun with");
    assert_eq!(total(ledger.submit(add("a", 1, "")).await.unwrap()), 2);
    ledger.close().await;
}

/// A state fails between the write of a group and its answer: what is recorded is answered, once another shows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_recorded_is_not_refused_where_the_state_fails_with_it() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder);
    for n in 1..=20 {
        let fails = async { ledger.ask_for_another(&ledger.inner.state.get().unwrap()) };
        let (first, second, ()) =
            tokio::join!(ledger.submit(add("a", 1, "")), ledger.submit(add("b", 1, "")), fails);
        let (first, second) = (first.unwrap(), second.unwrap());
        let shown = ledger.read_at(&second, |view| view.get(b"b")).await.unwrap();
        assert_eq!(shown.map(|bytes| i64::from_be_bytes(bytes.try_into().unwrap())), Some(n));
        assert_eq!((total(first), total(second)), (n, n));
    }
    ledger.close().await;
}

/// What a command came to is read where it is shown first; where that version is gone, at a newer one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_after_a_commit_is_of_its_version_and_never_refused() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder);
    let committed = ledger.submit(add("a", 1, "")).await.unwrap();
    ledger.submit(add("a", 1, "")).await.unwrap();
    let read =
        |view: &Reading<'_>| Ok(view.get(b"a")?.map(|bytes| i64::from_be_bytes(bytes.try_into().unwrap())));
    assert_eq!(ledger.read_at(&committed, read).await.unwrap(), Some(1), "its own version");
    let load = Load::of(&ledger, 8);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let late = ledger.read_much_at(&committed, read).await.unwrap();
    assert!(late > Some(2), "{late:?}: its version is gone");
    load.end().await;
    let repeated = ledger.submit(add("c", 1, "id-1")).await.unwrap();
    let much = |view: &Reading<'_>| (0..20_001).try_for_each(|_| view.get(b"a").map(drop));
    ledger.read_at(&repeated, much).await.unwrap();
    let bug = |_: &Reading<'_>| -> jiyao_fault::Result<()> { panic!("a bug") };
    assert_eq!(ledger.read_much_at(&repeated, bug).await.unwrap_err().reason(), Reason::Internal);
    assert!(ledger.read_at(&repeated, read).await.unwrap().is_some(), "it goes on");
    ledger.close().await;
    let stopped = ledger.read_at(&repeated, read).await;
    assert_eq!(stopped.unwrap_err().reason(), Reason::StateUnavailable);
}
