//! `hadal explain` and the API's question: where would this statement go?

use serde::Serialize;
use sql::{Facts, Hint, HintTarget};
use topology::GtidPosition;

use crate::core::Core;
use crate::place::ClusterIndex;
use crate::route::{Ask, Dice, RouteError, decide};
use crate::rules::{Lives, Needs, Viewpoint, hides};
use crate::settings::ClusterSettings;
use crate::state::StateSet;

/// A decision in words.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    pub cluster: String,
    pub server: Option<String>,
    /// `primary`, `replica` or `none`.
    pub role: &'static str,
    pub why: String,
    pub access: String,
    pub effects: Vec<&'static str>,
    pub statement: String,
    pub digest: String,
}

/// As documentation and metrics call it.
pub(crate) fn access_name(access: sql::Access) -> &'static str {
    match access {
        sql::Access::Read => "read",
        sql::Access::PrimaryRead => "primary_read",
        sql::Access::Write => "write",
    }
}

pub(crate) fn explain(
    core: &Core,
    text: &str,
    user: &str,
    database: Option<&str>,
) -> Result<Explained, String> {
    let config = core.config.load();
    let home = core.home_of(user);
    let home = home.ok_or("there are several clusters, and nothing says which is the user's")?;
    let base = database.and_then(|database| core.rules.schema(database)).unwrap_or(home);
    let view = core.cluster(base).view();
    let default_mode = view.catalogue.globals.get("sql_mode").map(String::as_str).unwrap_or_default();
    let mode = StateSet::of_new_connection().lexer_mode(default_mode);
    let facts = sql::analyse(text.as_bytes(), mode);
    let hint = sql::hint(text.as_bytes()).map_err(|error| error.to_string())?;
    let aimed = aim(core, &facts, hint.as_ref(), text, Viewpoint { home, database }, base);
    let index = *aimed.as_ref().unwrap_or(&base);
    let entry = core.cluster(index);
    let view = entry.view();
    let all = ClusterSettings::of(&config, user, core.clusters.iter().map(|entry| &*entry.name));
    let decided = decide(&Ask {
        facts: &facts,
        hint: hint.as_ref(),
        needs_primary: false,
        view: &view,
        entry,
        settings: all.at(index),
        bound: None,
        autocommit_off: false,
        split_left: false,
        prefer: None,
        read_committed: false,
        database: database.map(str::as_bytes),
        position: &GtidPosition::default(),
        dice: Dice { random: 1, user: 1, client: 1 },
    });
    let decision = aimed.and(decided);
    let (server, role, why) = match decision {
        Ok(d) => {
            let name = view.server(d.server).map(|s| s.address.to_string());
            (name, if d.on_replica { "replica" } else { "primary" }, d.why.to_string())
        }
        Err(error) => (None, "none", error.to_string()),
    };
    Ok(Explained {
        cluster: entry.name.to_string(),
        server,
        role,
        why,
        access: access_name(facts.access).to_owned(),
        effects: facts.effects.names().collect(),
        statement: facts.digest_text.to_string(),
        digest: format!("{:016x}", facts.digest),
    })
}

/// The cluster of a statement in a fresh session; the same rules as those of a running one.
fn aim(
    core: &Core,
    facts: &Facts,
    hint: Option<&Hint>,
    text: &str,
    from: Viewpoint<'_>,
    base: ClusterIndex,
) -> Result<ClusterIndex, RouteError> {
    if core.rules.is_empty() {
        return Ok(base);
    }
    if let Some(HintTarget::Server(name)) = hint.and_then(|hint| hint.to.as_ref()) {
        return Ok(core.cluster_of_server(name).unwrap_or(base));
    }
    if hides(facts) {
        let name = core.rules.mentioned_beside(text.as_bytes(), base);
        return name.map_or(Ok(base), |name| Err(RouteError::Hidden { name: name.to_owned() }));
    }
    match core.rules.needs(facts, from) {
        Needs::Nothing => Ok(base),
        Needs::One(lives) => Ok(lives.cluster),
        Needs::Several(one, other) => {
            let name = |lives: &Lives| core.cluster(lives.cluster).name.to_string();
            let (one_cluster, other_cluster) = (name(&one), name(&other));
            Err(RouteError::SeveralClusters { one: one.name, one_cluster, other: other.name, other_cluster })
        }
    }
}
