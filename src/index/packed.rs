//! [`PackedPostings`]: a list as an index file holds it.

use super::chunk::CHUNK;
use super::chunk::CHUNK_U32;
use super::damaged::Damaged;
use super::pages::Pages;
use crate::terms::put_varint;

/// The form of a long list: bodies of varints.
const FORM_VARINTS: u8 = 1;
/// The form of a long list: a bitmap.
const FORM_BITS: u8 = 2;
/// The longest varint of 32 bits.
const VARINT_MAX: u64 = 5;

/// The positions of a term in an index file.
#[derive(Clone, Copy, Debug)]
pub struct PackedPostings<'a> {
    pages: &'a Pages,
    /// Where it stands in the file, for errors.
    at: u64,
    count: u32,
    /// All positions are below.
    records: u32,
    form: Form<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Form<'a> {
    /// At most one chunk: the varints.
    Short(&'a [u8]),
    /// First positions with offsets of bodies; the bodies; where they end.
    Varints { firsts: u64, bodies: u64, end: u64 },
    /// First positions; a bit for each record.
    Bits { firsts: u64, bits: u64 },
}

impl<'a> PackedPostings<'a> {
    /// The list that stands at `at` and ends at `end`, with its count.
    pub(super) fn parse(
        pages: &'a Pages,
        at: u64,
        end: u64,
        records: u32,
    ) -> Result<Self, Damaged> {
        let damaged = |expected| Damaged { offset: at, expected };
        let len = end.saturating_sub(at);
        let mut rest = pages.slice(at, len.min(VARINT_MAX + 1))?;
        let (before, count) = (rest.len(), take_u32(&mut rest));
        let count = count.filter(|count| (1..=records).contains(count));
        let count = count.ok_or(damaged("1 or more positions, at most one a record"))?;
        let list = at + (before - rest.len()) as u64;
        if count <= CHUNK_U32 {
            let len = Some(end - list).filter(|len| *len <= u64::from(count) * VARINT_MAX);
            let len = len.ok_or(damaged("a list that ends behind its positions"))?;
            let form = Form::Short(pages.slice(list, len)?);
            return Ok(PackedPostings { pages, at, count, records, form });
        }
        let (firsts, chunks) = (list + 1, u64::from(count.div_ceil(CHUNK_U32)));
        let form = match rest.first() {
            Some(&FORM_VARINTS) => Form::Varints { firsts, bodies: firsts + chunks * 8, end },
            Some(&FORM_BITS) => Form::Bits { firsts, bits: firsts + chunks * 4 },
            _ => return Err(damaged("form 1 or 2 of a list")),
        };
        let fits = match form {
            Form::Varints { bodies, end, .. } => bodies <= end,
            Form::Bits { bits, .. } => bits + u64::from(records.div_ceil(8)) == end,
            Form::Short(_) => true,
        };
        if !fits {
            return Err(damaged("a list that ends where its entry ends"));
        }
        Ok(PackedPostings { pages, at, count, records, form })
    }

    pub(super) fn len(&self) -> u32 {
        self.count
    }

    fn chunks(&self) -> u32 {
        self.count.div_ceil(CHUNK_U32)
    }

    fn damaged(&self, expected: &'static str) -> Damaged {
        Damaged { offset: self.at, expected }
    }

    pub(super) fn first_of(&self, chunk: u32) -> Result<u32, Damaged> {
        if chunk >= self.chunks() {
            return Ok(u32::MAX);
        }
        let first = match self.form {
            Form::Short(mut varints) => take_u32(&mut varints).unwrap_or(u32::MAX),
            Form::Varints { firsts, .. } => self.number(firsts + u64::from(chunk) * 8)?,
            Form::Bits { firsts, .. } => self.number(firsts + u64::from(chunk) * 4)?,
        };
        let within = Some(first).filter(|first| *first < self.records);
        within.ok_or(self.damaged("a first position below the number of records"))
    }

    fn number(&self, at: u64) -> Result<u32, Damaged> {
        let bytes = self.pages.slice(at, 4)?.first_chunk();
        Ok(u32::from_le_bytes(*bytes.unwrap_or(&[0; 4])))
    }

    pub(super) fn read(&self, chunk: u32, into: &mut [u32; CHUNK]) -> Result<usize, Damaged> {
        if chunk >= self.chunks() {
            return Ok(0);
        }
        let len = (self.count - chunk * CHUNK_U32).min(CHUNK_U32) as usize;
        let into = &mut into[..len];
        // All positions of the chunk lie in front of this one.
        let (first, limit) = (self.first_of(chunk)?, self.first_of(chunk + 1)?.min(self.records));
        if first >= limit {
            return Err(self.damaged("chunks that ascend"));
        }
        let whole = match self.form {
            Form::Short(mut varints) => {
                take_u32(&mut varints).is_some() && read_varints(varints, first, limit, into)
            }
            Form::Varints { firsts, bodies, end } => {
                read_varints(self.body(chunk, firsts, bodies, end)?, first, limit, into)
            }
            Form::Bits { bits, .. } => {
                let bytes = u64::from(first / 8)..u64::from(limit.div_ceil(8));
                let bytes = self.pages.slice(bits + bytes.start, bytes.end - bytes.start)?;
                read_bits(bytes, first, limit, into)
            }
        };
        match whole {
            true => Ok(len),
            false => Err(self.damaged("positions that ascend, as many as the chunk has")),
        }
    }

