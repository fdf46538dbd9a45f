//! From the first look at both servers to a copy that is at one moment, and a server that nobody needs as it is.

use std::sync::atomic::Ordering;
use std::time::Duration;

use coordination::RebuildPhase;
use tokio::time::{Instant, sleep};
use topology::GtidPosition;

use super::{AGAIN, Job, RebuildError, SHORT};
use crate::control::saving;
use crate::events::EventKind;
use crate::execute::{fence, seed};
use crate::rebuild::{script, stream, why_no_way};

/// For the others to have what the server acknowledged.
const LEAVING: Duration = Duration::from_secs(60);
/// The copy needs this much room beside what the donor's data take, in KiB: the log of what is written meanwhile.
const SPARE_KIB: u64 = 256 * 1024;

impl Job {
    /// From the first look to the copy that is at one moment.
    pub(super) async fn copy(&mut self) -> Result<(), RebuildError> {
        self.progress.at("looking at both servers");
        self.keep_extra().await?;
        let donor = self.record().donor;
        for server in [&self.progress.server, &donor] {
            if let Some(why) = why_no_way(&self.options.control.rebuild.shell, server).await {
                return Err(RebuildError::Unfit(why));
            }
        }
        let given = seed::place(&self.options, &donor).await?;
        let data_dir = self.target_folder().await?;
        let history = given.history.clone();
        self.note(|record| (record.data_dir, record.history) = (data_dir, history)).await?;
        self.look_for_room(&given, &donor).await?;
        let target = self.shell(&self.progress.server)?;
        // What another leader has begun there, such as bringing a copy to one moment, ends by itself.
        self.await_earlier(&target, self.options.control.rebuild.timeout).await?;
        self.progress.at("copying");
        self.stream(&given, &donor).await?;
        self.progress.at("preparing the copy");
        let limit = self.options.control.rebuild.timeout;
        let said = target.run("preparing the copy", &self.scripts().prepare(), limit).await?;
        let position = position_of(&said).ok_or_else(|| {
            RebuildError::Unfit(format!("the copy of {donor} does not say its GTID position"))
        })?;
        self.extra.clear();
        self.progress.at("leaving replication");
        self.ready_to_swap(position).await
    }

    /// Remembered only with the swap: a copy that nobody swapped is made again.
    async fn ready_to_swap(&self, position: GtidPosition) -> Result<(), RebuildError> {
        self.await_primary().await;
        self.let_others_acknowledge().await?;
        self.await_primary().await;
        let position = position.to_string();
        self.note(|record| (record.position, record.phase) = (position, RebuildPhase::Swapped)).await
    }

    /// While nobody leads, the server may be the one that has everything: it is left as it is until a primary has all that it
    /// received. The limit of the whole rebuild ends that.
    async fn await_primary(&self) {
        while !self.is_covered() {
            self.progress.at("waiting for a primary that has what it has received");
            sleep(AGAIN).await;
        }
    }

    fn is_covered(&self) -> bool {
        let situation = self.situation();
        let server = &self.progress.server;
        let received = situation.member(server).and_then(|m| m.replication.as_ref()).map(|r| &r.received);
        situation.primary().is_some_and(|primary| {
            primary.up
                && !primary.read_only
                && primary.server != *server
                && received.is_none_or(|received| primary.has().covers(received))
        })
    }

    /// Where the data of the server lie, if that can be replaced.
    async fn target_folder(&self) -> Result<String, RebuildError> {
        let server = &self.progress.server;
        let configured = &self.options.control.rebuild.data_dir;
        let known = self.record().data_dir;
        if !seed::answers(&self.options, server).await {
            let found =
                [self.shell(server)?.filled(configured), known].into_iter().find(|folder| !folder.is_empty());
            return found.ok_or_else(|| {
                RebuildError::Unfit(format!(
                    "{server} does not answer, and rebuild.data_dir does not say where its data lie"
                ))
            });
        }
        let place = seed::place(&self.options, server).await?;
        if let Some(outside) = place.outside {
            let why = "lies outside of its data folder, which alone can be replaced";
            return Err(RebuildError::Unfit(format!("{server}: {outside} {why}")));
        }
        if place.writable {
            fence::fence(&self.options, server).await?;
        }
        let folder = self.shell(server)?.filled(configured);
        if !folder.is_empty() && folder.trim_end_matches('/') != place.data_dir {
            return Err(RebuildError::Unfit(format!(
                "{server} has its data in {}, and rebuild.data_dir says {folder}",
                place.data_dir
            )));
        }
        Ok(place.data_dir)
    }

    async fn keep_extra(&self) -> Result<(), RebuildError> {
        if self.extra.is_empty() {
            return Ok(());
        }
        let server = &self.progress.server;
        let situation = self.situation();
        let position = situation.member(server).map(|m| m.position.clone()).unwrap_or_default();
        let kept = saving::save(&self.options, &self.cluster, server, &self.extra, &position).await;
        let path = kept
            .map_err(|why| RebuildError::Unfit(format!("what only {server} has could not be kept: {why}")))?;
        let why = format!("what only it has is kept in {}", path.display());
        self.steering.note(EventKind::Action, Some(server.clone()), "rebuild", "saved", &why).await;
        Ok(())
    }

