//! The character sets of a session.

use std::sync::Arc;

use topology::Catalogue;

/// `character_set_client`, `character_set_results` (`None` is SQL's NULL: no conversion) and
/// `collation_connection`, which implies `character_set_connection`.
///
/// `SET NAMES … COLLATE` and the handshake also give the results a collation, which no variable shows: descriptions of
/// columns carry it (tried on MariaDB 10.11).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Charset {
    pub(crate) client: Arc<str>,
    pub(crate) results: Option<Arc<str>>,
    pub(crate) collation: Arc<str>,
    /// Of the results, where it is not their character set's default.
    pub(crate) results_collation: Option<Arc<str>>,
}

impl Charset {
    /// Collation id of `utf8mb4_general_ci`, in which hadal opens its own connections.
    pub(crate) const HANDSHAKE_ID: u8 = 45;

    /// The state of a connection that was opened with [`Self::HANDSHAKE_ID`].
    pub(crate) fn of_new_connection() -> Self {
        Self {
            client: "utf8mb4".into(),
            results: Some("utf8mb4".into()),
            collation: "utf8mb4_general_ci".into(),
            results_collation: None,
        }
    }

    /// What a server makes of the collation id in a client's handshake. An unknown id, and one whose character set
    /// cannot be a client's (`ucs2`, `utf16`, `utf32`), gives the server's default.
    pub(crate) fn of_handshake(id: u16, catalogue: &Catalogue) -> Self {
        match catalogue.collations.get(&id) {
            Some((collation, charset)) if !is_wide(charset) => Self::of_names(charset, collation, catalogue),
            _ => Self::of_server(catalogue),
        }
    }

    /// After `SET NAMES charset COLLATE collation`.
    pub(crate) fn of_names(charset: &Arc<str>, collation: &Arc<str>, catalogue: &Catalogue) -> Self {
        let is_default = catalogue.default_collations.get(charset) == Some(collation);
        Self {
            client: charset.clone(),
            results: Some(charset.clone()),
            collation: collation.clone(),
            results_collation: (!is_default).then(|| collation.clone()),
        }
    }

    fn of_server(catalogue: &Catalogue) -> Self {
        let global = |name: &str| catalogue.globals.get(name).map(|v| Arc::<str>::from(v.as_str()));
        match (global("character_set_server"), global("collation_server")) {
            (Some(charset), Some(collation)) => Self::of_names(&charset, &collation, catalogue),
            _ => Self::of_new_connection(),
        }
    }

    /// Character sets in which a backslash or a quote can be the second byte of a character: text with bytes
    /// above 0x7f cannot be understood without decoding it.
    pub(crate) fn is_ambiguous(&self) -> bool {
        matches!(
            &*self.client,
            "gbk" | "big5" | "sjis" | "cp932" | "gb18030" | "gb2312" | "euckr" | "eucjpms" | "ujis"
        )
    }
}

fn is_wide(charset: &str) -> bool {
    matches!(charset, "ucs2" | "utf16" | "utf16le" | "utf32")
}
