use super::*;
use std::collections::{HashMap, HashSet};

fn generator(seed: u64) -> Generator {
    Generator::new(seed, Timestamp::from_nanos(1_767_225_600_000_000_000))
}

#[test]
fn the_same_seed_gives_the_same_events() {
    let (a, b) = (generator(7), generator(7));
    assert!(a.take(500).eq(b.take(500)));
    assert!(generator(7).next() != generator(8).next());
}

#[test]
fn the_events_of_a_seed_are_fixed_for_ever() {
    const EXPECTED: &str = concat!(
        r#"{"id":"019b76db-ec51-7702-900c-725ba6c0c211","occurred_at":"2026-01-01T00:01:23."#,
        r#"025759825Z","tenant":"tenant-028","actor":{"type":"user","id":"u-000001"},"actio"#,
        r#"n":"user.delete","resource":{"type":"document","id":"r-00033460"},"outcome":"suc"#,
        r#"cess","source":"api","ip":"10.215.13.50","user_agent":"okhttp/5.1.0","request_id"#,
        r#"":"fded6f6ecf55580706245f2df877b2bc","details":{"region":"sa-east-1","status":20"#,
        r#"0,"latency_us":778108,"request_bytes":47703,"response_bytes":102693,"attempt":1,"#,
        r#""mfa":true,"proto":"h2","trace_id":"c6ac3236054c6b77"}}"#,
    );
    let last = generator(1).nth(999).unwrap().to_json();
    assert_eq!(last, EXPECTED);
}

#[test]
fn events_are_within_the_limits_and_have_the_shape_that_was_measured() {
    let events: Vec<Event> = generator(1).take(20_000).collect();
    assert!(events.iter().all(|event| event.validate().is_ok()));
    let encoded = |event| {
        let (time, mut out) = (Timestamp::from_nanos(0), Vec::new());
        let lengths =
            bulla::internals::format::body::encode_event(event, time, [0; 16], [0; 16], &mut out);
        lengths.map(|lengths| lengths.envelope + lengths.payload).unwrap()
    };
    let bytes = events.iter().map(encoded).sum::<usize>() / events.len();
    assert!((357..=361).contains(&bytes), "{bytes}");
    let json = events.iter().map(|event| event.to_json().len()).sum::<usize>() / events.len();
    assert!((557..=567).contains(&json), "{json}");
}

#[test]
fn draws_follow_zipf_and_the_outcomes_their_shares() {
    let count = 200_000;
    let (mut actors, mut outcomes) = (HashMap::new(), HashMap::new());
    let (mut actions, mut tenants, mut agents) = (HashSet::new(), HashSet::new(), HashSet::new());
    for event in generator(3).take(count) {
        *actors.entry(event.actor.id).or_insert(0) += 1;
        *outcomes.entry(event.outcome).or_insert(0) += 1;
        actions.insert(event.action);
        tenants.insert(event.tenant);
        agents.insert(event.user_agent);
    }
    assert_eq!((actions.len(), tenants.len(), agents.len()), (50, 100, 40));
    // The first of 10,000 has a share of 1 / H(10,000) = 10.2 %, the second half of it.
    let share = |number: &str| f64::from(actors[number]) / count as f64;
    assert!((share("u-000000") - 0.1022).abs() < 0.004);
    assert!((share("u-000001") - 0.0511).abs() < 0.003);
    for (outcome, expected) in
        [(Outcome::Success, 0.92), (Outcome::Failure, 0.05), (Outcome::Denied, 0.03)]
    {
        assert!((f64::from(outcomes[&outcome]) / count as f64 - expected).abs() < 0.003);
    }
}

#[test]
fn a_million_events_would_be_a_day() {
    let mut events = generator(5);
    let first = events.next().unwrap().occurred_at.unwrap();
    let last = events.nth(99_999).unwrap().occurred_at.unwrap();
    let hours = last.saturating_since(first).as_secs_f64() / 3600.0;
    assert!((hours - 2.4).abs() < 0.03, "{hours}");
}

#[test]
fn the_fifth_root_is_right() {
    for x in [1.0, 2.0, 17.0, 50.0_f64] {
        assert!((to_the_four_fifths(x) - x.powf(0.8)).abs() < 1e-12, "{x}");
    }
}

#[test]
fn numbers_are_written_like_the_standard_library_writes_them() {
    for number in [0, 9, 10, 99, 12_345, u64::MAX] {
        let mut text = String::new();
        push_decimal(&mut text, number, 1);
        assert_eq!(text, number.to_string());
        assert_eq!(numbered("x", number, 6), format!("x{number:06}"));
    }
}
