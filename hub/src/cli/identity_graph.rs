//! A person's identity graph as text and as a picture.

use crate::flow::{Graph, Step};
use crate::model::Identifier;
use crate::problem::plain_line;
use std::collections::BTreeMap;
use std::fmt::Write;

/// `KIND VALUE`
pub fn plain(identifier: &Identifier) -> String {
    format!("{} {}", identifier.kind, identifier.value)
}

/// The lines of the text.
pub fn text(graph: &Graph) -> Vec<String> {
    let mut lines = vec![graph.person.clone()];
    let identifiers = graph.identifiers.iter();
    lines.extend(identifiers.map(|one| format!("  {}", plain(one))));
    lines.push("records".to_owned());
    for (record, identifiers) in &graph.records {
        let identifiers: Vec<String> = identifiers.iter().map(plain).collect();
        lines.push(format!("  {record}: {}", identifiers.join(", ")));
    }
    let mut section = |title: &str, steps: &[Step]| {
        if !steps.is_empty() {
            lines.push(title.to_owned());
        }
        for step in steps {
            let (from, to) = (plain(&step.from), plain(&step.to));
            let sign = if step.refused.is_some() { '✕' } else { '—' };
            let reason = step.refused.as_deref().unwrap_or_default();
            let line = format!("  {from}  {sign}  {to}   ({}) {reason}", step.by);
            lines.push(line.trim_end().to_owned());
        }
    };
    section("joined by", &graph.steps);
    section("refused", &graph.refused);
    for (identifier, why) in &graph.dead {
        lines.push(format!("joins nobody: {} ({why})", plain(identifier)));
    }
    let neighbours = graph.neighbours.iter();
    lines.extend(neighbours.map(|neighbour| format!("neighbour: {neighbour}")));
    lines
}

const ROW: usize = 34;
const LEFT: usize = 24;
const RIGHT: usize = 560;
const WIDTH: usize = 1_000;

/// Records on the left, identifiers on the right; a line where a record holds an identifier, dashed to one that joins nobody.
/// Refused ties are red arcs at the right edge.
pub fn svg(graph: &Graph) -> String {
    let mut positions: BTreeMap<&Identifier, usize> = BTreeMap::new();
    let all = graph.identifiers.iter();
    let dead = graph.dead.iter().map(|(identifier, _)| identifier);
    let refused = graph.refused.iter().flat_map(|step| [&step.from, &step.to]);
    let mut order: Vec<&Identifier> = Vec::new();
    for identifier in all.chain(dead).chain(refused) {
        let next = positions.len();
        if *positions.entry(identifier).or_insert(next) == next {
            order.push(identifier);
        }
    }
    let rows = graph.records.len().max(positions.len());
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {}\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"30\" font-size=\"16\" font-weight=\"600\">{}</text>\n",
        y(rows) + 10,
        escaped(&graph.person)
    );
    held(graph, &positions, &mut svg);
    arcs(graph, &positions, &mut svg);
    labels(graph, &order, &mut svg);
    svg.push_str("</svg>");
    svg
}

/// The position of a row.
fn y(position: usize) -> usize {
    70 + position * ROW
}

fn is_dead(graph: &Graph, identifier: &Identifier) -> bool {
    graph.dead.iter().any(|(dead, _)| dead == identifier)
}

/// A line from each record to each identifier that it holds.
fn held(graph: &Graph, positions: &BTreeMap<&Identifier, usize>, svg: &mut String) {
    for (row, (_, identifiers)) in graph.records.iter().enumerate() {
        for identifier in identifiers {
            let Some(position) = positions.get(identifier) else {
                continue;
            };
            let dash = if is_dead(graph, identifier) {
                " stroke-dasharray=\"4 4\""
            } else {
                ""
            };
            let _ = writeln!(
                svg,
                "<path d=\"M{} {} C {} {}, {} {}, {} {}\" fill=\"none\" stroke=\"#7a8\"{dash}/>",
                LEFT + 300,
                y(row),
                LEFT + 400,
                y(row),
                RIGHT - 100,
                y(*position),
                RIGHT - 8,
                y(*position)
            );
        }
    }
}

fn arcs(graph: &Graph, positions: &BTreeMap<&Identifier, usize>, svg: &mut String) {
    for step in &graph.refused {
        if let (Some(from), Some(to)) = (positions.get(&step.from), positions.get(&step.to)) {
            let _ = writeln!(
                svg,
                "<path d=\"M{0} {1} C {2} {1}, {2} {3}, {0} {3}\" fill=\"none\" stroke=\"#c33\" stroke-dasharray=\"6 3\"><title>{4}</title></path>",
                RIGHT + 320,
                y(*from),
                RIGHT + 400,
                y(*to),
                escaped(step.refused.as_deref().unwrap_or_default())
            );
        }
    }
}

fn labels(graph: &Graph, order: &[&Identifier], svg: &mut String) {
    for (row, (record, _)) in graph.records.iter().enumerate() {
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{}\">{}</text>",
            y(row) + 4,
            escaped(record)
        );
    }
    for (position, identifier) in order.iter().enumerate() {
        let colour = if is_dead(graph, identifier) {
            "#999"
        } else {
            "#234"
        };
        let _ = writeln!(
            svg,
            "<circle cx=\"{RIGHT}\" cy=\"{}\" r=\"5\" fill=\"{colour}\"/><text x=\"{}\" y=\"{}\" fill=\"{colour}\">{}</text>",
            y(position),
            RIGHT + 12,
            y(position) + 4,
            escaped(&plain(identifier))
        );
    }
}

fn escaped(text: &str) -> String {
    plain_line(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
