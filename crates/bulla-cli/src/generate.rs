//! A deterministic workload: the same seed gives the same events, anywhere.
//!
//! Shapes follow what audit trails look like: few actors and resources make most of
//! the events (Zipf), nearly all succeed, times rise, 86.4 ms apart on average, so
//! that a million events are one day. An event is about 359 bytes in the log's
//! encoding and 562 as JSON, and takes about a microsecond to make.

mod words;

use bulla::event::{Actor, Event, EventId, Json, Outcome, Resource};
use bulla::time::Timestamp;

use words::{ACTIONS, AGENTS, REGIONS, RESOURCES, SERVICES};

/// How many tenants there are, drawn evenly.
pub const TENANTS: u64 = 100;
/// How many actors there are, drawn by Zipf's law with exponent 1.
pub const ACTORS: usize = 10_000;
/// How many resources there are, drawn by Zipf's law with exponent 1.
pub const RESOURCE_IDS: usize = 100_000;
/// The longest time between two events; the mean is half of it.
const STEP_NANOS_MAX: u64 = 172_800_000;

/// Makes events without end.
#[derive(Clone, Debug)]
pub struct Generator {
    random: Random,
    now_nanos: i64,
    actors: Zipf,
    actions: Zipf,
    resources: Zipf,
}

impl Generator {
    /// The workload of a seed; the first event happens soon after `start`.
    pub fn new(seed: u64, start: Timestamp) -> Self {
        Generator {
            random: Random(seed),
            now_nanos: start.as_nanos(),
            actors: Zipf::new(ACTORS, |rank| rank),
            actions: Zipf::new(ACTIONS.len(), to_the_four_fifths),
            resources: Zipf::new(RESOURCE_IDS, |rank| rank),
        }
    }

    fn event(&mut self) -> Event {
        let step = self.random.below(STEP_NANOS_MAX);
        self.now_nanos = self.now_nanos.saturating_add_unsigned(step);
        let time = Timestamp::from_nanos(self.now_nanos);
        let who = self.actors.draw(&mut self.random);
        let action = self.actions.draw(&mut self.random);
        let what = self.resources.draw(&mut self.random);
        // A resource is always of the same type, an actor of the same kind.
        let kind = RESOURCES[what % RESOURCES.len()];
        let mut event = Event::new(
            Actor::new(actor_kind(who), numbered("u-", who as u64, 6)),
            ACTIONS[action],
            Resource::new(kind, numbered("r-", what as u64, 8)),
        );
        event.id = Some(EventId::v7(time, self.random.bytes()));
        event.occurred_at = Some(time);
        event.tenant = Some(numbered("tenant-", self.random.below(TENANTS), 3));
        event.outcome = match self.random.below(100) {
            0..92 => Outcome::Success,
            92..97 => Outcome::Failure,
            _ => Outcome::Denied,
        };
        event.ip = Some(self.address(who));
        event.user_agent = Some(self.random.pick(&AGENTS).to_owned());
        event.request_id = Some(hex(&self.random.bytes()));
        event.source = Some(SERVICES[action % SERVICES.len()].to_owned());
        event.details = self.details(event.outcome);
        event
    }

    /// One of four addresses that an actor works from.
    fn address(&mut self, who: usize) -> String {
        let place = Random(who as u64 * 4 + self.random.below(4)).next();
        let [a, b, c, ..] = place.to_le_bytes();
        let mut text = String::with_capacity(15);
        text.push_str("10");
        for part in [a, b, c] {
            text.push('.');
            push_decimal(&mut text, u64::from(part), 1);
        }
        text
    }

