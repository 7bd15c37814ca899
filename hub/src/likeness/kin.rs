//! Two people may be namesakes or a family: alike in some things as one person is, and in the rest as strangers are.
//! Knows what they share, not how many they are: that is counted for the model.

use crate::likeness::compare::{Comparison, Level};

/// One comparison stands for each kind.
pub(super) const KINDS: [Comparison; 2] = [Comparison::FullName, Comparison::Family];

pub(super) struct Kin {
    /// How many there are is counted by these two.
    pub known_by: [Comparison; 2],
    pub share: &'static [Comparison],
    /// Namesakes have the same names, not two that are nearly the same. What is written of one family differs by mistakes, as
    /// what is written of one person does.
    exactly: bool,
}

impl Comparison {
    /// What the people share that this comparison stands for.
    pub(super) fn kin(self) -> Option<Kin> {
        match self {
            Self::FullName => Some(Kin {
                known_by: [Self::GivenName, Self::Surname],
                share: &[Self::GivenName, Self::Surname],
                exactly: true,
            }),
            Self::Family => Some(Kin {
                known_by: [Self::Surname, Self::Place],
                share: &[
                    Self::Surname,
                    Self::Place,
                    Self::Street,
                    Self::HouseNumber,
                    Self::AddressLine,
                    Self::Phone,
                ],
                exactly: false,
            }),
            _ => None,
        }
    }
}

impl Kin {
    /// Whether two people with this level of the comparison may be such.
    pub fn may_be(&self, level: Level) -> bool {
        !self.exactly || level == Level::Exact
    }
}
