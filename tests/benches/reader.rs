//! How fast minutes are read: bytes a second against a floor over the same bytes in the same run, over sizes, and on
//! hostile input. `just bench reader`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use jiyao_reader::{Words, read};
use jiyao_testkit::{Dice, written};

/// Least time that a figure is measured over.
const LEAST: Duration = Duration::from_millis(1500);

/// Megabytes a second of some work over some bytes: the best of its rounds.
fn rate(bytes: usize, mut work: impl FnMut()) -> f64 {
    let (begin, mut best) = (Instant::now(), Duration::MAX);
    let mut rounds = 0;
    while rounds < 3 || begin.elapsed() < LEAST {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed());
        rounds += 1;
    }
    bytes as f64 / best.as_secs_f64() / 1e6
}

fn main() {
    let words = Words::default();
    let mut dice = Dice::new("reader");
    let texts: Vec<String> = (0..1000).map(|_| written(&mut dice).text).collect();
    let bytes: usize = texts.iter().map(String::len).sum();
    let finder = memchr::memmem::Finder::new("。");
    let floor = rate(bytes, || {
        for text in &texts {
            black_box(simdutf8::basic::from_utf8(text.as_bytes()).is_ok());
            black_box(finder.find_iter(text.as_bytes()).count());
        }
    });
    let reader = rate(bytes, || texts.iter().for_each(|text| drop(black_box(read(text, &words)))));
    println!("generated set: {} texts, {:.1} MB", texts.len(), bytes as f64 / 1e6);
    println!("floor (simdutf8 + memchr): {floor:.0} MB/s");
    println!("reader: {reader:.1} MB/s, {:.4} of the floor", reader / floor);

    println!("\nsizes (one text made of many; MB/s, and its ratio to 100 KB)");
    let mut at_100_kb = 0.0;
    for size in [10_000, 100_000, 1_000_000, 10_000_000] {
        let mut text = String::new();
        for part in texts.iter().cycle() {
            if text.len() >= size {
                break;
            }
            text.push_str(part);
        }
        let rate = rate(text.len(), || drop(black_box(read(&text, &words))));
        if size == 100_000 {
            at_100_kb = rate;
        }
        println!("{size:>12} {rate:>8.1} {:>6.2}", if at_100_kb > 0.0 { rate / at_100_kb } else { 1.0 });
    }

    println!("\nhostile input (a million times each but the last; MB/s, seconds)");
    let hostile = [
        ("一、", "一、".repeat(1_000_000)),
        ("（", "（".repeat(1_000_000)),
        ("、", "、".repeat(1_000_000)),
        ("blank", " ".repeat(1_000_000)),
        ("《", "《".repeat(1_000_000)),
        ("一、 a line", "一、\n".repeat(1_000_000)),
        ("列席：、", format!("列席：{}", "张、".repeat(1_000_000))),
        ("同意", format!("一、甲\n（一）{}", "同意".repeat(1_000_000))),
        ("10 MB line", "会议原则同意甲乙丙".repeat(400_000)),
    ];
    for (what, text) in hostile {
        let start = Instant::now();
        drop(black_box(read(&text, &words)));
        let took = start.elapsed().as_secs_f64();
        println!("{what:>12} {:>8.1} {took:>8.3}", text.len() as f64 / took / 1e6);
    }
}
