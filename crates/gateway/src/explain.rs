//! `hadal explain` and the API's question: where would this statement go?

use serde::Serialize;
use topology::GtidPosition;

use crate::core::Core;
use crate::place::ClusterIndex;
use crate::route::{Ask, Dice, decide};
use crate::settings::UserSettings;
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
    let named = config.users.get(user).and_then(|u| u.cluster.as_deref());
    let index = match named {
        Some(name) => core.cluster_named(name).ok_or_else(|| format!("no cluster {name}"))?,
        None => ClusterIndex(0),
    };
    let entry = core.cluster(index);
    let settings =
        UserSettings::of(&config, user, &entry.name).ok_or("the user's cluster is not configured")?;
    let view = entry.view();
    let default_mode = view.catalogue.globals.get("sql_mode").map(String::as_str).unwrap_or_default();
    let mode = StateSet::of_new_connection().lexer_mode(default_mode);
    let facts = sql::analyse(text.as_bytes(), mode);
    let hint = sql::hint(text.as_bytes()).map_err(|error| error.to_string())?;
    let decision = decide(&Ask {
        facts: &facts,
        hint: hint.as_ref(),
        needs_primary: false,
        view: &view,
        entry,
        settings: &settings,
        bound: None,
        autocommit_off: false,
        split_left: false,
        prefer: None,
        read_committed: false,
        database: database.map(str::as_bytes),
        position: &GtidPosition::default(),
        dice: Dice { random: 1, user: 1, client: 1 },
    });
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
