//! Tasks that say what their end means.

use std::fmt::Display;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::{Shutdown, ShutdownTrigger};

/// What the end of a task means to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskKind {
    /// The process cannot do its work without it: an error, a panic or an end before the shutdown stops the process.
    Essential,
    /// The process goes on without it: an error or a panic is logged, an end is fine.
    Background,
}

/// Why an essential task stopped the process.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// It returned an error.
    #[error("{name} failed: {why}")]
    Failed { name: &'static str, why: String },
    /// It panicked. The message went to standard error where it happened.
    #[error("{name} panicked: {why}")]
    Panicked { name: &'static str, why: String },
    /// It returned although nobody had asked the process to end.
    #[error("{name} ended although nothing had asked it to")]
    EndedEarly { name: &'static str },
    /// It was still running when the deadline of the drain passed.
    #[error("{count} tasks did not end in time")]
    Overdue { count: usize },
}

/// The tasks of a process, or of one part of it.
#[derive(Debug)]
pub struct Tasks {
    running: JoinSet<()>,
    end: Ending,
}

/// What a supervised task needs to know when it ends.
#[derive(Clone, Debug)]
struct Ending {
    trigger: ShutdownTrigger,
    shutdown: Shutdown,
    first_failure: Arc<Mutex<Option<TaskError>>>,
}

impl Tasks {
    /// Tasks whose essential ones pull `trigger` when they fail.
    pub fn new(trigger: ShutdownTrigger, shutdown: Shutdown) -> Self {
        Self { running: JoinSet::new(), end: Ending { trigger, shutdown, first_failure: Arc::default() } }
    }

    /// Starts a task on the current runtime. `name` is a noun that messages can begin with.
    pub fn spawn<E: Display + Send + 'static>(
        &mut self,
        kind: TaskKind,
        name: &'static str,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let end = self.end.clone();
        self.running.spawn(async move {
            // A set of one: dropping it, when the outer task is aborted, aborts the inner one too.
            let mut inner = JoinSet::new();
            inner.spawn(task);
            let error = match inner.join_next().await {
                Some(Ok(Err(error))) => TaskError::Failed { name, why: error.to_string() },
                Some(Err(join)) if join.is_panic() => {
                    TaskError::Panicked { name, why: panic_text(join.into_panic().as_ref()) }
                }
                _ if end.shutdown.is_set() || kind == TaskKind::Background => return,
                _ => TaskError::EndedEarly { name },
            };
            end.record(kind, error);
        });
    }

    /// Waits until every task has ended, at most `deadline`; what still runs then is aborted.
    ///
    /// # Errors
    /// The first failure of an essential task, or that some task was overdue.
    pub async fn drain(mut self, deadline: Duration) -> Result<(), TaskError> {
        let all = async { while self.running.join_next().await.is_some() {} };
        let in_time = tokio::time::timeout(deadline, all).await.is_ok();
        let count = self.running.len();
        self.running.shutdown().await;
        let failure = self.end.first_failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        match failure {
            Some(failure) => Err(failure),
            None if in_time => Ok(()),
            None => Err(TaskError::Overdue { count }),
        }
    }
}

impl Ending {
    fn record(&self, kind: TaskKind, error: TaskError) {
        tracing::error!(task.kind = ?kind, "{error}");
        if kind == TaskKind::Essential {
            self.first_failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            self.trigger.shut_down();
        }
    }
}

fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(30);

    fn run<T>(test: impl AsyncFnOnce(Tasks, ShutdownTrigger, Shutdown) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (trigger, shutdown) = Shutdown::new();
        let tasks = Tasks::new(trigger.clone(), shutdown.clone());
        runtime.block_on(test(tasks, trigger, shutdown))
    }

    #[test]
    fn an_essential_task_that_panics_stops_the_process_and_is_named() {
        let ended = run(async |mut tasks, _trigger, shutdown| {
            tasks.spawn::<String>(TaskKind::Essential, "the observer", async { panic!("out of range") });
            shutdown.wait().await;
            tasks.drain(SOON).await
        });
        assert_eq!(ended.unwrap_err().to_string(), "the observer panicked: out of range");
    }

    #[test]
    fn an_essential_task_that_just_returns_stops_the_process() {
        let ended = run(async |mut tasks, _trigger, shutdown| {
            tasks.spawn::<String>(TaskKind::Essential, "the admin API", async { Ok(()) });
            shutdown.wait().await;
            tasks.drain(SOON).await
        });
        assert_eq!(ended, Err(TaskError::EndedEarly { name: "the admin API" }));
    }

    #[test]
    fn a_background_task_that_fails_leaves_the_others_alone() {
        let ended = run(async |mut tasks, trigger, shutdown| {
            let (done, failed) = tokio::sync::oneshot::channel::<()>();
            tasks.spawn(TaskKind::Background, "a report", async move {
                drop(done);
                Err("no disk")
            });
            let waiting = shutdown.clone();
            tasks.spawn::<String>(TaskKind::Essential, "the gateway", async move {
                waiting.wait().await;
                Ok(())
            });
            failed.await.unwrap_err();
            tokio::task::yield_now().await;
            assert!(!shutdown.is_set());
            trigger.shut_down();
            tasks.drain(SOON).await
        });
        assert_eq!(ended, Ok(()));
    }

    #[test]
    fn a_task_that_does_not_end_is_aborted_at_the_deadline() {
        let ended = run(async |mut tasks, trigger, _shutdown| {
            tasks.spawn::<String>(TaskKind::Essential, "a sleeper", std::future::pending());
            trigger.shut_down();
            tasks.drain(Duration::ZERO).await
        });
        assert_eq!(ended, Err(TaskError::Overdue { count: 1 }));
    }
}
