//! Minimises a smooth function of a few parameters: the quasi-Newton method of Broyden, Fletcher, Goldfarb and Shanno (BFGS)
//! within a box, from several starting points. Deterministic and bounded: the same function gives bit-identical results.
//! Knows no model.

/// The largest slope that counts as none. The functions here are means over customers, in logarithms of parameters.
const FLAT: f64 = 1e-9;
/// As flat as rounding allows, when no step goes down any more.
const NEARLY_FLAT: f64 = 1e-6;
const MAX_ITERATIONS: u32 = 500;
const MAX_HALVINGS: u32 = 50;
/// No parameter changes more than this in one step.
const MAX_STEP: f64 = 1.5;
/// The share of the promised descent that a step has to bring.
const DESCENT: f64 = 1e-4;

type Matrix<const N: usize> = [[f64; N]; N];

/// Where each number may lie.
#[derive(Debug, Clone, Copy)]
pub struct Bounds<const N: usize> {
    pub low: [f64; N],
    pub high: [f64; N],
}

#[derive(Debug, Clone, PartialEq)]
pub struct Minimum<const N: usize> {
    pub at: [f64; N],
    pub value: f64,
    /// Of all starting points together.
    pub iterations: u32,
    pub converged: bool,
    /// The first parameter that is at its bound: the minimum is further out, or does not exist.
    pub on_bound: Option<usize>,
}

struct Point<const N: usize> {
    at: [f64; N],
    value: f64,
    slope: [f64; N],
}

/// The lowest of the points that the descents from `starts` lead to. `function` gives its value and its slope; it
/// may give infinity or no number where it has none, but not at a start.
pub fn minimise<const N: usize>(
    starts: &[[f64; N]],
    bounds: &Bounds<N>,
    function: impl Fn(&[f64; N]) -> (f64, [f64; N]),
) -> Minimum<N> {
    let mut iterations = 0;
    let mut best: Option<Minimum<N>> = None;
    for start in starts {
        let found = descend(start, bounds, &function);
        iterations += found.iterations;
        // Two descents into one valley differ by rounding; then the one that arrived counts.
        let better = best.as_ref().is_none_or(|best| {
            let close = (found.value - best.value).abs() <= 1e-12 * best.value.abs();
            match close {
                true => found.converged && !best.converged,
                false => found.value < best.value,
            }
        });
        if better {
            best = Some(found);
        }
    }
    let none = Minimum {
        at: [f64::NAN; N],
        value: f64::NAN,
        iterations,
        converged: false,
        on_bound: None,
    };
    Minimum {
        iterations,
        ..best.unwrap_or(none)
    }
}

fn descend<const N: usize>(
    start: &[f64; N],
    bounds: &Bounds<N>,
    function: &impl Fn(&[f64; N]) -> (f64, [f64; N]),
) -> Minimum<N> {
    let mut here = point(bounds.clamp(start), function);
    let mut inverse = identity();
    let mut held = bounds.held(&here);
    let (mut iterations, mut fresh) = (0, true);
    let converged = loop {
        let now = bounds.held(&here);
        if now != held {
            (held, inverse, fresh) = (now, identity(), true);
        }
        let steepest = largest_free(&here.slope, &held);
        if steepest <= FLAT || iterations == MAX_ITERATIONS {
            break steepest <= FLAT;
        }
        iterations += 1;
        let direction = direction(&inverse, &here.slope, &held);
        match step(&here, &direction, bounds, function) {
            Some(next) => {
                inverse = updated(&inverse, &here, &next, fresh);
                fresh = false;
                here = next;
            }
            None if fresh => break steepest <= NEARLY_FLAT,
            None => (inverse, fresh) = (identity(), true),
        }
    };
    Minimum {
        on_bound: (0..N).find(|&index| {
            here.at[index] <= bounds.low[index] || here.at[index] >= bounds.high[index]
        }),
        at: here.at,
        value: here.value,
        iterations,
        converged,
    }
}

impl<const N: usize> Bounds<N> {
    fn clamp(&self, at: &[f64; N]) -> [f64; N] {
        std::array::from_fn(|index| at[index].clamp(self.low[index], self.high[index]))
    }

    /// The parameters that are at a bound and would leave the box by going down.
    fn held(&self, here: &Point<N>) -> [bool; N] {
        std::array::from_fn(|index| match here.slope[index] > 0.0 {
            true => here.at[index] <= self.low[index],
            false => here.at[index] >= self.high[index],
        })
    }
}

