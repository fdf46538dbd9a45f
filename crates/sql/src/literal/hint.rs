//! `/* hadal: to=primary, consistency=session, after=TOKEN */` at the head of a text.

/// What a hint asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    /// Where the statement is to go.
    pub to: Option<HintTarget>,
    /// How fresh its answer has to be.
    pub consistency: Option<Consistency>,
    /// A position token: the answer has to include what the token stands for.
    pub after: Option<String>,
}

/// A place for a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HintTarget {
    /// The primary.
    Primary,
    /// Any usable replica.
    Replica,
    /// One server, as `HOST:PORT`; an IPv6 host is in brackets.
    Server(String),
}

/// A level of consistency, by its name in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// Any replica in rotation.
    Eventual,
    /// A replica that is not later than the configured bound.
    Bounded,
    /// What this session has written.
    Session,
    /// What any session has written through hadal.
    Global,
    /// What the primary has.
    Strong,
}

/// A hint that cannot be followed. The statement must not be run as if there were none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HintError {
    /// The comment is not closed.
    #[error("the hint's comment is not closed")]
    Unclosed,
    /// A part is not `key=value`.
    #[error("`{0}` in the hint is not key=value")]
    NotAnAssignment(String),
    /// The key is not known.
    #[error("the hint's key `{0}` is not one of to, consistency, after")]
    UnknownKey(String),
    /// The value does not fit the key.
    #[error("the hint's {key} cannot be `{value}`")]
    BadValue {
        /// The key.
        key: &'static str,
        /// What was given.
        value: String,
    },
}

/// The hint in the comments before the first token, if there is one.
pub fn hint(sql: &[u8]) -> Result<Option<Hint>, HintError> {
    let mut rest = sql.trim_ascii_start();
    while let Some(comment) = rest.strip_prefix(b"/*") {
        let close = memchr::memmem::find(comment, b"*/");
        if let Some(body) = comment.trim_ascii_start().strip_prefix(b"hadal:") {
            let close = memchr::memmem::find(body, b"*/").ok_or(HintError::Unclosed)?;
            let body = String::from_utf8_lossy(body.get(..close).unwrap_or_default()).into_owned();
            return parse(&body).map(Some);
        }
        let Some(close) = close else { break };
        rest = comment.get(close + 2..).unwrap_or_default().trim_ascii_start();
    }
    Ok(None)
}

fn parse(body: &str) -> Result<Hint, HintError> {
    let mut hint = Hint::default();
    for part in body.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').ok_or_else(|| HintError::NotAnAssignment(part.to_owned()))?;
        let value = value.trim();
        match key.trim() {
            "to" => hint.to = Some(target(value)?),
            "consistency" => hint.consistency = Some(consistency(value)?),
            "after" if !value.is_empty() => hint.after = Some(value.to_owned()),
            "after" => return Err(bad("after", value)),
            key => return Err(HintError::UnknownKey(key.to_owned())),
        }
    }
    Ok(hint)
}

fn target(value: &str) -> Result<HintTarget, HintError> {
    match value {
        "primary" => Ok(HintTarget::Primary),
        "replica" => Ok(HintTarget::Replica),
        _ => match value.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0) => {
                Ok(HintTarget::Server(value.to_owned()))
            }
            _ => Err(bad("to", value)),
        },
    }
}

fn consistency(value: &str) -> Result<Consistency, HintError> {
    match value {
        "eventual" => Ok(Consistency::Eventual),
        "bounded" => Ok(Consistency::Bounded),
        "session" => Ok(Consistency::Session),
        "global" => Ok(Consistency::Global),
        "strong" => Ok(Consistency::Strong),
        _ => Err(bad("consistency", value)),
    }
}

fn bad(key: &'static str, value: &str) -> HintError {
    HintError::BadValue { key, value: value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints() {
        let to = |to| Ok(Some(Hint { to: Some(to), ..Hint::default() }));
        assert_eq!(hint(b"/* hadal: to=primary */ SELECT 1"), to(HintTarget::Primary));
        assert_eq!(hint(b"  /* app=web */\n/*hadal: to = replica*/SELECT 1"), to(HintTarget::Replica));
        assert_eq!(hint(b"/* hadal: to=[::1]:3306 */"), to(HintTarget::Server("[::1]:3306".into())));
        assert_eq!(
            hint(b"/* hadal: consistency=strong, after=0-1-77 */ SELECT 1"),
            Ok(Some(Hint { to: None, consistency: Some(Consistency::Strong), after: Some("0-1-77".into()) }))
        );
        for none in
            ["SELECT 1", "SELECT /* hadal: to=primary */ 1", "/* hadal to=primary */ SELECT 1", "/*", ""]
        {
            assert_eq!(hint(none.as_bytes()), Ok(None), "{none}");
        }
        assert_eq!(hint(b"/* hadal: to=primary"), Err(HintError::Unclosed));
        assert_eq!(hint(b"/* hadal: primary */"), Err(HintError::NotAnAssignment("primary".into())));
        assert_eq!(hint(b"/* hadal: too=primary */"), Err(HintError::UnknownKey("too".into())));
        for bad in ["to=", "to=somewhere", "to=a:0", "to=a:99999", "consistency=x", "after="] {
            let text = format!("/* hadal: {bad} */ SELECT 1");
            assert!(matches!(hint(text.as_bytes()), Err(HintError::BadValue { .. })), "{bad}");
        }
    }
}
