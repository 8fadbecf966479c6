//! Mutations of sound bytes for every decoder: each is answered or refused. `just fuzz` goes further.

use anyhow::Result;
use jiyao_extract::Extractor;
use jiyao_testkit::{DECODERS, Decoder, Dice, SAMPLE, binary, pdf};

use crate::faults::is_long;

/// Bytes as accidents and enemies leave them: bits flipped, pieces cut out, doubled, put elsewhere, or made anew.
fn mutated(seed: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=dice.below(4) {
        let length = bytes.len() as u64;
        let at = dice.below(length + 1) as usize;
        let end = at + dice.below(64.min(length - at as u64) + 1) as usize;
        match dice.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let piece = bytes[at..end].to_vec();
                let to = dice.below(length + 1) as usize;
                bytes.splice(to..to, piece);
            }
            3 => bytes.truncate(at),
            4 => bytes[at..end].fill(dice.below(256) as u8),
            _ => {
                let noise: Vec<u8> = (0..dice.below(16)).map(|_| dice.below(256) as u8).collect();
                bytes.splice(at..end, noise);
            }
        }
    }
    bytes
}

#[test]
fn whatever_a_decoder_is_given_it_answers_or_refuses() -> Result<()> {
    let mut dice = Dice::new("decoders");
    let rounds = if is_long() { 200_000 } else { 1500 };
    for Decoder { name, decode, seeds } in DECODERS {
        let seeds = seeds();
        assert!(seeds.iter().all(|seed| !seed.is_empty()), "{name} has nothing to begin with");
        for round in 0..rounds {
            let seed = &seeds[round % seeds.len()];
            let bytes = mutated(seed, &mut dice);
            let met = std::panic::catch_unwind(|| decode(&bytes));
            assert!(met.is_ok(), "{name}, round {round}: {:?}", String::from_utf8_lossy(&bytes));
        }
        println!("{name}: {rounds} mutations answered or refused");
    }
    Ok(())
}

#[test]
fn a_pdf_file_ends_the_child_that_reads_it_at_most() -> Result<()> {
    let extractor = Extractor::with(binary("jiyao-records", "jiyao-records", None)?);
    let (mut dice, sound) = (Dice::new("pdf"), pdf(&[&[SAMPLE]]));
    let (rounds, mut read) = (if is_long() { 5000 } else { 60 }, 0);
    for round in 0..rounds {
        match extractor.extract(&mutated(&sound, &mut dice), "source") {
            Ok(_) => read += 1,
            Err(fault) => assert!(fault.is_refusal(), "round {round}: {fault:?}"),
        }
    }
    println!("pdf: {read} of {rounds} mutations read, the others refused");
    Ok(())
}