    async fn look_for_room(&self, given: &seed::Place, donor: &str) -> Result<(), RebuildError> {
        let number = |text: &str| text.trim().lines().last().and_then(|line| line.trim().parse::<u64>().ok());
        let measure = script::measure(&given.data_dir, &given.log_name);
        let measured = self.shell(donor)?.run("measuring its data", &measure, SHORT).await?;
        let needed = number(&measured).unwrap_or(0);
        let server = &self.progress.server;
        let room = number(&self.shell(server)?.run("looking for room", &self.scripts().look(), SHORT).await?);
        if room.is_some_and(|room| room < needed.saturating_add(SPARE_KIB)) {
            let (mib, room) = ((needed + SPARE_KIB) / 1024, room.unwrap_or(0) / 1024);
            let why =
                format!("{server} has room for {room} MiB beside its data, and the copy needs {mib} MiB");
            return Err(RebuildError::Unfit(why));
        }
        self.progress.expected.store(needed * 1024, Ordering::Relaxed);
        Ok(())
    }

    async fn stream(&self, given: &seed::Place, donor: &str) -> Result<(), RebuildError> {
        let rebuild = &self.options.control.rebuild;
        let fresh = self.record().phase == RebuildPhase::Copying;
        let mut taking = self.shell(&self.progress.server)?.spawn(&self.scripts().take(fresh))?;
        let script = script::give(&given.socket, &given.data_dir, &rebuild.user);
        let mut giving = self.shell(donor)?.spawn(&script)?;
        giving.tell("giving its data", &rebuild.password).await?;
        drop(giving.stdin.take());
        let (Some(from), Some(to)) = (giving.stdout.take(), taking.stdin.take()) else {
            return Err(RebuildError::Copy(std::io::ErrorKind::BrokenPipe.into()));
        };
        self.progress.bytes.store(0, Ordering::Relaxed);
        let copied = stream::copy(from, to, &self.progress.bytes, rebuild.bytes_per_s).await;
        if copied.is_err() {
            // The one that takes has gone, and says why.
            taking.ended("taking the copy").await?;
        }
        // A donor that dies ends the stream like one that is done: only its word counts.
        giving.ended("giving its data").await?;
        copied.map_err(RebuildError::Copy)?;
        Ok(taking.ended("taking the copy").await?)
    }

    /// What the server acknowledged is not to be needed from it when its data go: as long as others acknowledge, it stops.
    async fn let_others_acknowledge(&self) -> Result<(), RebuildError> {
        let server = &self.progress.server;
        if !self.has_other_acknowledgers() || !seed::answers(&self.options, server).await {
            return Ok(());
        }
        seed::detach(&self.options, server).await?;
        let began = Instant::now();
        while began.elapsed() < LEAVING {
            let enrolled = self.coordination.acknowledgers.current(&self.cluster).await?;
            if !enrolled.is_some_and(|enrolled| enrolled.value.servers.contains(server)) {
                return Ok(());
            }
            sleep(AGAIN).await;
        }
        Err(RebuildError::Unfit(format!(
            "no other replica has what {server} acknowledged: it is needed as it is"
        )))
    }
}

/// The position in what the backup says: of the donor's binary log, and, where it is a replica, of what it had applied.
fn position_of(said: &str) -> Option<GtidPosition> {
    let mut position = GtidPosition::default();
    let mut kind = "";
    for line in said.lines() {
        let found = match (line, kind) {
            ("binlog:" | "slave:", _) => {
                kind = line;
                continue;
            }
            (_, "binlog:") => line.split('\t').nth(2),
            (_, "slave:") => {
                line.split_once("gtid_slave_pos = '").and_then(|(_, rest)| rest.split('\'').next())
            }
            _ => None,
        };
        if let Some(found) = found.and_then(|text| text.trim().parse().ok()) {
            position.advance_all(&found);
        }
    }
    (!position.is_empty()).then_some(position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_is_what_log_and_replication_say_together() {
        let said = "binlog:\nbinlog.000001\t3549\t0-1-10,5-2-7\nslave:\nSET GLOBAL gtid_slave_pos = '0-1-9,7-3-2';\n\
                    CHANGE MASTER TO master_use_gtid = slave_pos;\n";
        assert_eq!(position_of(said).unwrap().to_string(), "0-1-10,5-2-7,7-3-2");
        assert_eq!(position_of("binlog:\nbinlog.000002\t4\t0-1-3\n").unwrap().to_string(), "0-1-3");
        for nothing in ["", "binlog:\nbinlog.000001\t330\n", "0-1-3\n", "slave:\nCHANGE MASTER TO x\n"] {
            assert_eq!(position_of(nothing), None, "{nothing:?}");
        }
    }
}