fn point<const N: usize>(
    at: [f64; N],
    function: &impl Fn(&[f64; N]) -> (f64, [f64; N]),
) -> Point<N> {
    let (value, slope) = function(&at);
    Point { at, value, slope }
}

fn largest_free<const N: usize>(slope: &[f64; N], held: &[bool; N]) -> f64 {
    let free = slope.iter().zip(held).filter(|(_, held)| !**held);
    free.map(|(slope, _)| slope.abs()).fold(0.0, f64::max)
}

/// Downhill by what is known of the curvature, and straight down where that would go up.
fn direction<const N: usize>(inverse: &Matrix<N>, slope: &[f64; N], held: &[bool; N]) -> [f64; N] {
    let free: [f64; N] = std::array::from_fn(|index| if held[index] { 0.0 } else { slope[index] });
    let curved = times(inverse, &free);
    let mut direction: [f64; N] =
        std::array::from_fn(|index| if held[index] { 0.0 } else { -curved[index] });
    let descends = dot(&direction, &free) < 0.0;
    if !descends {
        direction = free.map(|slope| -slope);
    }
    let longest = direction
        .iter()
        .fold(0.0, |most: f64, one| most.max(one.abs()));
    let shorten = if longest > MAX_STEP {
        MAX_STEP / longest
    } else {
        1.0
    };
    direction.map(|one| one * shorten)
}

/// The first of the steps, each half of the one before, that goes down enough. What rounding may do to the value is no
/// way up, because the last steps change it by less.
fn step<const N: usize>(
    here: &Point<N>,
    direction: &[f64; N],
    bounds: &Bounds<N>,
    function: &impl Fn(&[f64; N]) -> (f64, [f64; N]),
) -> Option<Point<N>> {
    let rounding = 4.0 * f64::EPSILON * here.value.abs();
    let mut length = 1.0;
    for _ in 0..MAX_HALVINGS {
        let trial = std::array::from_fn(|index| here.at[index] + length * direction[index]);
        let trial = bounds.clamp(&trial);
        let moved: [f64; N] = std::array::from_fn(|index| trial[index] - here.at[index]);
        if moved.iter().all(|one| *one == 0.0) {
            return None;
        }
        let next = point(trial, function);
        let enough = here.value + DESCENT * dot(&here.slope, &moved) + rounding;
        if next.value <= enough && next.slope.iter().all(|slope| slope.is_finite()) {
            return Some(next);
        }
        length *= 0.5;
    }
    None
}

/// The inverse of the curvature after what the step from `here` to `next` has shown of it. Unchanged when it showed
/// none.
fn updated<const N: usize>(
    inverse: &Matrix<N>,
    here: &Point<N>,
    next: &Point<N>,
    fresh: bool,
) -> Matrix<N> {
    let moved: [f64; N] = std::array::from_fn(|index| next.at[index] - here.at[index]);
    let change: [f64; N] = std::array::from_fn(|index| next.slope[index] - here.slope[index]);
    let curvature = dot(&moved, &change);
    let size = dot(&change, &change);
    if curvature <= 1e-10 * (dot(&moved, &moved) * size).sqrt() {
        return *inverse;
    }
    let mut inverse = *inverse;
    if fresh {
        inverse = identity();
        (0..N).for_each(|index| inverse[index][index] = curvature / size);
    }
    let carried = times(&inverse, &change);
    let weight = (1.0 + dot(&change, &carried) / curvature) / curvature;
    std::array::from_fn(|row| {
        std::array::from_fn(|column| {
            inverse[row][column] + weight * moved[row] * moved[column]
                - (carried[row] * moved[column] + moved[row] * carried[column]) / curvature
        })
    })
}

fn identity<const N: usize>() -> Matrix<N> {
    std::array::from_fn(|row| std::array::from_fn(|column| f64::from(u8::from(row == column))))
}

fn times<const N: usize>(matrix: &Matrix<N>, vector: &[f64; N]) -> [f64; N] {
    std::array::from_fn(|row| dot(&matrix[row], vector))
}

fn dot<const N: usize>(left: &[f64; N], right: &[f64; N]) -> f64 {
    left.iter()
        .zip(right)
        .map(|(left, right)| left * right)
        .sum()
}
