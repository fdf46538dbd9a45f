//! A whole result of a query, as text.

/// Rows with their columns by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    columns: Vec<String>,
    rows: Vec<Vec<Option<String>>>,
    /// Rows changed, for a statement that gives no rows.
    pub affected: u64,
}

impl Rows {
    /// Rows that come from nowhere, for those who stand in for a server.
    pub fn of(columns: &[&str], rows: Vec<Vec<Option<String>>>) -> Self {
        Self { columns: columns.iter().map(|&column| column.to_owned()).collect(), rows, affected: 0 }
    }

    pub(crate) fn new(columns: Vec<String>) -> Self {
        Self { columns, ..Self::default() }
    }

    pub(crate) fn changed(affected: u64) -> Self {
        Self { affected, ..Self::default() }
    }

    pub(crate) fn push(&mut self, row: Vec<Option<String>>) {
        self.rows.push(row);
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The value of a column, whose name is looked up without case. `None` is NULL, a row or a column that is not
    /// there: servers of different versions have different columns.
    pub fn get(&self, row: usize, column: &str) -> Option<&str> {
        let index = self.columns.iter().position(|name| name.eq_ignore_ascii_case(column))?;
        self.at(row, index)
    }

    /// The value of the column with this index.
    pub fn at(&self, row: usize, index: usize) -> Option<&str> {
        self.rows.get(row)?.get(index)?.as_deref()
    }

    /// The same as [`Rows::get`], read as a number or whatever else can be read from text.
    pub fn parse<T: std::str::FromStr>(&self, row: usize, column: &str) -> Option<T> {
        self.get(row, column)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_without_case_and_missing_ones_are_null() {
        let mut rows = Rows::new(vec!["Host".into(), "n".into()]);
        rows.push(vec![Some("a".into()), None]);
        assert_eq!(rows.get(0, "HOST"), Some("a"));
        assert_eq!(rows.get(0, "N"), None);
        assert_eq!(rows.get(0, "absent"), None);
        assert_eq!(rows.get(1, "host"), None);
        assert_eq!(rows.parse::<u32>(0, "host"), None);
    }
}
