//! What a customer will do: published models of repeat buying, fitted and asked.
