//! Whether the primary is dead. Who merely cannot reach it does not know: its replicas are asked, too.
//!
//! | hadal | its replicas | verdict |
//! |---|---|---|
//! | reaches it | – | it lives |
//! | reaches it, but for `stall` no commit ends and nothing moves | most are reached | its disk stands still ([`super::stall`]) |
//! | the server itself says no (too many connections, wrong password) | – | it lives, and something else is wrong |
//! | does not reach it | those reached were told to stop receiving | not known |
//! | does not reach it | one still receives from it | hadal is cut off from it |
//! | does not reach it | no replica is reached either | hadal is cut off from everything, as far as it can tell |
//! | no answer | most of them are not reached either | the same: hadal may be on the smaller side of a partition |
//! | nothing listens there any more | all that are reached have lost it | dead, once that was seen twice |
//! | no answer | all that are reached have lost it, or hear nothing | dead, after `silence` |
//! | parts of answers | the same | dead, after four times `silence`: where packets are lost, most looks fail |

use std::time::Duration;

/// Why the last attempt to look at a server failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The host answers that nobody listens there, or has closed the connection: the process is gone.
    Gone,
    /// No answer in time: frozen, cut off, or overloaded.
    Silent,
    /// The server answers with an error of its own.
    Refuses(u16),
    /// Something else: a name that cannot be resolved, a protocol that is not understood.
    Other,
}

/// What hadal knows of the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimarySigns {
    /// `None`: it answers.
    pub fault: Option<Fault>,
    /// Attempts that failed in a row.
    pub failures: u32,
    /// Since the first look that it did not answer.
    pub unanswered_for: Duration,
    /// Since then, or since something came from it later, on whatever connection: a greeting, a part of an answer.
    pub silent_for: Duration,
    /// It answers, and for this long no commit has ended and nothing has moved.
    pub stalled_for: Duration,
}

impl PrimarySigns {
    /// For so long that it cannot be a matter of lost packets.
    pub(crate) fn is_silent(&self, patience: Duration) -> bool {
        self.silent_for >= patience || self.unanswered_for >= patience.saturating_mul(PARTS)
    }
}

/// What a replica knows of the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSigns {
    /// hadal reaches it, and asked after the primary had failed.
    pub up: bool,
    /// Somebody stopped its receiving thread: it hears nothing, and knows nothing.
    pub stopped: bool,
    /// Its receiving thread has a connection to the primary.
    pub connected: bool,
    /// Since something should have come through that connection: an event, a heartbeat. Where heartbeats are rare, silence
    /// means nothing: a primary without writers would look dead to a hadal that is cut off from it.
    pub quiet_for: Duration,
}

/// How patient hadal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a primary that does not answer.
    pub silence: Duration,
    /// For one that answers, and on which no commit ends; zero: for ever.
    pub stall: Duration,
    /// A replica that heard nothing for this long has lost it.
    pub quiet: Duration,
}

/// The judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Alive,
    /// It refuses hadal, and serves others for all one can tell.
    Refusing(String),
    /// Not yet known.
    Suspect(String),
    /// Only hadal cannot reach it.
    CutOff(String),
    /// Next to nothing can be reached: it may not be the primary that has failed.
    Isolated,
    Dead(String),
    /// It answers, and cannot write any more.
    Stalled(String),
}

/// Consecutive failures before a primary on whose port nobody listens is dead.
const GONE_FAILURES: u32 = 2;

/// A primary of which only parts of answers come is dead after so many times the patience: its process may stand still in the
/// middle of everything but its greeting.
const PARTS: u32 = 4;

