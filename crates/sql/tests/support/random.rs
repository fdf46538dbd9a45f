//! A reproducible source of choices, and of damage to texts.
#![allow(dead_code, reason = "shared by test binaries that use parts of it")]

/// Xorshift: the same choices in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 16) as usize % limit.max(1)
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// At most `longest` bytes, mostly such as the lexer cares for.
    pub(crate) fn bytes(&mut self, longest: usize) -> Vec<u8> {
        const INTERESTING: &[u8] =
            b"'\"`\\/*-#!@;:=(),.0159eExXbBnN \n\t\0aSELT_$?{}+<>|&^%~\x80\xa0\xbf\xff";
        let length = self.below(longest);
        (0..length)
            .map(
                |_| {
                    if self.once_in(8) {
                        self.next() as u8
                    } else {
                        INTERESTING[self.below(INTERESTING.len())]
                    }
                },
            )
            .collect()
    }

    /// Damages a text: bytes flipped, removed, doubled, or a part of another text put in.
    pub(crate) fn mutate(&mut self, text: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(text.len() + 1);
        let end = (at + self.below(12)).min(text.len());
        match self.below(5) {
            0 => drop(text.drain(at..end)),
            1 => drop(text.splice(at..at, self.bytes(4)).collect::<Vec<_>>()),
            2 => {
                let from = self.below(other.len() + 1);
                let to = (from + self.below(30)).min(other.len());
                drop(text.splice(at..at, other[from..to].iter().copied()).collect::<Vec<_>>());
            }
            3 => {
                let part = text[at..end].to_vec();
                drop(text.splice(at..at, part).collect::<Vec<_>>());
            }
            _ => {
                if let Some(byte) = text.get_mut(at) {
                    *byte = self.next() as u8;
                }
            }
        }
    }

    /// The same statement with other spaces and more comments. Spaces in quotes stay, and so does everything behind
    /// the first comment.
    pub(crate) fn dress(&mut self, text: &str) -> String {
        let plain =
            ["--", "#", "/*", "*/"].iter().filter_map(|mark| text.find(mark)).min().unwrap_or(text.len());
        let (head, tail) = text.split_at(plain);
        let mut dressed = String::new();
        let mut quote = None;
        let mut escaped = false;
        for c in head.chars() {
            match (quote, c) {
                (None, '\'' | '"' | '`') => quote = Some(c),
                (Some(open), _) if c == open && !escaped => quote = None,
                (None, ' ') => {
                    dressed.push_str(self.pick(&[
                        " ",
                        "  ",
                        "\n",
                        "\t ",
                        " /* x */ ",
                        "/**/",
                        " -- '\n",
                        " # \"\n",
                    ]));
                    continue;
                }
                _ => {}
            }
            escaped = c == '\\' && !escaped && quote != Some('`');
            dressed.push(c);
        }
        dressed + tail
    }
}
