//! Placeholder until the connector is written.
