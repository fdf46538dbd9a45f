//! A situation and questions about it, as text:
//!
//! ```text
//! # What this is about.
//! primary a                     the present or last one; `epoch 7`; `fell_back`
//! acks b c wait 1               who is enrolled to acknowledge, and how many have to
//! a down pos=0-1-100            one line for every server
//! b <a pos=0-1-98 got=0-1-100 acks prefer
//!
//! > failover allow_loss         or: failover, switchover [SERVER], rejoin SERVER, rebuild SERVER [AVOID]
//! …the answer…
//! ```
//!
//! Words of a server: `down`, `unseen` (nothing was ever known); `id=` (a is 1, b is 2 …), `v=`; its source `<a` connected,
//! `~a` trying, `!a` stopped; `pos=` applied, `got=` received (as applied), `log=` binary log state (as applied), `base=`
//! `gtid_slave_pos` (as applied, where it replicates), `from=` the source's id; `stopped`, `broken=WHY`; `acks`, `rw`, `ro`,
//! `nolog`, `restarted`, `copying` and `swapped` (a rebuild), `severed=WHY`, `maintenance`, `zone=`, `prefer`, `prefer_not`, `must_not`.
//!
//! A line `mysql` makes all servers MySQL's. Their sets name servers by their letters, `a:1-100,b:1`; `got=` is what was received
//! beside what is applied; `purged=`, `unprepared=WHY` and `waits=` (for so many acknowledgements) come on top.

use std::collections::BTreeSet;

use cluster::plan::{
    Acknowledgers, Applier, Member, Promotion, Rebuilding, Replication, Situation, failover, rebuild, rejoin,
    switchover,
};

/// One file.
pub(crate) struct Scenario {
    pub(crate) text: String,
    pub(crate) situation: Situation,
    /// Without the `> `.
    pub(crate) questions: Vec<String>,
}

impl Scenario {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut situation = Situation { cluster: "main".to_owned(), epoch: 7, ..Situation::default() };
        let facts = text.lines().take_while(|line| !line.starts_with('>')).map(str::trim);
        let mysql = facts.clone().any(|line| line == "mysql");
        let facts = facts.filter(|line| !line.is_empty() && !line.starts_with('#') && *line != "mysql");
        for line in facts {
            read(line, mysql, &mut situation).ok_or_else(|| format!("cannot read {line:?}"))?;
        }
        let questions: Vec<_> =
            text.lines().filter_map(|line| line.strip_prefix("> ")).map(str::to_owned).collect();
        if questions.is_empty() {
            return Err("it asks nothing".to_owned());
        }
        Ok(Self { text: text.to_owned(), situation, questions })
    }

    /// The file as it should be.
    pub(crate) fn answered(&self) -> String {
        let facts: Vec<_> = self.text.lines().take_while(|line| !line.starts_with('>')).collect();
        let mut text = facts.join("\n").trim_end().to_owned() + "\n";
        for question in &self.questions {
            let answer = shrunk(&answer(&self.situation, question));
            text += &format!("\n> {question}\n{}\n", answer.trim_end());
        }
        text
    }
}

/// The answer to one question, for people.
fn answer(situation: &Situation, question: &str) -> String {
    let words: Vec<_> = question.split_whitespace().collect();
    let plan = match words.as_slice() {
        ["failover"] => failover(situation, false),
        ["failover", "allow_loss"] => failover(situation, true),
        ["switchover"] => switchover(situation, None),
        ["switchover", to] => switchover(situation, Some(to)),
        ["rejoin", server] => {
            return match rejoin(situation, server) {
                Ok(what) => what.to_string(),
                Err(refusal) => format!("refused: {}", refusal.explained()),
            };
        }
        ["rebuild", server] | ["rebuild", server, _] => {
            return match rebuild(situation, server, words.get(2).copied()) {
                Ok(plan) => plan.to_string(),
                Err(refusal) => format!("refused: {}", refusal.explained()),
            };
        }
        _ => return "no such question".to_owned(),
    };
    match plan {
        Ok(plan) => plan.to_string(),
        Err(refusal) => format!("refused: {}", refusal.explained()),
    }
}

/// What a server with this letter is called by MySQL.
fn uuid(letter: char) -> String {
    format!("{:08x}-0000-0000-0000-000000000000", u32::from(letter))
}

/// Letters of servers become their UUIDs.
fn expanded(set: &str) -> String {
    let part = |part: &str| match part.split_once(':') {
        Some((name, numbers)) => format!("{}:{numbers}", uuid(name.chars().next().unwrap_or('?'))),
        None => part.to_owned(),
    };
    set.split(',').map(part).collect::<Vec<_>>().join(",")
}

/// And the other way round.
fn shrunk(text: &str) -> String {
    ('a'..='z').fold(text.to_owned(), |text, letter| text.replace(&uuid(letter), &letter.to_string()))
}

