use clap::CommandFactory;

use super::*;

#[test]
fn the_command_line_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn valid_command_lines_are_accepted_and_invalid_ones_refused() {
    let check = |line: &str, accepted: bool| {
        let parsed = Arguments::try_parse_from(line.split(' '));
        assert_eq!(parsed.is_ok(), accepted, "{line}: {:?}", parsed.err().map(|error| error.to_string()));
    };
    check("sluice sample landing --start 2026-01-05 --days 5 --rows 3000 --seed 7 --dirt 0.35", true);
    check("sluice sample --out landing", true);
    check("sluice sample", false);
    check("sluice sample a --out b", false);
    check("sluice sample landing --dirt 1.5", false);
    check("sluice sample landing --start 2026-02-30", false);
    check("sluice sample landing --days 0", false);
    check("sluice sample landing --rows 0", false);
    check("sluice check pipelines/retail --json", true);
    check("sluice check --schema", true);
    check("sluice check --schema policy", true);
    check("sluice check --schema product", false);
    check("sluice check", false);
    check("sluice init s3://bucket/in/ a.csv --encoding Shift_JIS", true);
    check("sluice init a.csv --encoding utf-7", false);
    check("sluice lineage", true);
    check("sluice lineage pipelines/a pipelines/b orders.amount --downstream --json", true);
    check("sluice lineage pipelines/a --upstream", false);
    check("sluice profile orders.csv", true);
    check("sluice profile silver/sales/orders --lake lake --columns id,amount --version 3 --against 2 --json", true);
    check("sluice profile", false);
    check("sluice profile a.csv --version x", false);
    check("sluice run pipelines/retail --lake lake --landing landing --run-id a-1", true);
    check("sluice run pipelines/retail --lake s3://bucket/lake", true);
    check("sluice run pipelines/retail --lake lake --openlineage https://host/api/v1/lineage", true);
    check("sluice run pipelines/retail --lake lake --openlineage none", true);
    check("sluice run pipelines/retail --lake lake --openlineage kinesis:stream", false);
    check("sluice runs openlineage day-1 --lake lake --send --openlineage file:///lineage", true);
    check("sluice quarantine replay pipelines/retail --lake lake --openlineage lake", true);
    check("sluice run pipelines/retail --lake http://bucket/lake", false);
    check("sluice run pipelines/retail --lake lake --engine emr", true);
    check("sluice run pipelines/retail --lake lake --engine polars", true);
    check("sluice run pipelines/retail --lake lake --engine flink", false);
    check("sluice run --event e.json --lake lake --engine emr", false);
    check("sluice run pipelines/retail --lake lake --run-id ../x", false);
    check("sluice runs list --lake lake --json", true);
    check("sluice --json runs list --lake lake", true);
    check("sluice runs show x --lake lake --pipeline retail", true);
    check("sluice runs report x --lake lake --open", true);
    check("sluice runs report x --lake lake --out report.html --json", true);
    check("sluice runs report --lake lake", false);
    check("sluice runs accept x --lake lake --by me --reason ok", true);
    check("sluice runs accept x --lake lake --by me", false);
    check("sluice cost --lake lake --month 2026-12 --pipeline retail --prices p.yaml --audit a.jsonl --json", true);
    check("sluice cost --lake lake --run x --csv", true);
    check("sluice cost --lake lake --month 12-2026", false);
    check("sluice cost --lake lake --pipeline Retail", false);
    check("sluice alerts list --json", true);
    check("sluice alerts test on-call", true);
    check("sluice alerts test On-Call", false);
    check("sluice alerts test", false);
    check("sluice source release --lake lake", false);
    check("sluice source release --run x --lake lake", true);
    check("sluice source show a.csv --at 17 --lake lake --pipeline retail", true);
    check("sluice source show s3://b/a.csv --at 0 --by byte --lake lake --json", true);
    check("sluice source show a.csv --lake lake", false);
    check("sluice source show a.csv --at -1 --lake lake", false);
    check("sluice source show a.csv --at 1 --by line --lake lake", false);
    check("sluice table head gold/sales/daily_revenue --lake lake --rows 5 --version 0", true);
    check("sluice table head sales/daily_revenue --lake lake", false);
    check("sluice table show silver/../x --lake lake", false);
    check("sluice quarantine replay pipelines/retail --lake lake", true);
    check("sluice quarantine show quarantine/sales/transactions --lake lake --rule a --rows 3", true);
    check("sluice deploy pipelines/retail --lake lake", true);
    check("sluice deploy --lake lake", false);
    check("sluice serve --lake lake --port 0 --as recipient:acme --audit a.jsonl", true);
    check("sluice serve --lake lake --as acme", false);
    check("sluice share create --lake lake --recipient acme --expires 30d --out a.share", true);
    check("sluice share create --lake lake --recipient Acme", false);
    check("sluice share create --lake lake --recipient acme --expires soon", false);
    check("sluice share list --lake lake --json", true);
    check("sluice share revoke acme --token 1f2e3d4c5b6a --lake lake", true);
    check("sluice share revoke --lake lake", false);
    check("sluice restore --lake lake", true);
    check("sluice restore --lake s3://replica --was s3://lake --at 2026-01-31T12:00:00Z --yes", true);
    check("sluice restore --lake lake --at yesterday", false);
    check("sluice watch pipelines/a pipelines/b --lake lake --every 500ms --for 10s --runs 3 --json", true);
    check("sluice watch pipelines/a --lake s3://my-lake/x --landing s3://in/a", true);
    check("sluice watch --lake lake", false);
    check("sluice watch pipelines/a --lake lake --every 5", false);
    check("sluice watch pipelines/a --lake lake --runs 0", false);
    check("sluice doctor", true);
    check("sluice doctor pipelines/a pipelines/b --lake s3://my-lake --json", true);
    check("sluice doctor --lake http://x/y", false);
    check("sluice completions bash", true);
    check("sluice completions zsh --json", true);
    check("sluice completions tcsh", false);
    check("sluice completions", false);
    check("sluice man", true);
    check("sluice man runs list", true);
    check("sluice man --out man1", true);
    check("sluice man run --out man1", false);
    check("sluice nonsense", false);
}
