//! Records that an answer says nothing of, because the log had dropped them.

use std::ops::Range;

use crate::text;

/// Stretches that a headline names; the facts below it name all.
const NAMED_MAX: usize = 3;

/// Stretches of dropped records within a range, ascending, each as long as it can be.
#[derive(Debug, Default)]
pub(crate) struct Gaps(Vec<Range<u64>>);

impl Gaps {
    /// Those of some segments, each from its first record up to its end, within a range.
    pub(crate) fn within(range: &Range<u64>, dropped: impl Iterator<Item = Range<u64>>) -> Self {
        let mut runs: Vec<Range<u64>> = Vec::new();
        for gone in dropped {
            let gone = gone.start.max(range.start)..gone.end.min(range.end);
            match runs.last_mut() {
                _ if gone.is_empty() => {}
                Some(last) if last.end == gone.start => last.end = gone.end,
                _ => runs.push(gone),
            }
        }
        Gaps(runs)
    }

    pub(crate) fn records(&self) -> u64 {
        self.0.iter().map(|run| run.end - run.start).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether nothing of the range is left.
    pub(crate) fn are_all(&self, range: &Range<u64>) -> bool {
        !self.is_empty() && self.records() == range.end.saturating_sub(range.start)
    }

    /// Each stretch: `0 to 19`, and how many records that is.
    pub(crate) fn stretches(&self) -> impl Iterator<Item = (String, u64)> {
        self.0.iter().map(|run| (format!("{} to {}", run.start, run.end - 1), run.end - run.start))
    }

    /// `20 dropped records (0 to 19)`.
    pub(crate) fn render(&self) -> String {
        format!("{} ({})", text::counted(self.records(), "dropped record"), self.named())
    }

    /// The same in capitals, for a headline.
    pub(crate) fn shouted(&self) -> String {
        let counted = text::counted(self.records(), "dropped record").to_uppercase();
        format!("{counted} ({})", self.named())
    }

    /// `0 to 19, 30 to 39`.
    fn named(&self) -> String {
        let named: Vec<String> = self.stretches().take(NAMED_MAX).map(|(run, _)| run).collect();
        let more = match self.0.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            1 => ", and 1 more stretch".to_owned(),
            more => format!(", and {} more stretches", text::count(more as u64)),
        };
        format!("{}{more}", named.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_stretch_and_what_is_outside_does_not_count() {
        let gaps = Gaps::within(&(5..45), [0..10, 10..20, 30..40, 44..60].into_iter());
        assert_eq!(gaps.render(), "26 dropped records (5 to 19, 30 to 39, 44 to 44)");
        assert!(!gaps.are_all(&(5..45)));
        let all = Gaps::within(&(0..41), std::iter::once(0..41));
        assert!(all.are_all(&(0..41)) && all.render() == "41 dropped records (0 to 40)");
        assert!(Gaps::within(&(3..3), std::iter::once(0..9)).is_empty());
    }
}
