//! The judgement: readings in, verdicts out.
