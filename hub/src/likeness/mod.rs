//! How alike two people look: the Fellegi-Sunter model, its estimation, and which pairs are worth comparing.
