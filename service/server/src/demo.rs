//! `pointbridge demo`: the hub's main job, done for real, with each outcome held against what is expected.
//!
//! It starts the real hub as a child process on a free loopback port, connects partners as gRPC clients over mutual
//! TLS, plays the scenario, sums up what the hub says, and has `check` recompute it all. The scenario is one file,
//! `scenario.rs`; every number that is printed comes from an answer of the hub. Absent: any short cut into the hub's
//! code or data.

mod answer;
mod book;
mod calls;
mod child;
mod closing;
mod grpcurl;
mod output;
mod progress;
mod scenario;
mod script;
mod stage;
mod summary;
mod table;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use tokio::signal::unix::{SignalKind, signal};

use self::answer::Stop;
use self::child::HubProcess;
use self::closing::Closing;
use self::output::Form;
use self::progress::Progress;
use self::script::Chapter;
use self::stage::{Failure, Stage};
use self::summary::Summary;
use crate::secret_file;

/// How to run the demo.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The folder for keys, certificates and database, new or empty; `None` for a fresh one among the temporary files,
    /// which is deleted at the end unless the hub is kept.
    pub data: Option<PathBuf>,
    /// Print one JSON object instead of tables.
    pub json: bool,
    /// Leave the hub running at the end, and print how to ask it and how to stop it.
    pub keep: bool,
}

/// Runs the demo. The exit code is 0 where each step went as expected and `check` found nothing, else 1.
///
/// # Errors
/// The hub does not start or end in order, cannot be reached, or the demo is interrupted.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let is_temporary = options.data.is_none();
    let data = std::path::absolute(options.data.clone().unwrap_or_else(temporary_folder))?;
    secret_file::create_folder(&data)?;
    let is_empty = std::fs::read_dir(&data).is_ok_and(|mut entries| entries.next().is_none());
    ensure!(is_empty, "{} is not empty: name a new folder, or an empty one", data.display());
    let ran = perform(&options, &data).await;
    if is_temporary && (!options.keep || ran.is_err()) {
        let removed = std::fs::remove_dir_all(&data);
        removed.with_context(|| format!("cannot remove {}", data.display()))?;
    }
    Ok(if ran? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A folder that nobody has yet.
fn temporary_folder() -> PathBuf {
    std::env::temp_dir().join(format!("pointbridge-demo-{}", uuid::Uuid::new_v4().simple()))
}

/// What was played.
struct Played<'a> {
    stage: Stage<'a>,
    closing: Closing,
    failure: Option<Failure>,
}

async fn perform(options: &Options, data: &Path) -> anyhow::Result<bool> {
    let form = if options.json { Form::Json } else { Form::Tables };
    let chapters = scenario::chapters();
    let progress = Progress::new(chapters.iter().map(|chapter| chapter.steps.len()).sum())?;
    progress.say("starting the hub");
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hub = HubProcess::start(data, options.keep).await?;
    let told = tokio::select! {
        told = tell(&mut hub, &chapters, &progress, Telling { form, keep: options.keep, data }) => told,
        _ = terminate.recv() => Err(anyhow::anyhow!("told to end")),
        _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted")),
    };
    if told.is_err() {
        // What went wrong first is the news, whether or not the hub then ends in order.
        hub.stop().await.ok();
    }
    told
}

/// How the run is told, and what stays of it.
#[derive(Clone, Copy)]
struct Telling<'a> {
    form: Form,
    keep: bool,
    data: &'a Path,
}

/// Plays, checks and tells. Whatever fails here, the caller ends the hub.
async fn tell(
    hub: &mut HubProcess,
    chapters: &[Chapter],
    progress: &Progress,
    Telling { form, keep, data }: Telling<'_>,
) -> anyhow::Result<bool> {
    let Played { stage: Stage { book, rows, .. }, closing, failure } =
        play(hub, chapters, progress, form).await?;
    progress.say("checking");
    if !keep {
        hub.stop().await?;
    }
    let check = child::check(data).await?;
    progress.done();
    let summary = Summary::new(&rows, &closing, check.clone(), failure);
    form.end(&summary, &check)?;
    if keep {
        let lines = grpcurl::lines(hub, &book, data)?;
        match form {
            Form::Tables => form.write(&lines)?,
            // Standard output belongs to the object alone.
            Form::Json => writeln!(std::io::stderr(), "{lines}")?,
        }
    }
    Ok(summary.is_good())
}

async fn play<'a>(
    hub: &'a HubProcess,
    chapters: &[Chapter],
    progress: &'a Progress,
    form: Form,
) -> anyhow::Result<Played<'a>> {
    let mut stage = Stage::new(hub, progress);
    for chapter in chapters {
        let begin = stage.rows.len();
        let failure = stage.play(chapter).await?;
        let rows = stage.rows.get(begin..).unwrap_or_default();
        progress.aside(|| form.chapter(chapter.title, rows))?;
        if let Some(failure) = failure {
            progress.aside(|| form.failure(&failure))?;
            return Ok(Played { stage, closing: Closing::default(), failure: Some(failure) });
        }
    }
    progress.say("reading where everything stands");
    let closing = match closing::read(&mut stage.callers, &stage.book).await {
        Ok(closing) => closing,
        Err(Stop::Broken(error)) => return Err(error),
        Err(Stop::Refused(refusal)) => bail!("the hub refused to tell where everything stands: {refusal}"),
    };
    progress.aside(|| form.closing(&closing))?;
    Ok(Played { stage, closing, failure: None })
}