    fn details(&mut self, outcome: Outcome) -> Option<Json> {
        let mut text = String::with_capacity(160);
        let region = self.random.pick(&REGIONS);
        text.push_str("{\"region\":\"");
        text.push_str(region);
        text.push_str("\",\"status\":");
        push_decimal(&mut text, status(outcome), 3);
        for (name, below) in
            [("latency_us", 2_000_000), ("request_bytes", 65_536), ("response_bytes", 1 << 20)]
        {
            text.push_str(",\"");
            text.push_str(name);
            text.push_str("\":");
            push_decimal(&mut text, self.random.below(below), 1);
        }
        text.push_str(",\"attempt\":1,\"mfa\":true,\"proto\":\"h2\",\"trace_id\":\"");
        text.push_str(&hex(&self.random.next().to_le_bytes()));
        text.push_str("\"}");
        Json::parse(&text).ok()
    }
}

impl Iterator for Generator {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        Some(self.event())
    }
}

fn actor_kind(who: usize) -> &'static str {
    match who % 20 {
        7 => "service",
        13 => "admin",
        _ => "user",
    }
}

fn status(outcome: Outcome) -> u64 {
    match outcome {
        Outcome::Success | Outcome::Partial | Outcome::Unknown => 200,
        Outcome::Failure => 500,
        Outcome::Denied => 403,
    }
}

fn numbered(prefix: &str, number: u64, digits: usize) -> String {
    let mut text = String::with_capacity(prefix.len() + digits.max(20));
    text.push_str(prefix);
    push_decimal(&mut text, number, digits);
    text
}

/// A number with at least so many digits (at most 20); `format!` would take most of
/// the time an event has.
fn push_decimal(text: &mut String, number: u64, digits: usize) {
    let mut ascii = [b'0'; 20];
    let (mut rest, mut from) = (number, ascii.len());
    while rest > 0 {
        from -= 1;
        ascii[from] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    push_ascii(text, &ascii[from.min(ascii.len().saturating_sub(digits))..]);
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut ascii = [0; 32];
    for (pair, byte) in ascii.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    let mut text = String::with_capacity(bytes.len() * 2);
    push_ascii(&mut text, &ascii[..bytes.len().min(16) * 2]);
    text
}

fn push_ascii(text: &mut String, ascii: &[u8]) {
    text.push_str(std::str::from_utf8(ascii).unwrap_or_default());
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, and the same everywhere.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to, not including, `limit`; the bias is below `limit` / 2⁶⁴.
    fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// One of the words, each as likely.
    #[allow(clippy::cast_possible_truncation)] // below a length, which is a usize
    fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words[self.below(words.len() as u64) as usize]
    }

    /// From 0 up to, not including, 1, in steps of 2⁻⁵³.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn bytes(&mut self) -> [u8; 16] {
        (u128::from(self.next()) << 64 | u128::from(self.next())).to_le_bytes()
    }
}

/// Zipf's law: the k-th of n things (from 1) has weight 1 / k^s.
#[derive(Clone, Debug)]
struct Zipf {
    /// Sums of the weights up to each thing.
    cumulative: std::sync::Arc<[f64]>,
}

impl Zipf {
    /// `power` raises a rank to the exponent.
    fn new(things: usize, power: impl Fn(f64) -> f64) -> Self {
        let mut sum = 0.0;
        let cumulative = (1..=things).map(|rank| {
            sum += 1.0 / power(rank as f64);
            sum
        });
        Zipf { cumulative: cumulative.collect() }
    }

    /// A thing, from 0; the first ones come most often.
    fn draw(&self, random: &mut Random) -> usize {
        let total = self.cumulative.last().copied().unwrap_or(0.0);
        let at = random.unit() * total;
        self.cumulative.partition_point(|sum| *sum <= at).min(self.cumulative.len() - 1)
    }
}

/// x^0.8 for x from 1 on, by Newton's method: `powf` may differ in its last bit from
/// machine to machine, and the events with it.
fn to_the_four_fifths(x: f64) -> f64 {
    let goal = x * x * x * x;
    let mut root = x;
    for _ in 0..64 {
        let fourth = root * root * root * root;
        root -= (fourth * root - goal) / (5.0 * fourth);
    }
    root
}

#[cfg(test)]
mod tests;
