//! Advice with its arithmetic: only where the runs of the time have left the numbers.

use serde::Serialize;

use super::{Architecture, CallUsage, Item, Money, Prices, Where};

/// Calls of a function, below which its memory is not judged.
const FEWEST_CALLS: u64 = 10;
/// What a function is given above the most that it has had, in percent.
const ROOM_PERCENT: u64 = 30;
/// Steps in which memory is advised, in MB.
const STEP_MB: u64 = 64;
/// The least that Lambda gives.
const LEAST_MB: u64 = 128;
/// Share of the memory above which no change is advised, in percent: smaller savings are not worth a deployment.
const WORTH_PERCENT: u64 = 75;
/// Runs with nothing new, below which a schedule is not judged.
const FEWEST_IDLE: u64 = 10;

/// What the calls of one function used in a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionUse {
    /// The function.
    pub function: String,
    /// Its memory, in its newest call.
    pub memory_mb: u64,
    /// Its processor.
    pub architecture: Architecture,
    /// Calls with this memory.
    pub calls: u64,
    /// Calls of them that say how much memory they had.
    pub with_peak: u64,
    /// The most memory of all of them.
    pub peak_memory_mb: u64,
    /// Milliseconds that were billed.
    pub millis: u64,
}

impl FunctionUse {
    /// The functions that were called on Lambda; `calls` are in the order of their times. Where the memory of a function was
    /// changed, only the calls after the change count.
    pub fn of_calls<'a>(calls: impl IntoIterator<Item = &'a CallUsage>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for call in calls.into_iter().filter(|call| call.ran == Where::Lambda) {
            let fresh = Self {
                function: call.function.clone(),
                memory_mb: call.memory_mb,
                architecture: call.architecture,
                calls: 0,
                with_peak: 0,
                peak_memory_mb: 0,
                millis: 0,
            };
            let place = match all.iter().position(|known| known.function == call.function) {
                Some(place) => place,
                None => {
                    all.push(fresh.clone());
                    all.len() - 1
                }
            };
            let Some(known) = all.get_mut(place) else { continue };
            if (known.memory_mb, known.architecture) != (call.memory_mb, call.architecture) {
                *known = fresh;
            }
            known.calls += 1;
            known.with_peak += u64::from(call.peak_memory_mb.is_some());
            let of_parts = call.parts.peak_memory_mb;
            known.peak_memory_mb = known.peak_memory_mb.max(call.peak_memory_mb.unwrap_or_default()).max(of_parts);
            known.millis = known.millis.saturating_add(call.billed_millis());
        }
        all
    }
}

/// Something to change, and what it saves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// What to change.
    pub change: String,
    /// What it saves in the time that the numbers are of.
    pub saves: Money,
    /// The numbers, and what is taken for granted.
    pub arithmetic: String,
}

/// The memory that a function can do without; `None` where it needs what it has, or where too few calls say what they had.
pub fn memory(of: &FunctionUse, prices: &Prices) -> Option<Advice> {
    if of.calls < FEWEST_CALLS || of.with_peak < of.calls {
        return None;
    }
    let needed = of.peak_memory_mb.saturating_mul(100 + ROOM_PERCENT) / 100;
    let advised = needed.div_ceil(STEP_MB).saturating_mul(STEP_MB).max(LEAST_MB);
    if advised.saturating_mul(100) > of.memory_mb.saturating_mul(WORTH_PERCENT) {
        return None;
    }
    let item = match of.architecture {
        Architecture::Arm64 => Item::LambdaArm64GbSecond,
        Architecture::X86 => Item::LambdaX86GbSecond,
    };
    let price = prices.price(item);
    let cost = |memory: u64| price.times(u128::from(of.millis) * u128::from(memory), 1_024_000);
    let (now, then) = (cost(of.memory_mb), cost(advised));
    let FunctionUse { function, memory_mb, calls, peak_memory_mb, millis, .. } = of;
    Some(Advice {
        change: format!("give {function} {advised} MB of memory instead of {memory_mb} MB"),
        saves: now.less(then),
        arithmetic: format!(
            "{calls} calls had at most {peak_memory_mb} MB; with {ROOM_PERCENT} % more, in steps of {STEP_MB} MB: \
             {advised} MB. {millis} ms x ({memory_mb} - {advised}) MB / 1024 / 1000 x {price}. At most: Lambda gives \
             processors by memory, so that calls which compute take longer"
        ),
    })
}

/// Runs of a pipeline in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IdleRuns {
    /// All of them.
    pub runs: u64,
    /// Those that found nothing new.
    pub idle: u64,
    /// What these cost.
    pub cost: Money,
}

/// Whether a pipeline is started too often; `None` where most runs find something, or where too few say so.
pub fn idle(pipeline: &str, of: IdleRuns) -> Option<Advice> {
    if of.idle < FEWEST_IDLE || of.idle.saturating_mul(2) <= of.runs {
        return None;
    }
    let IdleRuns { runs, idle, cost } = of;
    Some(Advice {
        change: format!("start {pipeline} when files arrive, or less often"),
        saves: cost,
        arithmetic: format!("{idle} of {runs} runs found nothing new, and cost {cost} together"),
    })
}
