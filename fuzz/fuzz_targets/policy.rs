//! Law: a policy that parses is written as a text that parses as the same policy; with all
//! of its witnesses the quorum is reached, and with more witnesses it stays reached.
#![no_main]

use bulla::VerifyingKey;
use bulla::witness::Policy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(policy) = Policy::parse(bytes) else { return };
    assert_eq!(Policy::parse(&policy.to_bytes()).as_ref(), Ok(&policy));
    let all: Vec<VerifyingKey> = policy.witnesses().iter().map(|w| w.key().clone()).collect();
    let mut reached = false;
    for count in 0..=all.len() {
        let now = policy.quorum(&all[..count]).is_reached();
        assert!(now || !reached);
        reached = now;
    }
    assert!(reached);
});