fn read(line: &str, mysql: bool, situation: &mut Situation) -> Option<()> {
    let words: Vec<_> = line.split_whitespace().collect();
    match words.as_slice() {
        ["primary", name] => situation.primary = Some((*name).to_owned()),
        ["epoch", epoch] => situation.epoch = epoch.parse().ok()?,
        ["fell_back"] => situation.fell_back = true,
        ["acks", servers @ .., "wait", wait_for] => {
            let servers: BTreeSet<_> = servers.iter().map(|s| (*s).to_owned()).collect();
            situation.acknowledgers = Some(Acknowledgers { servers, wait_for: wait_for.parse().ok()? });
        }
        [name, facts @ ..] if mysql => situation.members.push(mysql_member(name, facts)?),
        [name, facts @ ..] => situation.members.push(member(name, facts)?),
        [] => {}
    }
    Some(())
}

fn member(name: &str, words: &[&str]) -> Option<Member> {
    let mut member = Member { server: name.to_owned(), ..Member::unknown() };
    if words == ["unseen"] {
        return Some(member);
    }
    member.id = u32::from(*name.as_bytes().first()?) - u32::from(b'a') + 1;
    member.up = true;
    member.logs = true;
    member.version = "10.11.8-MariaDB-log".to_owned();
    let source = words.iter().find(|w| w.starts_with(['<', '~', '!']));
    let mut replication = source.map(|word| Replication {
        source: word.get(1..).unwrap_or_default().to_owned(),
        connected: word.starts_with('<'),
        halted: word.starts_with('!'),
        ..Replication::default()
    });
    member.read_only = source.is_some();
    let position = value(words, "pos=").unwrap_or_default();
    member.position = position.parse().ok()?;
    member.history = value(words, "log=").unwrap_or(position).parse().ok()?;
    let base = if source.is_some() { position } else { "" };
    member.base = value(words, "base=").unwrap_or(base).parse().ok()?;
    if let Some(replication) = &mut replication {
        replication.received = value(words, "got=").unwrap_or(position).parse().ok()?;
    }
    for word in words {
        fact(word, &mut member, replication.as_mut())?;
    }
    member.replication = replication;
    Some(member)
}

/// What is about positions is read anew: they are sets, and the only history.
fn mysql_member(name: &str, words: &[&str]) -> Option<Member> {
    let is_set = |word: &&str| ["pos=", "got=", "purged="].iter().any(|key| word.starts_with(key));
    let others: Vec<&str> = words.iter().copied().filter(|word| !is_set(word)).collect();
    let mut member = member(name, &others)?;
    if others == ["unseen"] {
        return Some(member);
    }
    let set = |key: &str| expanded(value(words, key).unwrap_or_default()).parse();
    if !words.iter().any(|word| word.starts_with("v=")) {
        member.version = "8.4.6".to_owned();
    }
    member.uuid = Some(uuid(name.chars().next()?).parse().ok()?);
    member.position = set("pos=").ok()?;
    member.purged = set("purged=").ok()?;
    if let Some(replication) = &mut member.replication {
        replication.received = member.position.clone();
        replication.received.advance_all(&set("got=").ok()?);
        if replication.source_id > 0 {
            let letter = char::from(b'a' + u8::try_from(replication.source_id - 1).ok()?);
            replication.source_uuid = Some(uuid(letter).parse().ok()?);
        }
    }
    Some(member)
}

fn value<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(key))
}

fn fact(word: &str, member: &mut Member, replication: Option<&mut Replication>) -> Option<()> {
    match word.split_once('=').unwrap_or((word, "")) {
        ("down", _) => member.up = false,
        ("rw", _) => member.read_only = false,
        ("ro", _) => member.read_only = true,
        ("nolog", _) => member.logs = false,
        ("restarted", _) => member.restarted = true,
        ("copying", _) => member.rebuilding = Rebuilding::Copying,
        ("swapped", _) => member.rebuilding = Rebuilding::Swapped,
        ("maintenance", _) => member.maintenance = true,
        ("prefer", _) => member.promotion = Promotion::Prefer,
        ("prefer_not", _) => member.promotion = Promotion::PreferNot,
        ("must_not", _) => member.promotion = Promotion::MustNot,
        ("waits", count) => member.wait_for = count.parse().ok()?,
        ("unprepared", why) => member.unprepared = Some(why.replace('_', " ")),
        ("id", id) => member.id = id.parse().ok()?,
        ("v", version) => member.version = version.to_owned(),
        ("zone", zone) => member.zone = Some(zone.to_owned()),
        ("stopped", _) => replication?.applier = Applier::Stopped,
        ("severed", why) => replication?.severed = Some(why.replace('_', " ")),
        ("broken", why) => replication?.applier = Applier::Broken(why.replace('_', " ")),
        ("acks", _) => replication?.acknowledges = true,
        ("from", id) => replication?.source_id = id.parse().ok()?,
        ("pos" | "got" | "log" | "base", _) => {}
        (source, _) if source.starts_with(['<', '~', '!']) => {}
        _ => return None,
    }
    Some(())
}
