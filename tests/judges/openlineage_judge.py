"""Whether the events of runs are OpenLineage 2-0-2, by the schemas of the standard and by its official client.

Reads a file with one event a line and the folder of the schemas (`spec` of the standard's repository). Prints `events`, `facets`
(how often each facet was judged), `problems` (empty where all is well) and `caught`: mutations of these events, each with whether
the judge finds it. A judge that finds no mutation would find no fault.

The schema of the core says nothing of what a facet has in it, so each facet is judged by the schema that its own address names.
The compatibility tests of OpenLineage are a repository of their own and no package, so they are not run here.
"""

import argparse
import copy
import json
import pathlib
import sys
import tempfile
from datetime import datetime

from jsonschema import Draft202012Validator, FormatChecker
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.transport.file import FileConfig, FileTransport
from referencing import Registry, Resource

CORE = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
RUN_EVENT = f"{CORE}#/$defs/RunEvent"
FINAL = {"COMPLETE", "FAIL", "ABORT"}


class Judge:
    """The schemas of the core and of all facets."""

    def __init__(self, spec):
        documents = [json.loads(path.read_text()) for path in [spec / "OpenLineage.json", *sorted((spec / "facets").glob("*.json"))]]
        self.known = {document["$id"]: document for document in documents}
        self.registry = Registry().with_resources((name, Resource.from_contents(document)) for name, document in self.known.items())
        self.facets = {}

    def check(self, value, schema):
        validator = Draft202012Validator(schema, registry=self.registry, format_checker=FormatChecker())
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def facet(self, place, name, facet):
        """What is wrong with one facet; it is known by the address of its schema."""
        self.facets[name] = self.facets.get(name, 0) + 1
        address = facet.get("_schemaURL", "")
        schema = self.known.get(address.split("#")[0])
        if schema is None:
            return [f"{place}.{name}: the standard has no schema {address}"]
        if name not in schema["properties"]:
            return [f"{place}.{name}: its schema {address} is that of {list(schema['properties'])}"]
        # The schema describes the object that the facet is in, by its name.
        return [f"{place}.{name}: {problem}" for problem in self.check({name: facet}, {"$ref": schema["$id"]})]

    def event(self, event):
        problems = self.check(event, {"$ref": RUN_EVENT})
        owners = [("run", event.get("run", {}), "facets"), ("job", event.get("job", {}), "facets")]
        for kind, own in [("inputs", "inputFacets"), ("outputs", "outputFacets")]:
            for dataset in event.get(kind, []):
                owners += [(kind, dataset, "facets"), (kind, dataset, own)]
        for place, owner, key in owners:
            for name, facet in owner.get(key, {}).items():
                problems += self.facet(place, name, facet)
        return problems


def lifecycles(events):
    """A run has one START, before everything else, and one end."""
    problems = []
    runs = {}
    for event in events:
        runs.setdefault(event["run"]["runId"], []).append(event)
    for run_id, of_run in runs.items():
        kinds = [event["eventType"] for event in of_run]
        if kinds[0] != "START" or kinds.count("START") != 1 or kinds[-1] not in FINAL or sum(kind in FINAL for kind in kinds) != 1:
            problems.append(f"run {run_id} of {of_run[0]['job']['name']} has {kinds}")
        times = [datetime.fromisoformat(event["eventTime"]) for event in of_run]
        if times != sorted(times):
            problems.append(f"run {run_id}: events are not in the order of their times: {[event['eventTime'] for event in of_run]}")
        parent = of_run[0]["run"].get("facets", {}).get("parent")
        if parent and parent["run"]["runId"] not in runs:
            problems.append(f"run {run_id}: its parent {parent['run']['runId']} has no event")
    return problems


