//! The list of threads, as a client of one server would see it.
//!
//! A session is shown under the id that its client was greeted with, whichever server connection it borrows; idle
//! connections of the pools belong to nobody and are left out.

use std::collections::{HashMap, HashSet};

use mysql_wire::lenenc::Put;
use mysql_wire::{Capabilities, Command, Header, ResponseKind, TextRow};

use super::client::CommandPacket;
use super::job::Job;
use super::special::replace;
use super::{End, Session};
use crate::place::Place;
use crate::registry::SessionShared;

impl Session {
    /// `SHOW PROCESSLIST` and statements that read `information_schema.processlist`.
    pub(super) async fn process_list(&mut self, mut job: Job<'_>, text: &[u8]) -> Result<(), End> {
        self.remote_threads = self.look_at_other_servers().await;
        let references = sql::processlist_references(text, self.mode);
        if references.is_empty() {
            job.process_list = job.facts.verb == sql::Verb::Show;
            return self.run(job).await.map(drop);
        }
        let table = self.process_table();
        let mut rewritten = text.to_vec();
        for reference in references.iter().rev() {
            let alias = if reference.alias.is_some() { "" } else { " AS PROCESSLIST" };
            let table = format!("{table}{alias}").into_bytes();
            rewritten = replace(&rewritten, std::slice::from_ref(&reference.name), &table);
        }
        let command = CommandPacket::of_query(&rewritten, job.command.sequence);
        job.command = &command;
        self.run(job).await.map(drop)
    }

    /// `COM_PROCESS_INFO`.
    pub(super) async fn process_list_command(&mut self, command: &CommandPacket) -> Result<(), End> {
        let facts = super::command_facts(false);
        self.remote_threads = self.look_at_other_servers().await;
        let query = CommandPacket::of_query(b"SHOW PROCESSLIST", command.sequence);
        debug_assert_eq!(command.payload().first(), Some(&(Command::ProcessInfo as u8)));
        let mut job = Job::new(&query, ResponseKind::Query, &facts);
        job.process_list = true;
        self.run(job).await.map(drop)
    }

    /// What sessions do on servers other than the primary: the rows of those servers' own lists.
    async fn look_at_other_servers(&mut self) -> HashMap<u32, Vec<Option<Vec<u8>>>> {
        let primary = self.listing_server();
        let mut by_place: HashMap<Place, HashMap<u32, u32>> = HashMap::new();
        for session in self.worker.core.sessions.all() {
            if let Some((place, thread)) = session.backend()
                && Some(place) != primary
                && session.id != self.shared.id
            {
                by_place.entry(place).or_default().insert(thread, session.id);
            }
        }
        let mut found = HashMap::new();
        for (place, threads) in by_place {
            let facts = super::command_facts(false);
            let command = CommandPacket::default();
            let job = Job::new(&command, ResponseKind::Simple, &facts);
            let obtained = self.take_from_pool(place, &job, true).await;
            let Ok(Some(mut backend)) = obtained else { continue };
            let Ok(reply) = backend.query(b"SHOW FULL PROCESSLIST").await else { continue };
            self.release(backend);
            for row in reply.rows() {
                let thread = row.first().and_then(|v| v.as_deref()).and_then(number);
                if let Some(session) = thread.and_then(|thread| threads.get(&thread)) {
                    found.insert(*session, row);
                }
            }
        }
        found
    }

    /// The server whose list the client gets: that of the connection it holds, or the primary of its base.
    fn listing_server(&self) -> Option<Place> {
        if let Some(held) = &self.held {
            return Some(held.place);
        }
        let primary = self.worker.core.cluster(self.base).view().primary;
        primary.map(|server| Place { cluster: self.base, server })
    }

