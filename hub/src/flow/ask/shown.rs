//! Sources by the names that they have now. Inside the hub a renamed source is known by its first name: see `Namespaces`.

use crate::flow::ask::consent::ConsentView;
use crate::flow::ask::explain::{Explained, Graph, Step};
use crate::flow::ask::history::Moment;
use crate::flow::ask::profile::ProfileView;
use crate::manifest::Namespaces;
use crate::model::{Identifier, IdentifierKind};

/// What names sources.
pub trait Named {
    fn name_by(&mut self, names: &Namespaces);
}

/// The same with today's names.
pub fn named<N: Named>(mut view: N, names: &Namespaces) -> N {
    if !names.0.is_empty() {
        view.name_by(names);
    }
    view
}

impl Named for Identifier {
    fn name_by(&mut self, names: &Namespaces) {
        if let IdentifierKind::External(namespace) = &self.kind {
            self.kind = IdentifierKind::External(names.source_of(namespace).into());
        }
    }
}

fn rename(source: &mut String, names: &Namespaces) {
    *source = names.source_of(source).to_owned();
}

impl<N: Named> Named for Vec<N> {
    fn name_by(&mut self, names: &Namespaces) {
        self.iter_mut().for_each(|one| one.name_by(names));
    }
}

impl<N: Named> Named for Option<N> {
    fn name_by(&mut self, names: &Namespaces) {
        self.iter_mut().for_each(|one| one.name_by(names));
    }
}

impl<T> Named for (Identifier, T) {
    fn name_by(&mut self, names: &Namespaces) {
        self.0.name_by(names);
    }
}

impl Named for ProfileView {
    fn name_by(&mut self, names: &Namespaces) {
        self.identifiers.name_by(names);
        for why in &mut self.why {
            rename(&mut why.source, names);
        }
        for link in &mut self.links {
            link.from.name_by(names);
            link.to.name_by(names);
            link.record = names.shown_record(&link.record);
        }
        self.consent_why.name_by(names);
    }
}

impl Named for ConsentView {
    fn name_by(&mut self, names: &Namespaces) {
        for statement in &mut self.statements {
            rename(&mut statement.source, names);
        }
    }
}

impl Named for Moment {
    fn name_by(&mut self, names: &Namespaces) {
        rename(&mut self.source, names);
    }
}

impl Named for Step {
    fn name_by(&mut self, names: &Namespaces) {
        self.from.name_by(names);
        self.to.name_by(names);
        self.by = names.shown_record(&self.by);
    }
}

impl Named for Explained {
    fn name_by(&mut self, names: &Namespaces) {
        self.left.name_by(names);
        self.right.name_by(names);
        self.steps.name_by(names);
        self.in_common.name_by(names);
    }
}

impl Named for Graph {
    fn name_by(&mut self, names: &Namespaces) {
        self.identifiers.name_by(names);
        self.steps.name_by(names);
        self.refused.name_by(names);
        self.dead.name_by(names);
        for (record, identifiers) in &mut self.records {
            *record = names.shown_record(record);
            identifiers.name_by(names);
        }
    }
}
