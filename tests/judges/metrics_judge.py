"""Whether a scrape is what Prometheus reads, and whether dashboards are what Grafana and Prometheus read.

Reads two scrapes of one server (text 0.0.4, OpenMetrics 1.0) with the official client's parsers, and dashboards with Grafana's own
SDK (a field that it does not know is lost on the way through it) and a parser of PromQL. Prints `families` (name to type), `samples`
(name, labels, value of the text), `problems` (empty where all is well) and `caught`: faults that are put into these very texts, each
with whether the judge finds it. A judge that finds no fault would find none.

promtool and a Grafana are no packages of a registry, so neither is run here.
"""

import argparse
import copy
import json
import pathlib
import sys

import promql_parser
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open_metrics
from prometheus_client.parser import text_string_to_metric_families as read_text

# Grafana puts these into queries.
VARIABLES = {"$__rate_interval": "5m", "$job": "x", "$pipeline": "x"}


def families_of(text, read):
    """The families of a scrape, and what is wrong with it."""
    problems = []
    try:
        families = list(read(text))
    except ValueError as error:
        return [], [f"the parser refuses it: {error}"]
    names = [family.name for family in families]
    problems += [f"two families are called {name}" for name in set(names) if names.count(name) > 1]
    for family in families:
        if family.type == "unknown" or not family.documentation:
            problems.append(f"{family.name} has no type or no help")
        seen = set()
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            if key in seen:
                problems.append(f"{sample.name} has a sample twice: {sample.labels}")
            seen.add(key)
            if sample.timestamp is not None:
                problems.append(f"{sample.name} has a time")
        if family.type == "histogram":
            problems += histogram_problems(family)
    return families, problems


def histogram_problems(family):
    """Buckets have to grow, and the last one has to be the count."""
    problems, buckets, counts = [], {}, {}
    for sample in family.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        key = tuple(sorted(labels.items()))
        if sample.name.endswith("_bucket"):
            buckets.setdefault(key, []).append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith("_count"):
            counts[key] = sample.value
    if buckets.keys() != counts.keys():
        problems.append(f"{family.name} has buckets without a count, or the reverse")
    for key, found in buckets.items():
        values = [value for _, value in sorted(found)]
        if values != sorted(values) or values[-1] != counts.get(key) or max(found)[0] != float("inf"):
            problems.append(f"{family.name} {key} is no histogram: {found}")
    return problems


def lost(given, read, place=""):
    """The fields of a dashboard that Grafana's SDK does not know, or knows as something else."""
    if isinstance(given, dict) and isinstance(read, dict):
        return [problem for key, value in given.items() for problem in
                (lost(value, read[key], f"{place}/{key}") if key in read else [f"{place}/{key} is unknown"])]
    if isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        return [problem for index, pair in enumerate(zip(given, read)) for problem in lost(*pair, f"{place}/{index}")]
    return [] if given == read else [f"{place} is {read!r} to Grafana, not {given!r}"]


def query_problems(query):
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    try:
        promql_parser.parse(query)
    except ValueError as error:
        return [f"{query}: {error}"]
    return []


def dashboard_problems(dashboard):
    try:
        read = json.loads(JSONEncoder().encode(Dashboard.from_json(copy.deepcopy(dashboard))))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        return [f"Grafana's SDK cannot read it: {error!r}"]
    problems = lost(dashboard, read)
    panels = dashboard["panels"]
    if len({panel["id"] for panel in panels}) != len(panels):
        problems.append("two panels have one id")
    cells = {}
    for panel in panels:
        at = panel["gridPos"]
        for cell in [(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]:
            if cell[0] >= 24 or cells.setdefault(cell, panel["id"]) != panel["id"]:
                problems.append(f"{panel['title']} lies over another panel or outside of the page")
                break
        if not panel["description"] or not panel["targets"]:
            problems.append(f"{panel['title']} has no description or no query")
        problems += [problem for target in panel["targets"] if "expr" in target for problem in query_problems(target["expr"])]
    return problems


def caught(text, open_metrics, dashboard):
    """Faults, each with whether it is found."""
    def in_text(change, read=read_text, of=text):
        changed = change(of)
        assert changed != of, "the fault changes nothing"
        return bool(families_of(changed, read)[1])

    def in_dashboard(change):
        changed = copy.deepcopy(dashboard)
        change(changed)
        return bool(dashboard_problems(changed))

    line = next(line for line in text.splitlines() if line.startswith("sluice_http_requests_total{"))
    bucket = next(line for line in text.splitlines() if line.startswith("sluice_http_request_duration_seconds_bucket{") and "+Inf" not in line)
    return {
        "a sample twice": in_text(lambda text: text.replace(line, f"{line}\n{line}")),
        "a label without its end": in_text(lambda text: text.replace(line, line.replace('"}', "}"))),
        "a value that is no number": in_text(lambda text: text.replace(line, f"{line}x")),
        "a bucket above the next": in_text(lambda text: text.replace(bucket, f"{bucket.rsplit(' ', 1)[0]} 99999")),
        "a family without a type": in_text(lambda text: text.replace("# TYPE sluice_http_requests_total counter\n", "")),
        "OpenMetrics without an end": in_text(lambda text: text.replace("# EOF\n", ""), read_open_metrics, open_metrics),
        "a field that Grafana does not know": in_dashboard(lambda one: one["panels"][0].update(titel="x")),
        "a query that is no PromQL": in_dashboard(lambda one: one["panels"][0]["targets"][0].update(expr="sum by (x")),
        "a panel over another": in_dashboard(lambda one: one["panels"][1].update(gridPos=one["panels"][0]["gridPos"])),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", type=pathlib.Path, required=True, help="a scrape as text 0.0.4")
    parser.add_argument("--openmetrics", type=pathlib.Path, required=True, help="a scrape as OpenMetrics 1.0")
    parser.add_argument("dashboards", type=pathlib.Path, nargs="+", help="dashboards; the first one asks Prometheus")
    arguments = parser.parse_args()
    register_default_plugins()
    text, open_metrics = arguments.text.read_text(), arguments.openmetrics.read_text()
    families, problems = families_of(text, read_text)
    others, more = families_of(open_metrics, read_open_metrics)
    problems += more
    # The official client names a counter without its suffix, whichever format it has read.
    if {(one.name, one.type) for one in families} != {(one.name, one.type) for one in others}:
        problems.append("the two formats have different families")
    dashboards = [json.loads(path.read_text()) for path in arguments.dashboards]
    for path, dashboard in zip(arguments.dashboards, dashboards):
        problems += [f"{path.name}: {problem}" for problem in dashboard_problems(dashboard)]
    samples = [{"name": sample.name, "labels": sample.labels, "value": sample.value} for one in families for sample in one.samples]
    json.dump({"families": {one.name: one.type for one in families}, "samples": samples, "problems": problems,
               "caught": caught(text, open_metrics, dashboards[0])}, sys.stdout)


if __name__ == "__main__":
    main()