    /// The table with ids exchanged, as a derived table in SQL.
    fn process_table(&self) -> String {
        let (shown, hidden) = self.threads();
        let mut case = String::from("ID");
        if !shown.is_empty() {
            case = String::from("CAST(CASE ID");
            for (thread, session) in &shown {
                case.push_str(&format!(" WHEN {thread} THEN {}", session.id));
            }
            case.push_str(" ELSE ID END AS SIGNED)");
        }
        let mut sql = format!(
            "(SELECT {case} AS ID, USER, HOST, DB, COMMAND, TIME, STATE, INFO, TIME_MS, STAGE, MAX_STAGE, PROGRESS, \
             MEMORY_USED, MAX_MEMORY_USED, EXAMINED_ROWS, QUERY_ID, INFO_BINARY, TID FROM information_schema.PROCESSLIST"
        );
        if !hidden.is_empty() {
            let list: Vec<String> = hidden.iter().map(ToString::to_string).collect();
            sql.push_str(&format!(" WHERE ID NOT IN ({})", list.join(",")));
        }
        for session in self.visible_idle(&shown) {
            let labels = session.labels();
            let name = |s: &str| s.replace('\'', "''").replace('\\', "");
            let database = if labels.database.is_empty() {
                "NULL".into()
            } else {
                format!("'{}'", name(&labels.database))
            };
            let idle = self.idle_seconds(&session);
            if let Some(row) = self.remote_threads.get(&session.id) {
                sql.push_str(&remote_select(session.id, &session.client.to_string(), row));
                continue;
            }
            sql.push_str(&format!(
                " UNION ALL SELECT {}, '{}', '{}', {database}, 'Sleep', {idle}, '', NULL, {}, 0, 0, 0, 0, 0, 0, 0, NULL, 0",
                session.id,
                name(&labels.user),
                session.client,
                idle * 1000
            ));
        }
        sql.push(')');
        sql
    }

    /// Server threads of the primary that serve a session, and those that are idle in pools.
    fn threads(&self) -> (HashMap<u32, std::sync::Arc<SessionShared>>, HashSet<u32>) {
        let primary = self.listing_server();
        let mut shown = HashMap::new();
        for session in self.worker.core.sessions.all() {
            if let Some((place, thread)) = session.backend()
                && Some(place) == primary
            {
                shown.insert(thread, session);
            }
        }
        let mut hidden = HashSet::new();
        for pool in self.worker.core.pools.all() {
            if Some(pool.place) == primary {
                hidden.extend(pool.idle_threads());
            }
        }
        hidden.retain(|thread| !shown.contains_key(thread));
        (shown, hidden)
    }

    /// Sessions that use no connection of the primary now, as far as this user may see them. The asking session is
    /// among those that the server lists.
    fn visible_idle(
        &self,
        shown: &HashMap<u32, std::sync::Arc<SessionShared>>,
    ) -> Vec<std::sync::Arc<SessionShared>> {
        let listed: HashSet<u32> = shown.values().map(|s| s.id).collect();
        let mut all = self.worker.core.sessions.all();
        all.retain(|s| {
            s.id != self.shared.id
                && !listed.contains(&s.id)
                && !s.labels().user.is_empty()
                && (self.identity.sees_processes || s.labels().user == self.identity.user)
        });
        all
    }

    fn idle_seconds(&self, session: &SessionShared) -> u64 {
        let since = session.active_ms.load(std::sync::atomic::Ordering::Relaxed);
        self.worker.now_ms().saturating_sub(since) / 1000
    }

    /// The rows of `SHOW PROCESSLIST` with ids exchanged.
    pub(super) fn rewrite_process_list(
        &self,
        own_thread: u32,
        packets: &[u8],
        capabilities: Capabilities,
    ) -> Vec<u8> {
        let (mut shown, mut hidden) = self.threads();
        shown.insert(own_thread, self.shared.clone());
        hidden.remove(&own_thread);
        let mut out = Vec::with_capacity(packets.len());
        let mut parts = split(packets);
        let Some(columns) = parts.first().and_then(|p| p.get(4)).copied().map(usize::from) else {
            return packets.to_vec();
        };
        let metadata = 1 + columns + usize::from(!capabilities.contains(Capabilities::DEPRECATE_EOF));
        if parts.len() < metadata + 1 || columns == 0 || columns >= 0xfb {
            return packets.to_vec();
        }
        let last = parts.pop().unwrap_or_default();
        let mut seq = parts.first().and_then(|p| p.get(3)).copied().unwrap_or(1);
        for (index, packet) in parts.iter().enumerate() {
            let payload = packet.get(4..).unwrap_or_default();
            if index < metadata {
                mysql_wire::write_packet(&mut out, &mut seq, payload);
                continue;
            }
            if let Some(row) = exchange(payload, &shown, &hidden) {
                mysql_wire::write_packet(&mut out, &mut seq, &row);
            }
        }
        for session in self.visible_idle(&shown) {
            let row = match self.remote_threads.get(&session.id) {
                Some(row) => remote_row(&session, row, columns),
                None => self.idle_row(&session, columns),
            };
            mysql_wire::write_packet(&mut out, &mut seq, &row);
        }
        mysql_wire::write_packet(&mut out, &mut seq, last.get(4..).unwrap_or_default());
        out
    }

