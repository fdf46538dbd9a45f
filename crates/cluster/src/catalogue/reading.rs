//! A view's text, as the router would understand it.

use sql::{Access, Mode, analyse};

use super::views::Reading;

/// What the text of a view in `schema` reads; `None` where it is not a plain read. The text is as the server prints it:
/// names in backticks, mostly qualified.
pub(super) fn read(definition: &str, schema: &str) -> Option<Reading> {
    let facts = analyse(definition.as_bytes(), Mode::default());
    if facts.access != Access::Read {
        return None;
    }
    let qualified =
        |own: Option<&str>, name: &str| format!("{}.{name}", own.unwrap_or(schema)).to_lowercase();
    Some(Reading {
        tables: facts.tables.iter().map(|t| qualified(t.schema.as_deref(), &t.name)).collect(),
        functions: facts.functions.iter().map(|f| qualified(f.schema.as_deref(), &f.name)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_plain_read_has_no_reading() {
        for text in [
            "",
            "select get_lock('a',1) AS `g`",
            "select `mysql`.`user`.`User` AS `User` from `mysql`.`user`",
        ] {
            assert_eq!(read(text, "d"), None, "{text}");
        }
        let text = "select `D`.`t`.`a` AS `a`,`D`.`F`(1) AS `f`,`udf`(2) AS `u` from (`D`.`t` join `v`)";
        let reading = read(text, "d").unwrap();
        assert_eq!(reading.functions, ["d.f", "d.udf"]);
        assert!(reading.tables.contains(&"d.t".to_owned()) && reading.tables.contains(&"d.v".to_owned()));
    }
}
