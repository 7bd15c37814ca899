//! What vendors and connectors say, made to leak or to forge when it is stored and shown (X5 to X7, X9, X12).
