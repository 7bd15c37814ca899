//! `[apply]`: edits take effect once they are applied, but for those of the kinds that it names.

use crate::manifest::Loader;
use crate::manifest::tree::Item;
use crate::manifest::version::AUTOMATIC;
use crate::problem::codes;

impl Loader<'_> {
    /// Checks the table. What it says counts as a part of the version that is applied: see `Version::automatic`.
    pub(super) fn check_apply(&mut self, items: &[Item<'_>]) {
        for other in items.iter().skip(1) {
            let message = "there is already an `[apply]` table";
            self.report
                .error(&codes::DUPLICATE, &other.key_spot(), message);
        }
        for item in items {
            let Some(table) = item.table("`[apply]`", "apply", &mut self.report) else {
                continue;
            };
            let Some(list) = table.get("automatic") else {
                continue;
            };
            for word in list.list(&mut self.report) {
                word.choice(&AUTOMATIC.map(|word| (word, ())), &mut self.report);
            }
        }
    }
}
