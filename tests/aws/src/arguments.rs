//! The command line.

use std::path::PathBuf;

use anyhow::{Context, bail};

/// How to call the bed.
pub(crate) const USAGE: &str = "sluice-bed --functions DIR --policies DIR [--moto PROGRAM] --data DIR";

/// The programs and folders of the bed.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// Folder with one program per function.
    pub(crate) functions: PathBuf,
    /// Folder with one IAM policy per function.
    pub(crate) policies: PathBuf,
    /// The server of moto; without it the bed only has S3 and Lambda.
    pub(crate) moto: Option<PathBuf>,
    /// Where the bed keeps its files while it runs.
    pub(crate) data: PathBuf,
}

impl Arguments {
    /// Reads the arguments after the program's name. Paths become absolute: functions run in another folder.
    pub(crate) fn parse(given: impl IntoIterator<Item = String>) -> anyhow::Result<Self> {
        let (mut functions, mut policies, mut moto, mut data) = (None, None, None, None);
        let mut given = given.into_iter();
        while let Some(name) = given.next() {
            let slot = match name.as_str() {
                "--functions" => &mut functions,
                "--policies" => &mut policies,
                "--moto" => &mut moto,
                "--data" => &mut data,
                _ => bail!("unknown argument {name}\nusage: {USAGE}"),
            };
            let value = given.next().with_context(|| format!("{name} has no value\nusage: {USAGE}"))?;
            let path = std::path::absolute(&value).with_context(|| format!("{name} {value}"))?;
            if slot.replace(path).is_some() {
                bail!("{name} is given twice");
            }
        }
        let needed = |path: Option<PathBuf>, name| path.with_context(|| format!("{name} is missing\nusage: {USAGE}"));
        Ok(Self {
            functions: needed(functions, "--functions")?,
            policies: needed(policies, "--policies")?,
            moto,
            data: needed(data, "--data")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_argument_is_named_in_the_error() {
        let check = |line: &str, expected: &str| {
            let error = Arguments::parse(line.split_whitespace().map(str::to_owned)).expect_err(expected);
            assert!(error.to_string().contains(expected), "{error}");
        };
        check("--functions /f --policies /p", "--data is missing");
        check("--functions /f --functions /g", "given twice");
        check("--functions", "has no value");
        check("--port 3", "unknown argument --port");
        let whole = "--functions /f --policies /p --data /d".split_whitespace().map(str::to_owned);
        assert!(Arguments::parse(whole).is_ok_and(|arguments| arguments.moto.is_none()));
    }
}