    fn idle_row(&self, session: &SessionShared, columns: usize) -> Vec<u8> {
        let labels = session.labels();
        let mut row = Vec::new();
        let database = labels.database.as_bytes();
        let values: [Option<Vec<u8>>; 9] = [
            Some(session.id.to_string().into_bytes()),
            Some(labels.user.as_bytes().to_vec()),
            Some(session.client.to_string().into_bytes()),
            (!database.is_empty()).then(|| database.to_vec()),
            Some(b"Sleep".to_vec()),
            Some(self.idle_seconds(session).to_string().into_bytes()),
            Some(Vec::new()),
            None,
            Some(b"0.000".to_vec()),
        ];
        for value in values.iter().take(columns) {
            put(&mut row, value.as_deref());
        }
        row.resize(row.len() + columns.saturating_sub(values.len()), 0xfb);
        row
    }
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Another server's row under the session's id and client.
fn remote_row(session: &SessionShared, values: &[Option<Vec<u8>>], columns: usize) -> Vec<u8> {
    let mut row = Vec::new();
    put(&mut row, Some(session.id.to_string().as_bytes()));
    for index in 1..columns {
        match index {
            2 => put(&mut row, Some(session.client.to_string().as_bytes())),
            _ => put(&mut row, values.get(index).and_then(|v| v.as_deref())),
        }
    }
    row
}

/// The same as a part of a derived table.
fn remote_select(id: u32, client: &str, values: &[Option<Vec<u8>>]) -> String {
    let text = |index: usize| match values.get(index).and_then(|v| v.as_deref()) {
        // In hexadecimal, so that no text of another session can leave its quotes.
        Some(value) if !value.is_empty() => {
            let hex: String = value.iter().map(|b| format!("{b:02x}")).collect();
            format!("CONVERT(x'{hex}' USING utf8mb3)")
        }
        Some(_) => "''".to_owned(),
        None => "NULL".to_owned(),
    };
    let seconds = values.get(5).and_then(|v| v.as_deref()).and_then(number).unwrap_or(0);
    format!(
        " UNION ALL SELECT {id}, {}, '{client}', {}, {}, {seconds}, {}, {}, {}, 0, 0, 0, 0, 0, 0, 0, NULL, 0",
        text(1),
        text(3),
        text(4),
        text(6),
        text(7),
        u64::from(seconds) * 1000
    )
}

fn put(row: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        Some(text) => row.put_lenenc_bytes(text),
        None => row.push(0xfb),
    }
}

/// A row with its id exchanged; `None` for a thread that belongs to nobody.
fn exchange(
    payload: &[u8],
    shown: &HashMap<u32, std::sync::Arc<SessionShared>>,
    hidden: &HashSet<u32>,
) -> Option<Vec<u8>> {
    let values: Vec<Option<&[u8]>> = TextRow::new(payload).filter_map(Result::ok).collect();
    let id = values.first().copied().flatten().and_then(|v| std::str::from_utf8(v).ok()?.parse::<u32>().ok());
    let Some(id) = id else { return Some(payload.to_vec()) };
    if hidden.contains(&id) {
        return None;
    }
    let Some(session) = shown.get(&id) else { return Some(payload.to_vec()) };
    let own_id = session.id.to_string();
    let host = session.client.to_string();
    let mut row = Vec::with_capacity(payload.len() + 8);
    for (index, value) in values.iter().enumerate() {
        match index {
            0 => put(&mut row, Some(own_id.as_bytes())),
            2 => put(&mut row, Some(host.as_bytes())),
            _ => put(&mut row, *value),
        }
    }
    Some(row)
}

fn split(mut rest: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some(header) = Header::parse(rest) {
        let Some(packet) = rest.get(..header.len + 4) else { break };
        parts.push(packet);
        rest = &rest[header.len + 4..];
    }
    parts
}
