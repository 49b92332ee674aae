//! Finds Java, Spark and Delta's jars on this machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The versions of EMR's default release, which are the tested ones.
pub const PYSPARK: &str = "pyspark==3.5.6";
/// Maven coordinates of the jars that read Delta tables.
pub const DELTA_JARS: [&str; 2] = ["io.delta:delta-spark_2.12:3.3.2", "io.delta:delta-storage:3.3.2"];
/// Prefixes of the names of Delta's jars.
const DELTA_JAR_PREFIXES: [&str; 2] = ["delta-spark_2.12-", "delta-storage-"];
/// The release line of Spark that the jars match.
const SPARK_CORE_PREFIX: &str = "spark-core_2.12-3.5.";
/// The versions of Java that Spark 3.5 runs on.
const JAVA_VERSIONS: [u32; 3] = [8, 11, 17];

/// Java, Spark and Delta, found and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SparkTools {
    spark_home: PathBuf,
    delta_jars: Vec<PathBuf>,
}

/// Something that Spark needs is missing on this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// No Java, or one that Spark 3.5 does not run on.
    #[error("Spark needs Java 17 (or 11, 8): {why}. Install a JRE, such as openjdk-17-jre-headless, or set JAVA_HOME")]
    Java {
        /// What was found instead.
        why: String,
    },
    /// No Spark 3.5.
    #[error(
        "Spark 3.5 was not found ({}). In a checkout run `cargo xtask spark-tools`; elsewhere run \
         `pip install {PYSPARK}`, or set SPARK_HOME",
        tried.join("; ")
    )]
    Spark {
        /// Where it was searched, and what was wrong there.
        tried: Vec<String>,
    },
    /// Spark without Delta.
    #[error(
        "Spark has no Delta jars ({}). In a checkout run `cargo xtask spark-tools`; elsewhere put the Maven artifacts {} \
         into a folder and set SLUICE_DELTA_JARS to it",
        tried.join("; "),
        DELTA_JARS.join(" and ")
    )]
    Delta {
        /// Where they were searched, and what was missing there.
        tried: Vec<String>,
    },
}

impl SparkTools {
    /// Finds the tools. Spark: `SLUICE_SPARK_HOME`, the folder that `cargo xtask spark-tools` fills, `SPARK_HOME`, the
    /// package `pyspark` of `python3`. Delta's jars: `SLUICE_DELTA_JARS`, that folder, `jars` of the Spark that was found.
    /// Starts `java` and perhaps `python3`, which takes some tenths of a second.
    ///
    /// # Errors
    /// What is missing, where it was searched, and how to install it.
    pub fn find() -> Result<Self, ToolError> {
        check_java()?;
        let installed = installed_folder();
        let in_installed = |name: &str| installed.as_ref().map(|folder| folder.join(name));
        let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let candidates: [(&str, &dyn Fn() -> Option<PathBuf>); 4] = [
            ("SLUICE_SPARK_HOME", &|| named("SLUICE_SPARK_HOME")),
            ("the project's tools", &|| in_installed("home")),
            ("SPARK_HOME", &|| named("SPARK_HOME")),
            ("pyspark of python3", &pyspark_of_python),
        ];
        let spark_home = first_fit(&candidates, check_spark).map_err(|tried| ToolError::Spark { tried })?.0;
        let candidates: [(&str, &dyn Fn() -> Option<PathBuf>); 3] = [
            ("SLUICE_DELTA_JARS", &|| named("SLUICE_DELTA_JARS")),
            ("the project's tools", &|| in_installed("jars")),
            ("jars of Spark", &|| Some(spark_home.join("jars"))),
        ];
        let (folder, jars) = first_fit(&candidates, delta_jars_in).map_err(|tried| ToolError::Delta { tried })?;
        // Jars in Spark's own folder are loaded anyway.
        let delta_jars = if folder == spark_home.join("jars") { Vec::new() } else { jars };
        Ok(Self { spark_home, delta_jars })
    }

    /// The folder of Spark.
    pub fn spark_home(&self) -> &Path {
        &self.spark_home
    }

    /// The program that runs scripts of SQL.
    pub fn spark_sql(&self) -> PathBuf {
        self.spark_home.join("bin/spark-sql")
    }

    /// Jars that must be passed to Spark; empty when it has them.
    pub fn delta_jars(&self) -> &[PathBuf] {
        &self.delta_jars
    }
}

/// The first configured candidate that passes its check, with the result of the check; otherwise one line about each.
fn first_fit<T>(
    candidates: &[(&str, &dyn Fn() -> Option<PathBuf>)],
    judge: impl Fn(&Path) -> Result<T, String>,
) -> Result<(PathBuf, T), Vec<String>> {
    let mut tried = Vec::new();
    for (name, find) in candidates {
        match find() {
            None => tried.push(format!("{name}: none")),
            Some(place) => match judge(&place) {
                Ok(found) => return Ok((place, found)),
                Err(why) => tried.push(format!("{name}: {why}")),
            },
        }
    }
    Err(tried)
}

/// The folder `spark` among the tools of a checkout: named by `SLUICE_TOOLS`, otherwise next to the build folder of this program.
fn installed_folder() -> Option<PathBuf> {
    if let Some(tools) = env::var_os("SLUICE_TOOLS") {
        return Some(PathBuf::from(tools).join("spark"));
    }
    // <target>/debug/sluice, or <target>/debug/deps/test-….
    let program = env::current_exe().ok()?;
    program.ancestors().skip(2).take(2).map(|folder| folder.join("tools/spark")).find(|folder| folder.is_dir())
}

