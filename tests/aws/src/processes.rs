//! Processes of the bed: each leads a group of its own, so that nothing it starts outlives it.

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process_group};

/// Reads `+ group` and `- group`, and kills what it still has when its input ends.
const SCRIPT: &str = "all=; while read -r sign group; do rest=; for one in $all; do [ \"$one\" = \"$group\" ] || \
    rest=\"$rest $one\"; done; all=$rest; [ \"$sign\" = - ] || all=\"$all $group\"; done; \
    for one in $all; do kill -9 \"-$one\"; done";

/// A process that outlives the bed for a moment: when the bed is killed, it can end nothing itself, so this guard does.
#[derive(Debug)]
pub(crate) struct Guard {
    input: Mutex<Option<ChildStdin>>,
    shell: Mutex<Child>,
}

impl Guard {
    /// Starts the guard in a group of its own: a signal to the bed's group must not end it.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT]).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = command.spawn().context("cannot start the guard of the bed's processes")?;
        let input = Mutex::new(shell.stdin.take());
        Ok(Self { input, shell: Mutex::new(shell) })
    }

    /// A group has started.
    pub(crate) fn watch(&self, group: u32) {
        self.send('+', group);
    }

    /// A group has ended.
    pub(crate) fn release(&self, group: u32) {
        self.send('-', group);
    }

    fn send(&self, sign: char, group: u32) {
        if let Some(input) = self.input.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            // The bed works without its guard; processes would only be left if the bed were killed.
            let _ = writeln!(input, "{sign} {group}");
        }
    }

    /// Ends the guard and the processes it still knows.
    pub(crate) fn end(&self) -> std::io::Result<()> {
        self.input.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.shell.lock().unwrap_or_else(PoisonError::into_inner).wait().map(drop)
    }
}

/// The living instances of a deployment.
#[derive(Debug)]
pub(crate) struct Processes {
    living: Mutex<HashMap<String, u32>>,
    guard: Arc<Guard>,
}

impl Processes {
    /// Creates an empty set.
    pub(crate) fn new(guard: Arc<Guard>) -> Self {
        Self { living: Mutex::default(), guard }
    }

    /// An instance has started.
    pub(crate) fn add(&self, instance: &str, pid: u32) {
        self.guard.watch(pid);
        self.locked().insert(instance.to_owned(), pid);
    }

    /// An instance has ended.
    pub(crate) fn remove(&self, instance: &str) {
        if let Some(pid) = self.locked().remove(instance) {
            self.guard.release(pid);
        }
    }

    /// Kills an instance, if it is alive.
    pub(crate) fn kill(&self, instance: &str) {
        // Under the lock, so that a pid is removed before another process can get it.
        if let Some(pid) = self.locked().get(instance) {
            kill_group(*pid);
        }
    }

    /// Kills all, and waits until they have ended.
    pub(crate) async fn end(&self) {
        for _ in 0..500 {
            {
                let living = self.locked();
                if living.is_empty() {
                    return;
                }
                living.values().copied().for_each(kill_group);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<String, u32>> {
        self.living.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Kills a process that leads a group, with all that it started.
pub(crate) fn kill_group(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // The group may have ended already.
        let _ = kill_process_group(pid, Signal::KILL);
    }
}
