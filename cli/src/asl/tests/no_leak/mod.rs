//! No path through the definition leaves a cluster running: a model of EMR and of the functions' contract, the real definition, the
//! real interpreter, and every disturbance at every point from the first call of start-emr on. Where the run is read in
//! parts, from the first of these on.
//!
//! Four nets catch clusters: the definition itself (every failure leads through TerminateAfterFailure, every done step
//! through TerminateEmr), the rule that answers failed, timed-out and aborted executions, EMR's idle auto-termination, and
//! the sweeper. [`PROMISES`] lists what each combination of nets lets through; everything else must be caught.

mod stage;
mod story;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use serde_json::{Value, json};

use self::stage::{Disturbance, Effect, End, Point, play, redriven};
use self::story::Story;
use self::world::StepStory;
use super::super::{StateMachine, graph};
use super::pipeline::{DEFINITION, planned_on, substitutions};

/// Polls that the loops of the model make at most. The real bounds are tested with the pipeline; here they only cost time.
const LOOP_POLLS: u64 = 5;

/// A disturbed run that has ended.
#[derive(Debug)]
struct Path {
    story: &'static str,
    is_endless: bool,
    disturbances: Vec<(Point, Disturbance)>,
    end: End,
}

impl Path {
    fn has(&self, matches: impl Fn(&Point, Disturbance) -> bool) -> bool {
        self.disturbances.iter().any(|(point, disturbance)| matches(point, *disturbance))
    }

    /// A call did its work after the execution had ended.
    fn is_late(&self) -> bool {
        use Disturbance::{Abort, Hang, Overdue};
        self.has(|_, disturbance| {
            matches!(disturbance, Hang(Effect::Late) | Abort(Effect::Late) | Overdue(Effect::Late))
        })
    }

    /// Ended past every Catch.
    fn is_cut_off(&self) -> bool {
        use Disturbance::{Abort, Malformed, Overdue};
        self.has(|_, disturbance| matches!(disturbance, Abort(_) | Malformed | Overdue(_)))
    }

    fn disturbs_terminate(&self) -> bool {
        self.has(|point, _| point.function.as_deref() == Some("terminate"))
    }

    fn alive(&self, nets: Nets) -> usize {
        let mut end = self.end.clone();
        if nets.rule && !end.has_succeeded() && !end.has_dead_terminate {
            end.emr.terminate_run();
        }
        // These calls finish after the rule has run; before it, they would be calls that did their work in time.
        end.land_late_calls();
        if nets.idle {
            end.emr.end_idle();
        }
        if nets.sweeper {
            // The sweeper runs repeatedly, so a broken terminate only delays it.
            end.emr.terminate_run();
        }
        end.emr.alive()
    }
}

#[derive(Debug, Clone, Copy)]
struct Nets {
    catch: bool,
    rule: bool,
    idle: bool,
    sweeper: bool,
}

impl Nets {
    fn is_catch_alone(self) -> bool {
        self.catch && !self.rule && !self.idle && !self.sweeper
    }
}

const fn nets(catch: bool, rule: bool, idle: bool, sweeper: bool) -> Nets {
    Nets { catch, rule, idle, sweeper }
}

/// What these nets let through; everything else they catch. `None`: nothing.
struct Promise {
    nets: Nets,
    lets_through: Option<fn(&Path) -> bool>,
}

const PROMISES: [Promise; 12] = [
    // With the sweeper nothing stays, whatever else is broken.
    Promise { nets: nets(true, true, true, true), lets_through: None },
    Promise { nets: nets(false, true, true, true), lets_through: None },
    Promise { nets: nets(true, false, true, true), lets_through: None },
    Promise { nets: nets(true, true, false, true), lets_through: None },
    Promise { nets: nets(false, false, false, true), lets_through: None },
    // Without the sweeper, an endless step keeps its cluster only when terminate stays broken until the end.
    Promise {
        nets: nets(true, true, true, false),
        lets_through: Some(|path| path.is_endless && path.end.has_dead_terminate),
    },
    Promise { nets: nets(false, true, true, false), lets_through: None },
    Promise {
        nets: nets(true, false, true, false),
        lets_through: Some(|path| path.is_endless && (path.is_cut_off() || path.disturbs_terminate())),
    },
    Promise {
        nets: nets(true, true, false, false),
        lets_through: Some(|path| path.is_late() || path.disturbs_terminate()),
    },
    // Each of the three alone.
    Promise {
        nets: nets(true, false, false, false),
        lets_through: Some(|path| path.is_late() || path.is_cut_off() || path.disturbs_terminate()),
    },
    Promise {
        nets: nets(false, true, false, false),
        lets_through: Some(|path| path.is_late() || path.end.has_succeeded()),
    },
    Promise { nets: nets(false, false, true, false), lets_through: Some(|path| path.is_endless) },
];