fn pyspark_of_python() -> Option<PathBuf> {
    let question =
        "import importlib.util as u; s = u.find_spec('pyspark'); print(s.submodule_search_locations[0] if s else '')";
    let answer = Command::new("python3").args(["-c", question]).stdin(Stdio::null()).output().ok()?;
    let place = String::from_utf8(answer.stdout).ok()?;
    let place = place.trim();
    (answer.status.success() && !place.is_empty()).then(|| PathBuf::from(place))
}

fn check_spark(home: &Path) -> Result<(), String> {
    if !home.join("bin/spark-sql").is_file() {
        return Err(format!("{} has no bin/spark-sql", home.display()));
    }
    let names = names_in(&home.join("jars"))?;
    let fits = names.iter().any(|name| name.starts_with(SPARK_CORE_PREFIX));
    let is_core = |name: &&String| name.starts_with("spark-core_");
    let core = || names.iter().find(is_core).map_or("no spark-core", String::as_str);
    if fits { Ok(()) } else { Err(format!("{} is not Spark 3.5 with Scala 2.12, but has {}", home.display(), core())) }
}

fn delta_jars_in(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let names = names_in(folder)?;
    let jar = |prefix: &&str| {
        let fits = |name: &&String| {
            name.starts_with(prefix) && Path::new(name).extension().is_some_and(|extension| extension == "jar")
        };
        let found = names.iter().find(fits).map(|name| folder.join(name));
        found.ok_or_else(|| format!("{} has no {prefix}….jar", folder.display()))
    };
    DELTA_JAR_PREFIXES.iter().map(jar).collect()
}

fn names_in(folder: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// Spark's scripts use the Java of `JAVA_HOME`, otherwise the one in `PATH`.
fn check_java() -> Result<(), ToolError> {
    let java = env::var_os("JAVA_HOME")
        .filter(|home| !home.is_empty())
        .map_or_else(|| PathBuf::from("java"), |home| PathBuf::from(home).join("bin/java"));
    let why = |why: String| ToolError::Java { why };
    let answer = Command::new(&java).arg("-version").stdin(Stdio::null()).output();
    let answer = answer.map_err(|error| why(format!("cannot start {}: {error}", java.display())))?;
    let text = String::from_utf8_lossy(&answer.stderr).into_owned();
    match java_version(&text) {
        Some(version) if JAVA_VERSIONS.contains(&version) => Ok(()),
        Some(version) => Err(why(format!("{} is version {version}", java.display()))),
        None => Err(why(format!("{} does not print its version: {}", java.display(), text.trim()))),
    }
}

/// The major version in the first line of `java -version`: `1.8.0_402` is 8.
fn java_version(text: &str) -> Option<u32> {
    let version = text.lines().find(|line| line.contains(" version "))?.split('"').nth(1)?;
    let version = version.strip_prefix("1.").unwrap_or(version);
    version.split(['.', '-', '+']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advised_versions_are_those_that_a_checkout_installs() {
        let jars: Vec<&str> = include_str!("../../tests/judges/spark-jars.txt").lines().collect();
        assert_eq!(jars, DELTA_JARS);
        let packages = include_str!("../../tests/judges/spark-requirements.txt");
        assert!(packages.lines().any(|line| line == PYSPARK));
    }

    #[test]
    fn the_java_version_is_read_in_all_three_styles() {
        let check = |text: &str, expected: Option<u32>| assert_eq!(java_version(text), expected, "{text}");
        check("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime", Some(17));
        check("Picked up _JAVA_OPTIONS: -Xmx1g\nopenjdk version \"11.0.2\"", Some(11));
        check("java version \"1.8.0_402\"", Some(8));
        check("openjdk version \"21\"", Some(21));
        check("bash: java: not found", None);
    }

    fn spark(folder: &Path, jars: &[&str]) {
        fs::create_dir_all(folder.join("bin")).unwrap();
        fs::create_dir_all(folder.join("jars")).unwrap();
        fs::write(folder.join("bin/spark-sql"), "").unwrap();
        for jar in jars {
            fs::write(folder.join("jars").join(jar), "").unwrap();
        }
    }

    #[test]
    fn a_folder_is_accepted_only_with_the_right_spark_and_delta_files() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("spark");
        assert!(check_spark(&home).unwrap_err().contains("has no bin/spark-sql"));
        spark(&home, &["spark-core_2.13-4.0.0.jar"]);
        assert!(check_spark(&home).unwrap_err().contains("spark-core_2.13-4.0.0.jar"));
        spark(&home, &["spark-core_2.12-3.5.6.jar", "delta-spark_2.12-3.3.2.jar"]);
        assert_eq!(check_spark(&home), Ok(()));
        assert!(delta_jars_in(&home.join("jars")).unwrap_err().contains("delta-storage-"));
        spark(&home, &["delta-storage-3.3.2.jar"]);
        let jars = delta_jars_in(&home.join("jars")).unwrap();
        let expected = ["delta-spark_2.12-3.3.2.jar", "delta-storage-3.3.2.jar"];
        assert_eq!(jars, expected.map(|name| home.join("jars").join(name)));
    }

    #[test]
    fn the_first_candidate_that_fits_is_taken_and_the_others_are_named() {
        let is_b = |place: &Path| if place == Path::new("b") { Ok(()) } else { Err("wrong".to_owned()) };
        let none: &dyn Fn() -> Option<PathBuf> = &|| None;
        let a: &dyn Fn() -> Option<PathBuf> = &|| Some("a".into());
        let b: &dyn Fn() -> Option<PathBuf> = &|| Some("b".into());
        assert_eq!(first_fit(&[("n", none), ("a", a), ("b", b)], is_b).unwrap().0, Path::new("b"));
        assert_eq!(first_fit(&[("n", none), ("a", a)], is_b).unwrap_err(), ["n: none", "a: wrong"]);
    }
}
