//! Expressions that a connector or a manifest brings along, made to end the hub (X3, X4).
