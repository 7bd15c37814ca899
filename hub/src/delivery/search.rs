//! A batch that a vendor refuses as a whole: which of its rows are to blame, or whether all of it is, in few calls. Pure;
//! knows neither rows nor reasons.

use std::collections::VecDeque;

/// The batch is halved until one row stands alone. If that is refused as well, one row of each half that was put aside is
/// tried alone. When the vendor refuses all of these for the same reason and has taken nothing, the reason is not in
/// the rows: a batch of `n` costs at most `1 + 2 * ceil(log2 n)` calls then, and no row is to blame. As soon as it
/// takes anything, or returns different reasons, the search goes on to the end, and those refused alone are to blame.
/// A batch of one row is that row's own.
pub struct Search<T, Why> {
    /// Parts to send, in order.
    queue: VecDeque<Vec<T>>,
    /// Refused alone while it was open whose fault that is.
    suspects: Vec<(T, Why)>,
    /// What tells one reason from another.
    reason: Option<String>,
    /// Rows of the other halves that are to be tried alone; none before the first suspect.
    probes: usize,
    /// The vendor looks at single rows.
    is_by_row: bool,
}

impl<T, Why> Search<T, Why> {
    pub fn new(batch: Vec<T>) -> Self {
        Self {
            is_by_row: batch.len() < 2,
            queue: VecDeque::from([batch]),
            suspects: Vec::new(),
            reason: None,
            probes: 0,
        }
    }

    /// The next part to send; none when all was sent, or all of it is refused.
    pub fn next_part(&mut self) -> Option<Vec<T>> {
        match self.is_all_refused() {
            true => None,
            false => self.queue.pop_front(),
        }
    }

    /// Rows that wait, or of which it is open whose fault they are.
    pub fn left(&self) -> usize {
        let waiting: usize = self.queue.iter().map(Vec::len).sum();
        waiting + self.suspects.len()
    }

    /// The part is to be sent once more.
    pub fn again(&mut self, part: Vec<T>) {
        self.queue.push_front(part);
    }

    /// The vendor took the part, or returned an outcome for each row. Returns the rows that are to blame, now that it is
    /// known.
    pub fn taken(&mut self) -> Vec<(T, Why)> {
        self.is_by_row = true;
        std::mem::take(&mut self.suspects)
    }

    /// A part was empty when its turn came.
    pub fn skipped(&mut self) {
        self.probes = self
            .probes
            .saturating_sub(usize::from(!self.suspects.is_empty()));
    }

    /// The vendor refused the part as a whole. Returns the rows that are to blame, as far as that is known.
    pub fn refused(&mut self, part: Vec<T>, reason: &str, why: Why) -> Vec<(T, Why)> {
        if *self.reason.get_or_insert_with(|| reason.to_owned()) != reason {
            self.is_by_row = true;
        }
        match super::bisect(part) {
            Ok((first, second)) => {
                self.queue.push_front(second);
                self.queue.push_front(first);
            }
            Err(row) => {
                let is_first = self.suspects.is_empty();
                self.suspects.extend(row.map(|row| (row, why)));
                if !self.is_by_row && is_first {
                    self.probe();
                } else {
                    self.probes = self.probes.saturating_sub(1);
                }
            }
        }
        match self.is_by_row {
            true => std::mem::take(&mut self.suspects),
            false => Vec::new(),
        }
    }

    /// One row of each part that waits comes first, alone.
    fn probe(&mut self) {
        self.probes = self.queue.len();
        let waiting: Vec<Vec<T>> = self.queue.drain(..).collect();
        let mut rest = Vec::new();
        for mut part in waiting {
            let others = part.split_off(part.len().min(1));
            self.queue.push_back(part);
            rest.push(others);
        }
        self.queue
            .extend(rest.into_iter().filter(|part| !part.is_empty()));
    }

    /// Every row that was tried alone was refused, from each part of the batch, for one reason.
    fn is_all_refused(&self) -> bool {
        !self.is_by_row && self.suspects.len() > 1 && self.probes == 0
    }

    /// What is left when the vendor refuses all of it: the reason, and the rows, to none of which anything happened. Else
    /// the last rows to blame, if any.
    pub fn end(self) -> End<T, Why> {
        let is_all_refused = self.is_all_refused();
        let mut suspects = self.suspects;
        if !is_all_refused {
            return End::Rows(suspects);
        }
        let (last, why) = suspects.pop().expect("more than one is suspected");
        let suspects = suspects.into_iter().map(|(row, _)| row);
        let rows = suspects
            .chain([last])
            .chain(self.queue.into_iter().flatten());
        End::All(why, rows.collect())
    }
}

pub enum End<T, Why> {
    Rows(Vec<(T, Why)>),
    All(Why, Vec<T>),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a batch of `n` rows at a vendor that refuses a part for a reason. Returns the rows to blame or whether it
    /// was all, and the calls.
    fn search(
        n: usize,
        refuses: impl Fn(&[usize]) -> Option<&'static str>,
    ) -> (Vec<usize>, bool, usize) {
        let mut search = Search::new((0..n).collect());
        let (mut blamed, mut calls, mut taken) = (Vec::new(), 0, Vec::new());
        while let Some(part) = search.next_part() {
            calls += 1;
            blamed.extend(match refuses(&part) {
                Some(reason) => search.refused(part, reason, ()),
                None => {
                    taken.extend(part);
                    search.taken()
                }
            });
        }
        let is_all = match search.end() {
            End::Rows(rows) => {
                blamed.extend(rows);
                false
            }
            End::All((), rows) => {
                assert_eq!(rows.len(), n, "nothing happened to any row");
                true
            }
        };
        let mut blamed: Vec<usize> = blamed.into_iter().map(|(row, ())| row).collect();
        blamed.sort_unstable();
        assert!(is_all || blamed.len() + taken.len() == n, "each row ends");
        (blamed, is_all, calls)
    }

    #[test]
    fn a_vendor_that_refuses_everything_is_found_out_in_logarithmically_many_calls() {
        for n in 2..600_usize {
            let (blamed, is_all, calls) = search(n, |_| Some("no"));
            assert!(is_all && blamed.is_empty());
            let most = 1 + 2 * n.next_power_of_two().ilog2() as usize;
            assert!(calls <= most, "{n}: {calls}");
        }
    }

    #[test]
    fn the_rows_that_spoil_a_batch_are_found_wherever_they_are() {
        for n in 1..70 {
            for bad in 0..n {
                let (blamed, is_all, _) = search(n, |part| part.contains(&bad).then_some("no"));
                assert_eq!((blamed, is_all), (vec![bad], false));
            }
        }
        let third = |part: &[usize]| part.iter().any(|row| row % 3 == 0).then_some("no");
        let (blamed, ..) = search(64, third);
        assert_eq!(blamed, (0..64).step_by(3).collect::<Vec<_>>());
    }

    #[test]
    fn one_row_is_to_blame_for_itself() {
        assert_eq!(search(1, |_| Some("no")), (vec![0], false, 1));
    }

    #[test]
    fn reasons_that_differ_are_the_rows_own() {
        let (blamed, is_all, _) = search(8, |part| Some(["even", "odd"][part[0] % 2]));
        assert!(!is_all);
        assert_eq!(blamed, (0..8).collect::<Vec<_>>());
    }
}
