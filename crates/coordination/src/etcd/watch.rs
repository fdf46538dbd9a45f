//! Follows a prefix: list, watch from there, and from the beginning again after any interruption.

use std::time::Duration;

use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::messages::{EVENT_DELETE, KeyValue, WatchCreateRequest, WatchEvent, WatchRequest, WatchResponse};
use super::{EtcdStore, entry, range_of};
use crate::Key;
use crate::store::{Change, Event, Revision};

const WATCH: &str = "/etcdserverpb.Watch/Watch";

/// Between two attempts to begin anew.
const PAUSE: Duration = Duration::from_millis(100);

/// Nobody follows any more.
struct Unwanted;

pub(super) async fn follow(store: EtcdStore, prefix: Key, events: mpsc::Sender<Event>) {
    while follow_once(&store, &prefix, &events).await.is_ok() {
        tokio::time::sleep(PAUSE).await;
    }
}

/// Until the stream is interrupted. The list comes before the watch, so that a cluster that was restored from a backup, and
/// has smaller revisions than we have seen, is not waited for in vain.
async fn follow_once(store: &EtcdStore, prefix: &Key, events: &mpsc::Sender<Event>) -> Result<(), Unwanted> {
    let Ok(snapshot) = store.list_below(prefix).await else { return Ok(()) };
    let after = snapshot.revision;
    events.send(Event::Resync(snapshot)).await.map_err(|_| Unwanted)?;
    let member = store.connection.member();
    let number = member.number();
    let (key, range_end) = range_of(prefix);
    let start_revision = after.0.cast_signed() + 1;
    let question = WatchRequest { create: Some(WatchCreateRequest { key, range_end, start_revision }) };
    let opening = tokio::time::timeout(store.time_limit, member.stream(WATCH, question));
    let opened = opening.await.unwrap_or_else(|_| Err(Status::deadline_exceeded("watching")));
    let ended = match opened {
        Ok(stream) => pass_on(stream, events).await?,
        Err(status) => status,
    };
    tracing::debug!(%prefix, "a watch of etcd was interrupted: {}", ended.message());
    store.connection.leave(number);
    Ok(())
}

/// Gives back why the stream ended.
async fn pass_on(
    mut stream: Streaming<WatchResponse>,
    events: &mpsc::Sender<Event>,
) -> Result<Status, Unwanted> {
    loop {
        let response = match stream.message().await {
            Ok(Some(response)) if response.canceled => return Ok(Status::aborted(response.cancel_reason)),
            Ok(Some(response)) => response,
            Ok(None) => return Ok(Status::unavailable("the stream has ended")),
            Err(status) => return Ok(status),
        };
        let revisions = response.events.iter().filter_map(|event| event.kv.as_ref());
        let newest = revisions.map(|kv| kv.mod_revision.cast_unsigned()).max();
        let changes: Vec<_> = response.events.into_iter().filter_map(change).collect();
        if !changes.is_empty() {
            let revision = Revision(newest.unwrap_or_default());
            events.send(Event::Changed { revision, changes }).await.map_err(|_| Unwanted)?;
        }
    }
}

fn change(event: WatchEvent) -> Option<Change> {
    let kv: KeyValue = event.kv?;
    let is_deletion = event.kind == EVENT_DELETE;
    let entry = entry(kv)?;
    Some(if is_deletion { Change::Deleted(entry.key) } else { Change::Put(entry) })
}
