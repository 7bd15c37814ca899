//! Reads settings and wires the parts.
