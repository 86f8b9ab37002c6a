//! Tests that every backend must pass.