/// Judges by all the signs there are.
pub fn judge(primary: &PrimarySigns, replicas: &[ReplicaSigns], patience: Patience) -> Verdict {
    let fault = match primary.fault {
        None => return answering(primary, replicas, patience),
        Some(Fault::Refuses(1040)) => {
            return Verdict::Refusing("it has too many connections (error 1040)".to_owned());
        }
        Some(Fault::Refuses(code)) => {
            return Verdict::Refusing(format!("it refuses hadal's account (error {code})"));
        }
        Some(fault) => fault,
    };
    let reached: Vec<_> = replicas.iter().filter(|r| r.up).collect();
    if reached.is_empty() {
        return if replicas.is_empty() {
            Verdict::Suspect("it does not answer, and it has no replica that could tell more".to_owned())
        } else {
            Verdict::Isolated
        };
    }
    if fault != Fault::Gone && reached.len() * 2 < replicas.len() {
        return Verdict::Isolated;
    }
    let reached: Vec<_> = reached.into_iter().filter(|r| !r.stopped).collect();
    if reached.is_empty() {
        return Verdict::Suspect(
            "it does not answer, and no replica that is reached receives from it".to_owned(),
        );
    }
    let still = reached.iter().filter(|r| r.connected && r.quiet_for < patience.quiet).count();
    let (all, ms) = (reached.len(), primary.unanswered_for.as_millis());
    if still > 0 {
        let text = format!("it has not answered for {ms} ms, but {still} of {all} replicas still hear it");
        return if primary.unanswered_for < patience.silence {
            Verdict::Suspect(text)
        } else {
            Verdict::CutOff(text)
        };
    }
    let (certain, how) = match fault {
        Fault::Gone => (primary.failures >= GONE_FAILURES, "nothing listens there"),
        _ => (primary.is_silent(patience.silence), "it does not answer"),
    };
    let text =
        format!("{how} ({} attempts, {ms} ms), and {all} of {all} replicas have lost it", primary.failures);
    if certain { Verdict::Dead(text) } else { Verdict::Suspect(text) }
}

