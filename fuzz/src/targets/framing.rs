//! Framing: the first byte chooses the limit, the rest is a stream.

use anyhow::Result;
use mysql_wire::{Assembler, write_packet};

const LIMITS: [usize; 4] = [0, 16, 1 << 10, usize::MAX];

pub(crate) fn run(input: &[u8]) {
    let Some((&choice, mut stream)) = input.split_first() else { return };
    let limit = LIMITS[usize::from(choice) % LIMITS.len()];
    let assembler = Assembler::new(limit);
    while let Ok(Some(frame)) = assembler.next_packet(stream) {
        let payload = frame.bytes(stream);
        assert!(payload.len() <= limit && frame.consumed <= stream.len());
        let (mut again, mut seq) = (Vec::new(), frame.first_seq);
        write_packet(&mut again, &mut seq, payload);
        assert_eq!(again, stream[..frame.consumed]);
        assert_eq!(seq, frame.last_seq.wrapping_add(1));
        for cut in [1, frame.consumed / 2, frame.consumed - 1] {
            assert_eq!(assembler.next_packet(&stream[..cut]), Ok(None), "cut at {cut}");
        }
        stream = &stream[frame.consumed..];
    }
}

pub(crate) fn seeds() -> Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for lens in [&[0usize, 1, 5][..], &[300, 0, 3], &[16, 17]] {
        let (mut stream, mut seq) = (vec![3], 0);
        lens.iter().for_each(|&len| write_packet(&mut stream, &mut seq, &vec![0xFE; len]));
        seeds.push(stream);
    }
    Ok(seeds)
}
