//! Makes new inputs of known ones. The same seed gives the same inputs.

/// Bytes that mean something in the protocol, as headers, lengths or ends.
const TELLING: [u8; 12] = [0x00, 0x01, 0x03, 0x07, 0x7F, 0x80, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF];

/// The longest input that mutations lead to.
const LONGEST: usize = 1 << 16;

/// A source of mutations.
pub(crate) struct Mutator {
    state: u64,
}

impl Mutator {
    pub(crate) fn new(seed: u64) -> Self {
        // Seeds that differ little must not give states that differ little; and zero would stay zero.
        Mutator { state: seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    /// A number below `bound`, or zero where that is zero. (The generator is Marsaglia's xorshift, with a multiplier.)
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let number = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16;
        (number as usize).checked_rem(bound).unwrap_or(0)
    }

    /// One of `pool`, changed in one to eight places.
    pub(crate) fn mutate(&mut self, pool: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.pick(pool).to_vec();
        for _ in 0..=self.below(8) {
            self.change(&mut input, pool);
        }
        input.truncate(LONGEST);
        input
    }

    fn pick<'a>(&mut self, pool: &'a [Vec<u8>]) -> &'a [u8] {
        let at = self.below(pool.len());
        pool.get(at).map_or(&[], Vec::as_slice)
    }

    fn byte(&mut self) -> u8 {
        if self.below(2) == 0 {
            return self.below(256) as u8;
        }
        let at = self.below(TELLING.len());
        TELLING.get(at).copied().unwrap_or_default()
    }

    fn change(&mut self, input: &mut Vec<u8>, pool: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        match self.below(8) {
            0 => self.flip_bit(input, at),
            1 | 2 => self.set(input, at),
            3 => input.insert(at, self.byte()),
            4 => self.remove(input, at),
            5 => self.repeat(input, at),
            6 => self.splice(input, at, pool),
            _ => input.truncate(at),
        }
    }

    fn flip_bit(&mut self, input: &mut [u8], at: usize) {
        let bit = self.below(8);
        if let Some(byte) = input.get_mut(at) {
            *byte ^= 1 << bit;
        }
    }

    fn set(&mut self, input: &mut [u8], at: usize) {
        let value = self.byte();
        if let Some(byte) = input.get_mut(at) {
            *byte = value;
        }
    }

    fn remove(&mut self, input: &mut Vec<u8>, at: usize) {
        let len = self.below(16).min(input.len() - at);
        input.drain(at..at + len);
    }

    fn repeat(&mut self, input: &mut Vec<u8>, at: usize) {
        let end = (at + self.below(32)).min(input.len());
        let piece = input.get(at..end).unwrap_or_default().to_vec();
        input.splice(at..at, piece);
    }

    fn splice(&mut self, input: &mut Vec<u8>, at: usize, pool: &[Vec<u8>]) {
        let other = self.pick(pool);
        let (start, len) = (self.below(other.len()), self.below(64));
        let piece = other.get(start..(start + len).min(other.len())).unwrap_or_default();
        input.splice(at..at, piece.iter().copied());
    }
}
