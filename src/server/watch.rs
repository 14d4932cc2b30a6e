//! Threads and tasks that must not end. Where one panics or returns, the server is not ready, says which part it was,
//! and exits, so that a supervisor starts it again. All of src/server starts its threads and tasks here; a test holds
//! the list of exceptions.

use futures::FutureExt;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// In a debug build the part that this variable names panics at its start. For tests of the whole process.
pub const PLANT: &str = "BECK_TEST_PANIC";

/// The parts of one owner. A part that ends because its owner was dropped reports to nobody.
#[derive(Clone)]
pub struct Watch {
    ended: Arc<watch::Sender<Option<String>>>,
}

impl Default for Watch {
    fn default() -> Self {
        Watch { ended: Arc::new(watch::channel(None).0) }
    }
}

impl Watch {
    /// Starts a thread that is to run as long as its owner.
    pub fn thread(
        &self,
        name: &'static str,
        run: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<std::thread::JoinHandle<()>> {
        let watch = self.clone();
        std::thread::Builder::new().name(name.into()).spawn(move || {
            let ended = catch_unwind(AssertUnwindSafe(|| {
                plant(name);
                run();
            }));
            watch.report(name, ended);
        })
    }

    /// Starts a task that is to run as long as its owner. Aborting it is no fault.
    pub fn task(&self, name: &'static str, run: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let watch = self.clone();
        tokio::spawn(async move {
            let run = async {
                plant(name);
                run.await;
            };
            let ended = AssertUnwindSafe(run).catch_unwind().await;
            watch.report(name, ended);
        })
    }

    /// The first part that ended, and how.
    pub fn ended(&self) -> Option<String> {
        self.ended.borrow().clone()
    }

    /// Waits until a part has ended.
    pub async fn wait(&self) -> String {
        let mut ended = self.ended.subscribe();
        // It cannot fail: this handle holds the sender.
        let part = ended.wait_for(Option::is_some).await.map(|part| part.clone());
        part.ok().flatten().unwrap_or_default()
    }

    fn report(&self, name: &str, ended: Result<(), Box<dyn Any + Send>>) {
        let how = match ended {
            Ok(()) => format!("{name} has ended"),
            Err(payload) => format!("{name} panicked: {}", panic_text(payload.as_ref())),
        };
        self.ended.send_if_modified(|known| {
            let first = known.is_none();
            if first {
                *known = Some(how);
            }
            first
        });
    }
}

fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

fn plant(name: &str) {
    if cfg!(debug_assertions) && std::env::var(PLANT).is_ok_and(|planted| planted == name) {
        std::panic::panic_any("planted by a test");
    }
}
