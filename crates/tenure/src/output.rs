//! What a command prints: a table for people, JSON for programs. Data goes to standard output, nothing else does.

use std::fmt::Display;
use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    /// One document.
    Json,
    /// One document a line.
    Jsonl,
}

impl Format {
    pub fn is_json(self) -> bool {
        self != Self::Table
    }

    /// Prints one thing.
    pub fn one<T: Serialize, D: Display>(self, item: &T, table: impl FnOnce(&T) -> D) -> io::Result<()> {
        match self {
            Self::Table => write(&table(item).to_string()),
            Self::Json | Self::Jsonl => write(&json(item)),
        }
    }

    /// Prints a list: a table, an array, or an item a line.
    pub fn many<T: Serialize>(self, items: &[T], table: impl FnOnce(&[T]) -> Table) -> io::Result<()> {
        match self {
            Self::Table => write(&table(items).to_string()),
            Self::Json => write(&json(&items)),
            Self::Jsonl => items.iter().try_for_each(|item| write(&json(item))),
        }
    }
}

fn json<T: Serialize>(item: &T) -> String {
    serde_json::to_string(item).expect("what is printed has string keys and finite numbers")
}

/// Prints one of many documents, a line. An error when nobody reads any more: there is no use in going on.
pub fn print_line<T: Serialize>(item: &T) -> io::Result<()> {
    print_text(&json(item))
}

/// Prints one of many lines, in the same way.
pub fn print_text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.trim_end())?;
    out.flush()
}

fn write(text: &str) -> io::Result<()> {
    match print_text(text) {
        // Whoever read has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Columns as wide as their widest cell, two spaces apart.
#[derive(Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn with_head(head: &[&str]) -> Self {
        let mut table = Self::default();
        table.row(head.iter().map(|cell| (*cell).to_uppercase()));
        table
    }

    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell_width =
            |row: &Vec<String>, column: usize| row.get(column).map_or(0, |cell| cell.chars().count());
        let widths: Vec<usize> = (0..columns)
            .map(|column| self.rows.iter().map(|row| cell_width(row, column)).max().unwrap_or(0))
            .collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            let line = cells.collect::<Vec<_>>().join("  ");
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A cell for something that may be missing.
pub fn or_dash<T: ToString>(cell: Option<T>) -> String {
    cell.map_or_else(|| "-".into(), |cell| cell.to_string())
}
