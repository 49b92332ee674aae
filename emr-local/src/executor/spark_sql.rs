//! Steps that really run: `spark-sql` as a process on this machine.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;

use super::{Leash, StepCall, StepEnd, StepExecutor, StepFault, StepFuture, StopSignal, failure_of};
use crate::tools::SparkTools;

/// Environment variables that are passed on to Spark: only those that locate programs.
const KEPT_VARIABLES: [&str; 2] = ["PATH", "JAVA_HOME"];

/// How much of this machine one step may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SparkLimits {
    /// Threads that compute.
    pub cores: NonZeroUsize,
    /// Heap of the Java process in MiB.
    pub memory_mb: u32,
}

impl Default for SparkLimits {
    /// At most four cores, and 2 GiB.
    fn default() -> Self {
        let four = NonZeroUsize::MIN.saturating_add(3);
        Self { cores: available_parallelism().map_or(NonZeroUsize::MIN, |cores| cores.min(four)), memory_mb: 2048 }
    }
}

/// Runs steps of `command-runner.jar` that are `["spark-sql", …]`; other steps fail, and say so.
///
/// Each step has a folder of its own for everything Spark writes besides its outputs: home, temporary files, warehouse.
/// The catalogue is in memory, so there is no Derby and no metastore. Master, memory and addresses are set for this machine
/// and override the step's options; all other options of the step are passed on.
#[derive(Debug, Clone)]
pub struct SparkSteps {
    tools: SparkTools,
    limits: SparkLimits,
}

impl SparkSteps {
    /// An executor that runs steps with these tools.
    pub fn new(tools: SparkTools, limits: SparkLimits) -> Self {
        Self { tools, limits }
    }

    fn start(&self, call: &StepCall) -> Result<(Leash, PathBuf), String> {
        let arguments = spark_sql_arguments(call)?;
        let cannot = |error: io::Error| format!("cannot start spark-sql: {error}");
        let command = self.command(&call.folder, arguments).map_err(cannot)?;
        let (stdout, stderr) = (call.folder.join("stdout"), call.folder.join("stderr"));
        Ok((Leash::start(&command, &stdout, &stderr).map_err(cannot)?, stderr))
    }

    fn command(&self, folder: &Path, arguments: Vec<String>) -> io::Result<Command> {
        let [work, conf, temporary] = ["work", "conf", "tmp"].map(|name| folder.join(name));
        for made in [&work, &conf, &temporary] {
            fs::create_dir_all(made)?;
        }
        let mut command = Command::new("env");
        command.arg("-i").current_dir(&work);
        let mut variable = |name: &str, value: OsString| {
            let mut pair = OsString::from(name);
            pair.push("=");
            pair.push(value);
            command.arg(pair);
        };
        for name in KEPT_VARIABLES {
            if let Some(value) = std::env::var_os(name) {
                variable(name, value);
            }
        }
        variable("HOME", work.clone().into());
        variable("SPARK_HOME", self.tools.spark_home().into());
        variable("SPARK_CONF_DIR", conf.into());
        variable("SPARK_LOCAL_DIRS", temporary.clone().into());
        variable("SPARK_LOCAL_IP", "127.0.0.1".into());
        // Java before 18 takes the encoding of files from here, and scripts are UTF-8.
        variable("LC_ALL", "C.UTF-8".into());
        command.arg(self.tools.spark_sql());
        let conf = |command: &mut Command, pair: String| {
            command.arg("--conf").arg(pair);
        };
        let jars: Vec<_> = self.tools.delta_jars().iter().map(|jar| jar.to_string_lossy()).collect();
        if !jars.is_empty() {
            command.args(["--jars", &jars.join(",")]);
        }
        // Otherwise Spark reads a Delta snapshot in 50 tasks, which wastes seconds on one machine.
        conf(&mut command, "spark.databricks.delta.snapshotPartitions=1".to_owned());
        command.args(arguments);
        // After the step's own options, because the last value of an option wins.
        let cores = self.limits.cores;
        command.args(["--master", &format!("local[{cores}]"), "--deploy-mode", "client"]);
        command.args(["--driver-memory", &format!("{}m", self.limits.memory_mb)]);
        conf(&mut command, format!("spark.sql.shuffle.partitions={cores}"));
        conf(&mut command, "spark.sql.catalogImplementation=in-memory".to_owned());
        conf(&mut command, format!("spark.sql.warehouse.dir={}", work.join("warehouse").display()));
        for setting in [
            "spark.ui.enabled=false",
            "spark.eventLog.enabled=false",
            "spark.dynamicAllocation.enabled=false",
            "spark.driver.host=127.0.0.1",
            "spark.driver.bindAddress=127.0.0.1",
        ] {
            conf(&mut command, setting.to_owned());
        }
        let java = format!("-Djava.io.tmpdir={} -Dfile.encoding=UTF-8 -XX:TieredStopAtLevel=1", temporary.display());
        command.args(["--driver-java-options", &java]);
        Ok(command)
    }
}

impl StepExecutor for SparkSteps {
    fn run(&self, call: StepCall, mut stop: StopSignal) -> StepFuture {
        let started = self.start(&call);
        Box::pin(async move {
            match started {
                Ok((leash, stderr)) => failure_of(leash.end(&mut stop).await, &stderr),
                Err(message) => {
                    StepEnd::Failed(StepFault { reason: "Unknown Error.".to_owned(), message, log_file: None })
                }
            }
        })
    }
}

/// What follows `spark-sql` in the step.
fn spark_sql_arguments(call: &StepCall) -> Result<Vec<String>, String> {
    match call.arguments.split_first() {
        Some((program, rest)) if call.jar == "command-runner.jar" && program == "spark-sql" => Ok(rest.to_vec()),
        _ => Err(format!(
            "the local EMR only runs command-runner.jar with spark-sql, not {} {}",
            call.jar,
            call.arguments.join(" ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_steps_that_call_spark_sql_are_run() {
        let check = |jar: &str, arguments: &[&str], expected: Option<&[&str]>| {
            let call = StepCall {
                cluster_id: "j-1".to_owned(),
                step_id: "s-1".to_owned(),
                name: "etl".to_owned(),
                jar: jar.to_owned(),
                arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
                folder: PathBuf::new(),
                logs: None,
            };
            let found = spark_sql_arguments(&call).ok();
            let expected: Option<Vec<String>> = expected.map(|rest| rest.iter().map(|&each| each.to_owned()).collect());
            assert_eq!(found, expected, "{jar} {arguments:?}");
        };
        check("command-runner.jar", &["spark-sql", "-f", "x.sql"], Some(&["-f", "x.sql"]));
        check("command-runner.jar", &["spark-sql", "-f", "s3://b/x.sql"], Some(&["-f", "s3://b/x.sql"]));
        check("command-runner.jar", &["spark-submit", "x.py"], None);
        check("other.jar", &["spark-sql"], None);
        check("command-runner.jar", &[], None);
    }
}