    /// The varints of a chunk.
    fn body(&self, chunk: u32, firsts: u64, bodies: u64, end: u64) -> Result<&'a [u8], Damaged> {
        let offset_of = |chunk: u32| self.number(firsts + u64::from(chunk) * 8 + 4);
        let start = bodies + u64::from(offset_of(chunk)?);
        let stop = match chunk + 1 < self.chunks() {
            true => bodies + u64::from(offset_of(chunk + 1)?),
            false => end,
        };
        let len = stop.checked_sub(start).filter(|_| stop <= end);
        let len = len.filter(|len| *len < u64::from(CHUNK_U32) * VARINT_MAX);
        self.pages.slice(start, len.ok_or(self.damaged("bodies that follow one another"))?)
    }
}

/// Fills `into` from the first position on; whether that took all the varints, and all
/// positions are below the limit.
fn read_varints(mut varints: &[u8], first: u32, limit: u32, into: &mut [u32]) -> bool {
    let mut position = first;
    let Some((place, places)) = into.split_first_mut() else { return false };
    *place = first;
    for place in places {
        let Some(next) = take_u32(&mut varints)
            .and_then(|gap| position.checked_add(1)?.checked_add(gap))
            .filter(|next| *next < limit)
        else {
            return false;
        };
        (*place, position) = (next, next);
    }
    varints.is_empty()
}

/// Fills `into` with the bits that are set from `first`, which must be, up to `limit`;
/// whether these are as many. The bytes begin with that of `first`.
fn read_bits(bytes: &[u8], first: u32, limit: u32, into: &mut [u32]) -> bool {
    let (mut found, mut base) = (0, first / 8 * 8);
    for part in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        let mut word = u64::from_le_bytes(word);
        if base < first {
            word &= u64::MAX << (first - base);
        }
        while word != 0 {
            let position = base + word.trailing_zeros();
            if position >= limit {
                break;
            }
            let Some(place) = into.get_mut(found) else { return false };
            *place = position;
            found += 1;
            word &= word - 1;
        }
        base = base.saturating_add(64);
    }
    found == into.len() && into.first() == Some(&first)
}

/// Takes a varint of at most 32 bits from the front.
#[inline]
pub(super) fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    // Nearly all are of one or two bytes.
    match *bytes {
        [byte @ 0..0x80, rest @ ..] => {
            *bytes = rest;
            Some((*byte).into())
        }
        [low, high @ 0..0x80, rest @ ..] => {
            *bytes = rest;
            Some(u32::from(*low & 0x7f) | u32::from(*high) << 7)
        }
        _ => u32::try_from(crate::terms::take_varint(bytes)?).ok(),
    }
}

/// Appends count and list; the positions ascend and are below `records`.
pub(super) fn put_list(out: &mut Vec<u8>, positions: &[u32], records: u32) {
    put_varint(out, positions.len() as u64);
    if positions.len() <= CHUNK {
        if let Some((first, rest)) = positions.split_first() {
            put_varint(out, (*first).into());
            put_gaps(out, *first, rest);
        }
        return;
    }
    let chunks = positions.len().div_ceil(CHUNK);
    let bits_len = chunks * 4 + records.div_ceil(8) as usize;
    // A gap takes at least one byte.
    let least = chunks * 8 + (positions.len() - chunks);
    let varints = (least <= bits_len).then(|| varints(positions));
    match varints.filter(|(firsts, bodies)| firsts.len() + bodies.len() <= bits_len) {
        Some((firsts, bodies)) => {
            out.push(FORM_VARINTS);
            out.extend_from_slice(&firsts);
            out.extend_from_slice(&bodies);
        }
        None => put_bits(out, positions, records),
    }
}

fn put_gaps(out: &mut Vec<u8>, mut before: u32, positions: &[u32]) {
    for position in positions {
        put_varint(out, position.saturating_sub(before).saturating_sub(1).into());
        before = *position;
    }
}

/// First positions with offsets, and bodies.
fn varints(positions: &[u32]) -> (Vec<u8>, Vec<u8>) {
    let (mut firsts, mut bodies) = (Vec::new(), Vec::new());
    for chunk in positions.chunks(CHUNK) {
        let offset = u32::try_from(bodies.len()).unwrap_or(u32::MAX);
        firsts.extend_from_slice(&chunk[0].to_le_bytes());
        firsts.extend_from_slice(&offset.to_le_bytes());
        put_gaps(&mut bodies, chunk[0], &chunk[1..]);
    }
    (firsts, bodies)
}

fn put_bits(out: &mut Vec<u8>, positions: &[u32], records: u32) {
    out.push(FORM_BITS);
    positions.chunks(CHUNK).for_each(|chunk| out.extend_from_slice(&chunk[0].to_le_bytes()));
    let start = out.len();
    out.resize(start + records.div_ceil(8) as usize, 0);
    let bits = &mut out[start..];
    for position in positions {
        bits[*position as usize / 8] |= 1 << (position % 8);
    }
}
