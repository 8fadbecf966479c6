//! The threads that read texts. They stay the same: the reader's expressions keep what they work with by thread, and a
//! thread that has not read yet begins with none of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use jiyao_fault::{Fault, Result};
use tokio::sync::oneshot;

/// Texts read at the same time: reading is work for a core.
const AT_ONCE: usize = 2;

type Work = Box<dyn FnOnce() + Send>;

#[derive(Clone)]
pub(crate) struct Readers(mpsc::Sender<Work>);

impl Readers {
    pub(crate) fn start() -> std::io::Result<Self> {
        let (give, take) = mpsc::channel::<Work>();
        let take = Arc::new(Mutex::new(take));
        for _ in 0..AT_ONCE {
            let take = Arc::clone(&take);
            std::thread::Builder::new().name("reader".to_owned()).spawn(move || {
                loop {
                    let next = take.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(work) = next else { return };
                    // Whoever waits for it hears that there is no answer.
                    let _ = catch_unwind(AssertUnwindSafe(work));
                }
            })?;
        }
        Ok(Self(give))
    }

    /// Has a reader do this, and waits for it.
    pub(crate) async fn have<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let (reply, done) = oneshot::channel();
        let work = move || {
            // Whoever asked may have gone.
            let _ = reply.send(work());
        };
        self.0.send(Box::new(work)).map_err(|_| Fault::internal("no reader is left"))?;
        done.await.map_err(Fault::internal)
    }
}
