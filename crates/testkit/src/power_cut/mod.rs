//! Power cuts: the host and the embedded store on a machine of their own, whose power goes.
//!
//! ```text
//!  outside                                      inside: a user-mode Linux on an ext4 image
//!  make an image ──────────────────────────────► the host, its store, terminals over the loopback
//!  note every answer that a terminal printed ◄── "ack terminal trace-number reference code"
//!  kill -9 at a random moment: what the machine's kernel had not written is gone
//!  open the image: is every answer in the journal, and the rest as the journal says?
//!  boot it again, and so on
//! ```
//!
//! Killing a program does not do: what it wrote stays in the kernel's page cache. Here the kernel itself dies. The negative
//! control is the same machine on a store whose commits do not wait for the disk (`commits_synced`): it must lose
//! answers, or this test could not tell the difference.

mod guest;
mod image;
mod machine;
mod verdict;

pub use guest::guest;

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, ensure};

use image::Image;
use machine::Machine;
use verdict::{Answer, Verdict};

/// So many cuts on one image: trace numbers and terminals start anew with the next.
const CUTS_PER_IMAGE: u32 = 10;
/// A terminal uses fewer trace numbers than this before the power goes.
const STANS_PER_CUT: u32 = 50_000;
/// The power goes so long after the first answer.
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_millis(2500);
/// The control may be cut by chance right after the disk was waited for; not every time.
const CONTROL_CUTS: u32 = 3;
const CONTROL_CUTS_LIMIT: u32 = 10;

/// Cuts the power `cuts` times, and at least [`CONTROL_CUTS`] times with the negative control. Prints a line for each.
///
/// # Errors
/// A tool is missing, the machine does not come up, an answer is lost, a store cannot be right, or the control lost
/// nothing.
pub async fn run(cuts: u32) -> anyhow::Result<()> {
    let answers = series("synced", true, cuts, |verdict| {
        ensure!(verdict.faults.is_empty(), "{}", verdict.faults.join("; "));
        ensure!(verdict.lost.is_empty(), "not in the journal, one of them: {:?}", verdict.lost[0]);
        Ok(())
    })
    .await?;
    let (mut control, mut of, mut lost) = (0, 0, 0);
    while control < CONTROL_CUTS.max(cuts / 20) || (lost == 0 && control < CONTROL_CUTS_LIMIT) {
        control += 1;
        of += series("not synced", false, 1, |verdict| {
            lost += verdict.lost.len();
            Ok(())
        })
        .await?;
    }
    println!(
        "{cuts} cuts, {answers} answers, 0 lost; the control: {control} cuts, {of} answers, {lost} lost"
    );
    ensure!(lost > 0, "the control lost nothing: this machine does not show what a power cut does");
    Ok(())
}

/// A series of cuts; how many answers there were.
async fn series(
    name: &str,
    synced: bool,
    cuts: u32,
    mut judge: impl FnMut(&Verdict) -> anyhow::Result<()>,
) -> anyhow::Result<usize> {
    let mut all = 0;
    let mut left = cuts;
    while left > 0 {
        let image = Image::new()?;
        let mut answers = Vec::new();
        // A control that lost answers may have a store that refuses to open: each of its cuts gets an image of its own.
        let here = left.min(if synced { CUTS_PER_IMAGE } else { 1 });
        for cut in 0..here {
            let more = one_cut(&image, synced, 1 + cut * STANS_PER_CUT)?;
            all += more.len();
            answers.extend(more);
            let verdict = verdict::judge(&image.data()?, &answers).await?;
            println!("{name}: {} answers so far, {verdict}", answers.len());
            judge(&verdict).with_context(|| format!("{name}, cut {} of this image", cut + 1))?;
        }
        left -= here;
    }
    Ok(all)
}

/// Boots the image, lets it work for a random time, and cuts its power. Gives the answers that were seen.
fn one_cut(image: &Image, synced: bool, first_stan: u32) -> anyhow::Result<Vec<Answer>> {
    let mut machine = Machine::boot(image.file(), synced, first_stan)?;
    let mut seen = machine.first_answer()?;
    seen.extend(machine.answers_for(random_between(SHORTEST, LONGEST)));
    seen.extend(machine.cut()?);
    seen.iter().map(|line| Answer::read(line)).collect()
}

fn random_between(shortest: Duration, longest: Duration) -> Duration {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.subsec_nanos());
    let share = f64::from(nanos.wrapping_mul(2_654_435_761)) / f64::from(u32::MAX);
    shortest + (longest - shortest).mul_f64(share)
}

/// Runs a tool; what it printed.
fn tool(command: &mut std::process::Command) -> anyhow::Result<String> {
    let name = Path::new(command.get_program()).display().to_string();
    let output = command.output().with_context(|| format!("{name} is missing"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} ended with {}: {said}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
