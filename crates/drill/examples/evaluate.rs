//! Scores a diagnosis on the days of some seeds, without the rest of the program: `cargo run -p drill --profile sim --example evaluate --
//! 0..4`. For whoever tunes one: seeds below 1000 are for that.

use drill::{Day, Kit, Tally, play, score};

fn main() -> anyhow::Result<()> {
    let seeds = std::env::args().nth(1).unwrap_or_else(|| "0..1".to_owned());
    let (from, to) = seeds.split_once("..").ok_or_else(|| anyhow::anyhow!("seeds are A..B"))?;
    let kit = Kit::new()?;
    let mut all = Tally::default();
    for seed in from.parse::<u64>()?..to.parse()? {
        let began = std::time::Instant::now();
        let mut recorded = play(&kit, Day::new(seed)?, &mut |_| {})?;
        let took = began.elapsed().as_secs_f64();
        let labels = &recorded.labels;
        eprintln!(
            "seed {seed}: {} sessions, {} observations, {} refusals, {} truths, {:.0} sessions/s",
            labels.sessions,
            recorded.observations.len(),
            labels.refusals.len(),
            labels.truths().len(),
            labels.sessions as f64 / took
        );
        all.add(score(&mut recorded, Silent));
    }
    println!("{}", serde_json::to_string_pretty(&all.score(&seeds))?);
    Ok(())
}

struct Silent;

impl diagnosis::Diagnose for Silent {
    fn observe(&mut self, _: &diagnosis::Observation) {}
    fn advance(&mut self, _: model::Timestamp) {}
    fn changes(&mut self) -> Vec<diagnosis::Change> {
        Vec::new()
    }
    fn verdict(&self, _: &model::Rrn) -> Option<diagnosis::Verdict> {
        None
    }
    fn incident(&self, _: u64) -> Option<&diagnosis::Incident> {
        None
    }
    fn incidents(&self) -> Vec<&diagnosis::Incident> {
        Vec::new()
    }
}