/// One that answers. Who does not reach its replicas cannot tell whether they hear what hadal does not.
fn answering(primary: &PrimarySigns, replicas: &[ReplicaSigns], patience: Patience) -> Verdict {
    if patience.stall.is_zero() || primary.stalled_for < patience.stall / 2 {
        return Verdict::Alive;
    }
    let (reached, all) = (replicas.iter().filter(|r| r.up).count(), replicas.len());
    let ms = primary.stalled_for.as_millis();
    let text = format!(
        "for {ms} ms no commit has ended, nothing has moved on its disk, and none of {reached} replicas has received anything; \
         nobody waits for an acknowledgement"
    );
    if primary.stalled_for < patience.stall || reached == 0 || reached * 2 < all {
        return Verdict::Suspect(text);
    }
    Verdict::Stalled(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        silence: Duration::from_millis(2500),
        stall: Duration::from_secs(10),
        quiet: Duration::from_millis(1500),
    };

    fn primary(fault: Option<Fault>, failures: u32, ms: u64) -> PrimarySigns {
        let silent_for = Duration::from_millis(ms);
        PrimarySigns { fault, failures, unanswered_for: silent_for, silent_for, stalled_for: Duration::ZERO }
    }

    /// Something came from it this long ago.
    fn heard(ms: u64, mut signs: PrimarySigns) -> PrimarySigns {
        signs.silent_for = Duration::from_millis(ms);
        signs
    }

    #[test]
    fn a_primary_that_answers_and_does_not_write() {
        let judged = |ms, replicas: &[&str], patience| {
            let signs = PrimarySigns { stalled_for: Duration::from_millis(ms), ..primary(None, 0, 0) };
            let replicas: Vec<_> = replicas.iter().map(|text| replica(text)).collect();
            format!("{:?}", judge(&signs, &replicas, patience))
        };
        let hear = ["hears 10", "hears 10"];
        #[rustfmt::skip]
        let table: &[(u64, &[&str], &str)] = &[
            (4999,   &hear,                               "Alive"),
            (5000,   &hear,                               "Suspect"),
            (10_000, &hear,                               "Stalled"),
            (10_000, &["down 0", "hears 10"],             "Stalled"),
            (60_000, &["down 0", "down 0", "hears 10"],   "Suspect"),
            (60_000, &["down 0"],                         "Suspect"),
            (60_000, &[],                                 "Suspect"),
        ];
        for (ms, replicas, expected) in table {
            let verdict = judged(*ms, replicas, PATIENCE);
            assert!(verdict.starts_with(expected), "{ms} {replicas:?}: {verdict}");
        }
        assert_eq!(judged(60_000, &hear, Patience { stall: Duration::ZERO, ..PATIENCE }), "Alive");
    }

    fn replica(text: &str) -> ReplicaSigns {
        let (state, ms) = text.split_once(' ').unwrap();
        let quiet_for = Duration::from_millis(ms.parse().unwrap());
        let (up, stopped) = (state != "down", state == "stopped");
        ReplicaSigns { up, stopped, connected: state == "hears", quiet_for }
    }

    #[test]
    fn each_row_of_the_table() {
        use Fault::{Gone, Refuses, Silent};
        #[rustfmt::skip]
        let table: &[(&str, PrimarySigns, &[&str], &str)] = &[
            ("answers",                       primary(None, 0, 0),                    &["lost 9000"],               "Alive"),
            ("too many connections",          primary(Some(Refuses(1040)), 9, 9000),  &["hears 0"],                 "Refusing"),
            ("too many, replicas lost it too", primary(Some(Refuses(1040)), 9, 9000), &["lost 9000"],               "Refusing"),
            ("wrong password",                primary(Some(Refuses(1045)), 9, 9000),  &["hears 0"],                 "Refusing"),
            ("killed, first look",            primary(Some(Gone), 1, 50),             &["lost 10", "lost 10"],      "Suspect"),
            ("killed, seen twice",            primary(Some(Gone), 2, 150),            &["lost 10", "lost 10"],      "Dead"),
            ("killed, a replica lags behind", primary(Some(Gone), 2, 150),            &["lost 10", "hears 10"],     "Suspect"),
            ("gone for us alone",             primary(Some(Gone), 30, 9000),          &["hears 10", "lost 9000"],   "CutOff"),
            ("a pause of 2 s",                primary(Some(Silent), 2, 2100),         &["hears 2100", "hears 2100"], "Suspect"),
            ("frozen",                        primary(Some(Silent), 3, 2600),         &["hears 2600", "lost 2600"], "Dead"),
            ("parts of answers come",         heard(900, primary(Some(Silent), 5, 9900)), &["lost 2600", "hears 2600"], "Suspect"),
            ("parts came some time ago",      heard(2600, primary(Some(Silent), 5, 5000)), &["lost 2600", "hears 2600"], "Dead"),
            ("parts, and never an answer",    heard(10, primary(Some(Silent), 9, 10_100)), &["lost 2600", "hears 2600"], "Dead"),
            ("parts came, then it was killed", heard(50, primary(Some(Gone), 2, 150)), &["lost 10", "lost 10"],     "Dead"),
            ("parts for us, replicas hear it", heard(10, primary(Some(Silent), 9, 60_000)), &["hears 200", "hears 100"], "CutOff"),
            ("frozen, all down",              primary(Some(Silent), 3, 2600),         &["down 0", "down 0"],        "Isolated"),
            ("frozen, one replica down",      primary(Some(Silent), 3, 2600),         &["down 0", "lost 2000"],     "Dead"),
            ("frozen, most replicas down",    primary(Some(Silent), 3, 2600),         &["down 0", "down 0", "lost 2000"], "Isolated"),
            ("killed, most replicas down",    primary(Some(Gone), 3, 2600),           &["down 0", "down 0", "lost 2000"], "Dead"),
            ("we are cut off from it",        primary(Some(Silent), 9, 60_000),       &["hears 200", "hears 100"],  "CutOff"),
            ("its replicas were stopped by hand", primary(Some(Gone), 9, 60_000),     &["stopped 9000", "stopped 9000"], "Suspect"),
            ("one of them was",           primary(Some(Gone), 2, 150),            &["stopped 9000", "lost 10"], "Dead"),
            ("alone without replicas",        primary(Some(Gone), 9, 60_000),         &[],                          "Suspect"),
        ];
        for (name, primary, replicas, expected) in table {
            let replicas: Vec<_> = replicas.iter().map(|text| replica(text)).collect();
            let verdict = format!("{:?}", judge(primary, &replicas, PATIENCE));
            assert!(verdict.starts_with(expected), "{name}: {verdict}");
        }
    }
}
