//! R-ANCHOR: what binds the catalog to the main log.

use crate::bases::Base;
use crate::cases::{As, By, Case, run};
use crate::forge::bytes::{as_uint, long_uint, uint};

use As::{Finding, Tampered};
use By::{Open, Read, Verify};

pub(crate) const CASES: &[Case] = &[
    Case {
        id: "R-ANCHOR-1",
        what: "an integer in more bytes than it needs",
        base: Base::Plain,
        forge: |mut forge| {
            let size = as_uint(forge.anchor(2).field("catalog_size"));
            forge.anchor(2).set("catalog_size", long_uint(size));
            forge.write()
        },
        expect: &[
            (Open, Tampered, "integer"),
            (Read, Tampered, "integer"),
            (Verify, Finding, "integer"),
        ],
    },
    Case {
        id: "R-ANCHOR-2",
        what: "a payload",
        base: Base::Plain,
        forge: |mut forge| {
            forge.anchor(2).set_payload(&[1]);
            forge.write()
        },
        expect: &[
            (Open, Tampered, "expected no payload, found one of 1 bytes"),
            (Read, Tampered, "expected no payload, found one of 1 bytes"),
            (Verify, Finding, "expected no payload, found one of 1 bytes"),
        ],
    },
    Case {
        id: "R-ANCHOR-3",
        what: "less of the catalog than the anchor before",
        base: Base::Plain,
        forge: |mut forge| {
            let before = as_uint(forge.anchor(0).field("catalog_size"));
            forge.anchor(1).set("catalog_size", uint(before - 1));
            forge.write()
        },
        expect: &[(Verify, Finding, "as the anchor before it has")],
    },
    Case {
        id: "R-ANCHOR-4",
        what: "a larger catalog",
        base: Base::Plain,
        forge: |mut forge| {
            forge.anchor(2).set("catalog_size", uint(500));
            forge.write()
        },
        expect: &[(Verify, Finding, "anchored catalog")],
    },
    Case {
        id: "R-ANCHOR-4",
        what: "another root of the catalog",
        base: Base::Plain,
        forge: |mut forge| {
            forge.anchor(2).set("catalog_root", vec![7; 32]);
            forge.write()
        },
        expect: &[
            (Open, Tampered, "the catalog, against the anchor"),
            (Verify, Finding, "anchored catalog"),
        ],
    },
    Case {
        id: "R-ANCHOR-5",
        what: "another root of the state",
        base: Base::Plain,
        forge: |mut forge| {
            forge.anchor(1).set("state_root", vec![7; 32]);
            forge.write()
        },
        expect: &[(Verify, Finding, "anchored state")],
    },
];

#[test]
fn what_an_anchor_must_not_say_is_refused() {
    run(CASES);
}
