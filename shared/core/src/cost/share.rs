//! Shares of a cost.

use super::Money;

/// Bits of the sum of all weights: of larger ones, the last bits are left out.
const MOST_BITS: u32 = 63;

/// Divides an amount by weights: the shares add up to it, and each differs from its exact part by less than a picodollar.
/// `None` where no weight is above 0: then nothing says how to divide.
///
/// What is left after whole picodollars goes to the largest rests, of equal ones to the first.
///
/// # Example
///
/// ```
/// use sluice_core::cost::{Money, shares};
///
/// let shares = shares(Money::of_pico(100), &[1, 1, 1]);
/// assert_eq!(shares, Some(vec![Money::of_pico(34), Money::of_pico(33), Money::of_pico(33)]));
/// ```
pub fn shares(total: Money, weights: &[u64]) -> Option<Vec<Money>> {
    let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    if sum == 0 {
        return None;
    }
    // So that a rest times a weight has at most 126 bits.
    let shift = (u128::BITS - sum.leading_zeros()).saturating_sub(MOST_BITS);
    let weights: Vec<u128> = weights.iter().map(|weight| u128::from(*weight) >> shift).collect();
    let sum: u128 = weights.iter().sum();
    if sum == 0 {
        return None;
    }
    // Whole parts first: the product of a total and a weight may be more than 128 bits have.
    let (each, rest) = (total.pico() / sum, total.pico() % sum);
    let parts: Vec<(u128, u128)> = weights
        .iter()
        .map(|weight| {
            let (whole, of_rest) = (each * weight, rest * weight);
            (whole + of_rest / sum, of_rest % sum)
        })
        .collect();
    let given: u128 = parts.iter().map(|(part, _)| part).sum();
    let mut by_rest: Vec<usize> = (0..parts.len()).collect();
    by_rest.sort_by_key(|place| std::cmp::Reverse(parts.get(*place).map(|(_, rest)| *rest)));
    let left = usize::try_from(total.pico().saturating_sub(given)).unwrap_or_default();
    let topped: std::collections::BTreeSet<usize> = by_rest.into_iter().take(left).collect();
    let share = |(place, (part, _)): (usize, &(u128, u128))| {
        Money::of_pico(part.saturating_add(u128::from(topped.contains(&place))))
    };
    Some(parts.iter().enumerate().map(share).collect())
}
