//! R-SEG: segment headers, and how segments follow on one another.

use crate::bases::Base;
use crate::cases::{As, By, Case, run};

use As::{Corrupt, Finding};
use By::{Open, Read, Verify};

pub(crate) const CASES: &[Case] = &[Case {
    id: "R-SEG-1",
    what: "another magic",
    base: Base::Plain,
    forge: |mut forge| {
        forge.main[1].set("magic", *b"BULLASEX");
        forge.write()
    },
    expect: &[(Open, Corrupt, "magic"), (Verify, Finding, "magic"), (Read, Corrupt, "magic")],
}];

#[test]
fn what_a_segment_header_must_not_say_is_refused() {
    run(CASES);
}
