//! A worker of `sluice serve`: a process that answers questions, so that one that takes too much can be ended.

use anyhow::{Context, Result};
use sluice_lake::serve::{QueryLimits, Snapshots, answer};
use tokio::io::AsyncReadExt;

use super::wire::{next_question, send_answer};
use crate::arguments::WorkerArguments;
use crate::fault::Exit;

/// Tables that a worker keeps open; each may take some 20 MB where it has ten thousand files.
const KEPT_TABLES: usize = 8;

/// What is added to the priority number of a worker: the server, which answers small requests itself, gets nine tenths of a
/// core that both want, and an idle core is a worker's alone.
#[cfg(unix)]
const BEHIND_THE_SERVER: i32 = 10;

/// Sets the limits and the priority of this process, before it has threads.
///
/// # Errors
/// When the system refuses them.
pub(crate) fn limit_this_process(arguments: &WorkerArguments) -> Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limits = [
            // Other systems than Linux take this limit and do not keep to it, or refuse it.
            #[cfg(target_os = "linux")]
            (Resource::As, arguments.address_bytes),
            (Resource::Cpu, arguments.cpu_seconds),
            // A process that ran out of memory would write all of it to the disk.
            (Resource::Core, 0),
        ];
        for (resource, most) in limits {
            let most = getrlimit(resource).maximum.map_or(most, |maximum| maximum.min(most));
            let limit = Rlimit { current: Some(most), maximum: Some(most) };
            setrlimit(resource, limit).with_context(|| format!("cannot limit {resource:?} to {most}"))?;
        }
        rustix::process::nice(BEHIND_THE_SERVER).context("cannot lower the priority of a worker")?;
    }
    #[cfg(not(unix))]
    let _ = arguments;
    Ok(())
}

/// Ends this process when a library panics because it gets no memory, as the process ends where others get none: the server
/// then knows why. At once: to report such a panic takes memory, and a backtrace takes long without it.
fn abort_without_memory() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str().is_some_and(is_lack_of_memory) {
            std::process::abort();
        }
        report(panic);
    }));
}

/// Whether libraries panic in these words when they get no memory. None of them has a type for it.
fn is_lack_of_memory(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    ["allocat", "capacity overflow", "out of memory"].iter().any(|sign| words.contains(sign))
}

/// Answers questions from standard input on standard output until the server closes it.
pub(crate) async fn run(arguments: WorkerArguments) -> Result<Exit> {
    crate::commands::serve::start_log();
    abort_without_memory();
    let lake = arguments.lake.place.open_lake().await?;
    let tables = Snapshots::keeping(lake, KEPT_TABLES);
    let (mut questions, mut answers) = (tokio::io::stdin(), tokio::io::stdout());
    while let Some(text) = next_question(&mut questions).await.context("cannot read a question")? {
        let question = serde_json::from_slice(&text).context("a question cannot be understood")?;
        let answered = tokio::select! {
            answered = answer(&tables, question, QueryLimits::default()) => answered,
            // The server sends nothing while it waits for an answer: it has ended, and nobody waits any more.
            _ = questions.read_u8() => return Ok(Exit::Done),
        };
        send_answer(&mut answers, &answered).await.context("cannot send an answer")?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_memory_is_known_by_its_words() {
        for words in
            ["Cannot allocate memory to hold CompactString", "capacity overflow", "memory allocation of 8 bytes failed"]
        {
            assert!(is_lack_of_memory(words), "{words}");
        }
        assert!(!is_lack_of_memory("called `Option::unwrap()` on a `None` value"));
    }
}
