//! The warehouse port and its adapters: keeping readings and verdicts.
