//! Several things at once, all of them within the caller's own poll: what is not polled any more goes on nowhere.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use coordination::{Leadership, NotLeading};

use super::StepError;
use crate::options::ObserveOptions;

/// Does the same on several servers.
pub(super) async fn each<F, R, T>(
    options: &Arc<ObserveOptions>,
    servers: &[String],
    work: F,
) -> Vec<(String, Result<T, StepError>)>
where
    F: Fn(Arc<ObserveOptions>, String) -> R,
    R: Future<Output = Result<T, StepError>> + Send,
    T: Send,
{
    let mut doing: Vec<Pin<Box<R>>> = Vec::new();
    let mut done: Vec<Option<(String, Result<T, StepError>)>> = Vec::new();
    for server in servers {
        doing.push(Box::pin(work(options.clone(), server.clone())));
        done.push(None);
    }
    poll_fn(|cx| {
        let mut waiting = false;
        for ((server, doing), done) in servers.iter().zip(&mut doing).zip(&mut done) {
            if done.is_none() {
                match doing.as_mut().poll(cx) {
                    Poll::Ready(outcome) => *done = Some((server.clone(), outcome)),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    done.into_iter().flatten().collect()
}

pub(super) fn all(outcomes: Vec<(String, Result<(), StepError>)>) -> Result<(), StepError> {
    outcomes.into_iter().try_for_each(|(_, outcome)| outcome)
}

/// Goes on for as long as we lead. A process that stood still must not send one more statement when it wakes up: somebody else
/// may have promoted another server meanwhile. So the lease is looked at before every poll, not only before every step.
pub(crate) async fn while_leading<T>(
    leadership: &Leadership,
    doing: impl Future<Output = Result<T, StepError>>,
) -> Result<T, StepError> {
    let (mut doing, mut over) = (pin!(doing), pin!(leadership.over()));
    poll_fn(|cx| {
        if !leadership.is_held() || over.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(NotLeading::LeaseOver.into()));
        }
        doing.as_mut().poll(cx)
    })
    .await
}