/// The definition as a value, with short loops.
fn definition() -> Value {
    let mut definition: Value = serde_json::from_str(DEFINITION).unwrap();
    for state in ["ClusterStatus", "EtlStatus"] {
        let bound = &mut definition["States"][state]["Choices"][1]["And"][1]["NumericLessThan"];
        assert!(bound.as_u64().is_some_and(|bound| bound > LOOP_POLLS), "{state}: {bound}");
        *bound = json!(LOOP_POLLS);
    }
    definition
}

fn parse(definition: &Value) -> StateMachine {
    let text = definition.to_string();
    let mut substitutions = substitutions();
    // A definition without its own net has no place for terminate.
    substitutions.retain(|name, _| text.contains(name));
    StateMachine::parse(&text, &substitutions).unwrap()
}

/// The definition without its own net: nobody calls terminate.
fn without_catch_net() -> StateMachine {
    let definition = definition().to_string();
    let definition = definition
        .replace(r#""Next":"TerminateAfterFailure""#, r#""Next":"ReplanAfterFailure""#)
        .replace(r#""Next":"TerminateEmr""#, r#""Next":"QualityCheck""#);
    let mut definition: Value = serde_json::from_str(&definition).unwrap();
    for state in ["TerminateAfterFailure", "TerminateEmr"] {
        definition["States"].as_object_mut().unwrap().remove(state).unwrap();
    }
    parse(&definition)
}

/// What can happen at a point.
fn disturbances(point: &Point) -> Vec<Disturbance> {
    use Disturbance::{Abort, Dead, Error, Hang, Malformed, Overdue};
    let Some(function) = &point.function else { return vec![Abort(Effect::No), Overdue(Effect::No)] };
    let mut all = vec![Malformed, Dead];
    for effect in [Effect::No, Effect::Yes] {
        all.extend(["Internal", "Runtime.ExitError", "Unavailable"].map(|name| Error(name, effect)));
        all.extend([Hang(effect), Abort(effect), Overdue(effect)]);
    }
    if ["start-emr", "run-etl", "terminate"].contains(&function.as_str()) {
        all.extend([Hang(Effect::Late), Abort(Effect::Late), Overdue(Effect::Late)]);
    }
    all
}

/// The second disturbances that are tried: one of each kind.
fn second_disturbances(point: &Point) -> Vec<Disturbance> {
    use Disturbance::{Abort, Dead, Error, Hang};
    if point.function.is_none() {
        return Vec::new();
    }
    vec![Error("Runtime.ExitError", Effect::Yes), Hang(Effect::Late), Abort(Effect::Late), Dead]
}

/// Points after a disturbance at which a second one is tried: the retry, the catch, and what follows them.
const NEAR_POINTS: usize = 5;

/// Runs `story` undisturbed, with each single disturbance, and with a second one when `is_twice`, until `visit` has seen
/// enough.
fn explore(
    machine: &StateMachine,
    story: &Story,
    is_twice: bool,
    visit: &mut impl FnMut(&Path) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let run = |chosen: &[(usize, Disturbance)]| {
        let end = play(machine, story.emr(), &story.answers, chosen);
        let disturbances = chosen.iter().map(|(at, disturbance)| (end.points[*at].clone(), *disturbance)).collect();
        Path { story: story.name, is_endless: story.step == StepStory::NeverEnds, disturbances, end }
    };
    let quiet = run(&[]);
    let points = &quiet.end.points;
    let first = points.iter().position(|point| ["Read", "StartEmr"].contains(&point.state.as_str())).unwrap();
    visit(&quiet)?;
    for (at, point) in points.iter().enumerate().skip(first) {
        for disturbance in disturbances(point) {
            let once = run(&[(at, disturbance)]);
            visit(&once)?;
            if !is_twice {
                continue;
            }
            for (next, point) in once.end.points.iter().enumerate().skip(at + 1).take(NEAR_POINTS) {
                for second in second_disturbances(point) {
                    visit(&run(&[(at, disturbance), (next, second)]))?;
                }
            }
        }
    }
    ControlFlow::Continue(())
}

/// Every state that can follow the first call of start-emr.
fn states_of_the_branch(machine: &StateMachine) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec!["StartEmr"];
    while let Some(name) = open.pop() {
        if reached.insert(name.to_owned()) {
            open.extend(graph::targets(&machine.states[name]));
        }
    }
    reached
}

/// Whether `machine` with these nets leaves a cluster that the promises do not allow.
fn has_unexpected_leak(machine: &StateMachine, promise: &Promise) -> bool {
    let mut visit = |path: &Path| {
        let is_known = promise.lets_through.is_some_and(|lets_through| lets_through(path));
        if path.alive(promise.nets) > 0 && !is_known { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    Story::all().iter().any(|story| explore(machine, story, false, &mut visit).is_break())
}

/// The model finds each hole that an edit could make in the definition: with the definition's own net alone, a cluster stays.
#[test]
fn a_hole_in_the_definition_is_found() {
    let promise = PROMISES.iter().find(|promise| promise.nets.is_catch_alone()).unwrap();
    let check = |hole: &str, tear: &dyn Fn(&mut Value)| {
        let mut definition = definition();
        tear(&mut definition["States"]);
        assert!(has_unexpected_leak(&parse(&definition), promise), "{hole}: not found");
    };
    for task in ["StartEmr", "RunEtl"] {
        check(&format!("{task} without Catch"), &|states| {
            states[task].as_object_mut().unwrap().remove("Catch");
        });
        check(&format!("{task} past terminate"), &|states| {
            states[task]["Catch"][0]["Next"] = json!("ReplanAfterFailure");
        });
        check(&format!("{task} with a Catch of one error"), &|states| {
            states[task]["Catch"][0]["ErrorEquals"] = json!(["ClusterFailed"]);
        });
    }
    for state in ["ClusterOverdue", "ClusterNotUnderstood", "EtlOverdue", "EtlNotUnderstood"] {
        check(&format!("{state} past terminate"), &|states| states[state]["Next"] = json!("ReplanAfterFailure"));
    }
    check("a done step past terminate", &|states| {
        let choices = states["EtlStatus"]["Choices"].as_array_mut().unwrap();
        choices[0]["Next"] = json!("QualityCheck");
        // Keeps the state in the graph, on a path that no run takes.
        choices.push(json!({ "Variable": "$.etl.status", "StringEquals": "never", "Next": "TerminateEmr" }));
    });
    check("a failure that terminates nothing", &|states| {
        states["TerminateAfterFailure"]["Parameters"]["FunctionName"] = json!("notify");
    });
}

#[test]
fn no_path_through_the_branch_leaves_a_cluster() {
    let (with_catch, without_catch) = (parse(&definition()), without_catch_net());
    let mut paths_by_state: BTreeMap<String, u64> = BTreeMap::new();
    let mut leaks = [0_u64; PROMISES.len()];
    let twice: Vec<&str> = Story::main().iter().map(|story| story.name).collect();
    for (machine, catch) in [(&with_catch, true), (&without_catch, false)] {
        for story in Story::all() {
            let is_twice = catch && twice.contains(&story.name);
            let mut visit = |path: &Path| {
                if catch {
                    for (point, _) in &path.disturbances {
                        *paths_by_state.entry(point.state.clone()).or_default() += 1;
                    }
                }
                for (promise, leaks) in
                    PROMISES.iter().zip(&mut leaks).filter(|(promise, _)| promise.nets.catch == catch)
                {
                    if path.alive(promise.nets) == 0 {
                        continue;
                    }
                    let is_known = promise.lets_through.is_some_and(|lets_through| lets_through(path));
                    assert!(
                        is_known,
                        "{:?} leave a cluster of the story `{}` after {:?}",
                        promise.nets, path.story, path.disturbances
                    );
                    *leaks += 1;
                }
                ControlFlow::Continue(())
            };
            assert!(explore(machine, &story, is_twice, &mut visit).is_continue());
        }
    }
    for (promise, leaks) in PROMISES.iter().zip(leaks) {
        // What the promises allow really happens, so the model can leak.
        assert_eq!(promise.lets_through.is_some(), leaks > 0, "{:?}: {leaks} leaks", promise.nets);
    }
    let branch = states_of_the_branch(&with_catch);
    let disturbed: BTreeSet<String> = paths_by_state.keys().cloned().collect();
    assert_eq!(
        branch.difference(&disturbed).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "states without a disturbance"
    );
    let total: u64 = paths_by_state.values().sum();
    println!("{total} disturbances: {paths_by_state:?}");
    assert!(total > 5_000, "{total}");
}

/// Wherever an execution was cut off or failed, its redrive ends by itself and leaves no cluster, with the definition's own
/// net alone: after the rule has ended the cluster, the next attempt has one of its own.
#[test]
fn a_redriven_run_leaves_no_cluster() {
    let machine = parse(&definition());
    let mut redrives = 0_u64;
    for story in Story::main() {
        let answers = story.clone().with("validate", [planned_on("emr", 2, "planned")]).answers;
        let mut visit = |path: &Path| {
            if path.end.has_succeeded() {
                return ControlFlow::Continue(());
            }
            redrives += 1;
            let mut before = path.end.clone();
            before.emr.terminate_run();
            let after = redriven(&machine, before, &answers);
            assert_eq!(after.emr.alive(), 0, "{}: after {:?}", path.story, path.disturbances);
            assert_eq!(after.has_succeeded(), !path.is_endless, "{}: after {:?}", path.story, path.disturbances);
            ControlFlow::Continue(())
        };
        assert!(explore(&machine, &story, false, &mut visit).is_continue());
    }
    println!("{redrives} redrives");
    assert!(redrives > 100, "{redrives}");
}