def of_client(events):
    """What the official client, which checks each event, writes for these events; compared with them."""
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "events.ndjson"
        client = OpenLineageClient(transport=FileTransport(FileConfig(log_file_path=str(path), append=True)))
        for event in events:
            try:
                client.emit(rebuilt(event))
            except Exception as error:  # noqa: BLE001 - whatever the client refuses is a finding
                problems.append(f"the client refuses {event['eventType']} of {event['job']['name']}: {error!r}")
        written = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    for event, found in zip(events, written):
        for key in ["eventType", "eventTime", "producer"]:
            if found.get(key) != event[key]:
                problems.append(f"the client writes {key} {found.get(key)}, and the event has {event[key]}")
        if found["run"]["runId"] != event["run"]["runId"] or found["job"]["name"] != event["job"]["name"]:
            problems.append(f"the client writes another run or job: {found['run']} {found['job']}")
        names = lambda one: [(d["namespace"], d["name"]) for kind in ["inputs", "outputs"] for d in one.get(kind) or []]
        if names(found) != names(event):
            problems.append(f"the client writes datasets {names(found)}, and the event has {names(event)}")
    if len(written) + len(problems) < len(events):
        problems.append(f"the client wrote {len(written)} of {len(events)} events")
    return problems


def rebuilt(event):
    """The event as the client's own types, which check ids and times. Facets are judged by their schemas."""
    return RunEvent(
        eventType=RunState(event["eventType"]),
        eventTime=event["eventTime"],
        run=Run(runId=event["run"]["runId"]),
        job=Job(namespace=event["job"]["namespace"], name=event["job"]["name"]),
        inputs=[InputDataset(namespace=d["namespace"], name=d["name"]) for d in event["inputs"]],
        outputs=[OutputDataset(namespace=d["namespace"], name=d["name"]) for d in event["outputs"]],
        producer=event["producer"],
    )


def problems_of(judge, events):
    return [problem for event in events for problem in judge.event(event)] + lifecycles(events)


def mutations(events):
    """Events with one fault each, by the name of the fault; only those that these events have a place for."""

    def mutate(change):
        mutated = copy.deepcopy(events)
        for event in mutated:
            if change(event):
                return mutated
        return None

    def facet_of(kind, key, name):
        def find(event):
            return next((d[key][name] for d in event[kind] if name in d.get(key, {})), None)

        return find

    def with_facet(find, alter):
        def change(event):
            facet = find(event)
            if facet is None:
                return False
            alter(facet)
            return True

        return change

    def always(alter):
        return lambda event: alter(event) or True

    schema, statistics = facet_of("outputs", "facets", "schema"), facet_of("outputs", "outputFacets", "outputStatistics")
    lineage, rules = facet_of("outputs", "facets", "columnLineage"), facet_of("inputs", "inputFacets", "dataQualityAssertions")
    metrics = facet_of("inputs", "inputFacets", "dataQualityMetrics")
    changes = {
        "an unknown type of event": always(lambda event: event.update(eventType="FINISHED")),
        "a run id that is no UUID": always(lambda event: event["run"].update(runId="day-1")),
        "a time that is no time": always(lambda event: event.update(eventTime="yesterday")),
        "no job": always(lambda event: event.pop("job") and None),
        "a run without its start": always(lambda event: event.update(eventType="RUNNING")),
        "a facet without its schema": always(lambda event: event["job"]["facets"]["jobType"].pop("_schemaURL") and None),
        "a facet of another name": always(lambda event: event["job"]["facets"].update(sql=event["job"]["facets"]["jobType"])),
        "a column without its name": with_facet(schema, lambda facet: facet["fields"][0].pop("name")),
        "a number of rows as text": with_facet(statistics, lambda facet: facet.update(rowCount="3")),
        "lineage without its columns": with_facet(lineage, lambda facet: facet.pop("fields")),
        "a rule without its outcome": with_facet(rules, lambda facet: facet["assertions"][0].pop("success")),
        "metrics without columns": with_facet(metrics, lambda facet: facet.pop("columnMetrics")),
    }
    found = {name: mutate(change) for name, change in changes.items()}
    return {name: mutated for name, mutated in found.items() if mutated is not None}


def is_caught(judge, mutated):
    try:
        return bool(problems_of(judge, mutated) or of_client(mutated))
    except (KeyError, TypeError, ValueError):
        # What the judge cannot read is no event.
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, type=pathlib.Path)
    parser.add_argument("events", type=pathlib.Path)
    asked = parser.parse_args()
    events = [json.loads(line) for line in asked.events.read_text().splitlines()]
    judge = Judge(asked.spec)
    problems = problems_of(judge, events) + of_client(events)
    facets = dict(judge.facets)
    caught = {name: is_caught(judge, mutated) for name, mutated in mutations(events).items()}
    json.dump({"events": len(events), "facets": facets, "problems": problems, "caught": caught}, sys.stdout)


if __name__ == "__main__":
    main()
