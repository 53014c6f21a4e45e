//! The bus port and its adapters: moving readings, at least once.
