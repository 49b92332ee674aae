//! Options of `sluice ui`.

use std::path::PathBuf;

use clap::Args;
use sluice_core::access::Principal;

use super::LakeOption;

/// Open the console of a lake: runs, products, quality and lineage as pages in a browser
///
/// Serves what `sluice serve` serves, on 127.0.0.1 only, and opens the console in the browser that BROWSER names, or in
/// that of the system. With --as, the opened page signs its browser in as that principal: its address is good once, for
/// 5 minutes, and the session ends with this command. Without, the console asks for a token (`sluice share create`).
/// Calls of programs need a token in any case.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sluice ui --lake lake --as arn:aws:iam::123456789012:role/analyst
  sluice ui --lake lake --no-open       # prints the address; for machines that others use, too")]
pub struct UiArguments {
    /// The lake.
    #[command(flatten)]
    pub lake: LakeOption,
    /// Port on 127.0.0.1; 0 picks a free one
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Whom the opened page signs in, as policies name them
    #[arg(long = "as", value_name = "PRINCIPAL")]
    pub caller: Option<Principal>,
    /// Print the address, and start no browser
    #[arg(long)]
    pub no_open: bool,
    /// Append one JSON line per access to this file
    #[arg(long, value_name = "FILE")]
    pub audit: Option<PathBuf>,
}
