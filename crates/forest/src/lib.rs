//! Isolation Forest: fitted fast, scored exactly, explained.
