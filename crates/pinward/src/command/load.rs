//! `pinward load`: terminals that pay as fast as they are answered, or as fast as it is said.
//!
//! Without `--rate` a closed loop: each connection has `--depth` requests under way, and each answer is followed by the next
//! request. So the rate is what this host gave, and a host that stalls is asked less. With `--rate` an open loop: requests
//! are due at their times whatever the host does, and latencies count from then. The load is made on the same machine and with
//! the same care as every terminal here - PIN block, MAC, belief in the reply - and says what it cost.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use load::{Choice, Crew, CrewError, DEPTH_MAX, Mix, News, Plan, Report};
use simulator::TerminalError;

use super::Usage;
use super::trigger::{FAILED, UNAVAILABLE, Where};

/// Options of `pinward load`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// TCP connections. Each is in the name of one terminal; several share one when there are fewer
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Requests under way per connection, at most
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=DEPTH_MAX as i64))]
    depth: u16,
    /// Requests a second over all connections, whatever the answers do; without it each answer is followed by the next request
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// For how long
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// The same load before that, not measured
    #[arg(long, value_name = "S", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=3600))]
    warm_up: u64,
    /// What goes wrong, each with its share of the payments: wrong-pin=0.02,repeats=5%,cut=0.001
    #[arg(long, value_name = "WHAT=SHARE", default_value = "", hide_default_value = true)]
    mix: Mix,
    /// Verify the MAC of each approval too
    #[arg(long)]
    check_macs: bool,
    /// Threads of the load. It shares the processors with the host, if that is on this machine
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
    /// Use so many terminals at most
    #[arg(long, value_name = "N", default_value_t = u16::MAX, hide_default_value = true, value_parser = clap::value_parser!(u16).range(1..))]
    terminals: u16,
    /// Use so many cards at most
    #[arg(long, value_name = "N", default_value_t = u32::MAX, hide_default_value = true, value_parser = clap::value_parser!(u32).range(1..))]
    cards: u32,
    /// Which listener of the sandbox, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    listener: usize,
    /// One more host on the same store; its address takes turns with the sandbox's
    #[arg(long, value_name = "ADDR")]
    also: Vec<std::net::SocketAddr>,
    /// Cards of this product pay
    #[arg(long, value_name = "NAME", default_value = "debit-standard")]
    product: String,
    /// Of the draws: the same seed draws the same cards and faults
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How long an answer is waited for, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 15_000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    reply_timeout_ms: u64,
    /// Do not close the batches at the end, so that totals are not compared
    #[arg(long)]
    no_settlement: bool,
    /// The result as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        Ok(_) | Err(_) => Err("a number above 0 is expected".to_owned()),
    }
}

impl Options {
    fn plan(&self) -> Plan {
        Plan {
            connections: usize::from(self.connections),
            depth: usize::from(self.depth),
            rate: self.rate,
            time: Duration::from_secs(self.seconds),
            warm_up: Duration::from_secs(self.warm_up),
            threads: usize::from(self.threads),
            mix: self.mix,
            check_macs: self.check_macs,
            reply_timeout: Duration::from_millis(self.reply_timeout_ms),
            seed: self.seed,
            ..Plan::default()
        }
    }

    fn choice(&self) -> Choice {
        Choice {
            listener: self.listener,
            product: self.product.clone(),
            terminals: usize::from(self.terminals),
            cards: self.cards as usize,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When there is no sandbox, or nobody in it who can pay.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    crate::process::raise_open_files();
    let sandbox = options.at.open()?;
    let plan = options.plan();
    let mut crew = match Crew::sign_in(sandbox, &options.choice(), &plan).await {
        Ok(crew) => crew,
        Err(CrewError::Terminal(error @ TerminalError::Unreachable { .. })) => {
            eprintln!("pinward: {}", super::sentence(&error.into()));
            return Ok(ExitCode::from(UNAVAILABLE));
        }
        Err(error @ (CrewError::NoTerminal(_) | CrewError::NoCard(_))) => {
            return Err(Usage(error.to_string()).into());
        }
        Err(error) => return Err(error.into()),
    };
    let hosts: Vec<_> = crew.address().into_iter().chain(options.also.iter().copied()).collect();
    crew.spread(&hosts);
    announce(&plan, &crew);
    let live = std::io::stderr().is_terminal();
    let mut report = tokio::task::block_in_place(|| {
        load::run(&plan, &mut crew, &mut |news| {
            if live {
                eprintln!("{}", line(&news))
            }
        })
    })?;
    if !options.no_settlement {
        let (balanced, troubles) = crew.settle().await;
        report.settled(balanced, troubles);
    }
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn announce(plan: &Plan, crew: &Crew) {
    let how = match plan.rate {
        Some(rate) => format!("{rate} a second"),
        None => "as fast as they are answered".to_owned(),
    };
    let (terminals, cards) = (crew.terminals(), crew.cards());
    eprintln!(
        "{terminals} terminals with {cards} cards pay over {} connections, {} deep, {how}, for {} s",
        plan.connections,
        plan.depth,
        plan.time.as_secs()
    );
    if cards < 4 * plan.connections * plan.depth {
        eprintln!(
            "with {} payments under way, cards meet themselves: a host works on one payment of a card at a time",
            plan.connections * plan.depth
        );
    }
}

fn line(news: &News) -> String {
    let News { at, per_second, p50_ms, p99_ms, max_ms } = news;
    format!(
        "{at:5.0} s {per_second:9.0}/s   p50 {p50_ms:8.2} ms   p99 {p99_ms:8.2} ms   longest {max_ms:8.2} ms"
    )
}

fn print(report: &Report) {
    let Report { per_second, connections, depth, kind, .. } = report;
    println!("{per_second:.0} answers a second over {connections} connections, depth {depth}, {kind} loop");
    println!(
        "answered after: p50 {:.2} ms  p90 {:.2} ms  p99 {:.2} ms  p99.9 {:.2} ms  longest {:.2} ms",
        report.p50_ms, report.p90_ms, report.p99_ms, report.p999_ms, report.max_ms
    );
    let answers: Vec<_> = report.answers.iter().map(|(code, count)| format!("{code} × {count}")).collect();
    println!("answers: {}", answers.join("  "));
    for (what, count) in [
        ("wrong PINs", report.wrong_pins),
        ("repeats", report.repeats),
        ("connections cut", report.cuts),
        ("payments reversed", report.reversals),
        ("cards that pay no more (no funds, locked, blocked)", report.cards_retired),
    ] {
        if count > 0 {
            println!("{what}: {count}");
        }
    }
    if let Some(balanced) = report.terminals_balanced {
        println!("totals agree with the host's at {balanced} of {} terminals", report.terminals);
    }
    println!("the load itself took {:.2} µs of a processor per request", report.client_cpu_us_per_request);
    report.troubles.iter().for_each(|trouble| println!("trouble: {trouble}"));
}
