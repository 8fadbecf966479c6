//! Reads beside writes that never pause.

use std::sync::atomic::AtomicBool;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_takes_longer_than_writes_come_is_answered() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder);
    let (written, stop) = (ledger.clone(), Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop);
    let writing = tokio::spawn(async move {
        while !stopped.load(Ordering::SeqCst) {
            written.submit(add("a", 1, "")).await.unwrap();
        }
    });
    for _ in 0..5 {
        let before = ledger.head().sequence;
        let slow = ledger.clone();
        let read = move || {
            slow.read(|view| {
                let first = view.get(b"a")?;
                std::thread::sleep(Duration::from_millis(50));
                Ok((first, view.get(b"a")?))
            })
        };
        let ((first, second), _) = tokio::task::spawn_blocking(read).await.unwrap().unwrap();
        assert_eq!(first, second, "one state");
        assert!(ledger.head().sequence > before, "writes went on meanwhile");
    }
    stop.store(true, Ordering::SeqCst);
    writing.await.unwrap();
    ledger.close().await;
}
