//! Programs made of one long chain of operators.

/// The text around a chain: everything up to the flow, and what ends it.
pub(crate) struct Template {
    pub(crate) name: &'static str,
    head: &'static str,
    tail: &'static str,
}

/// The chain as headwater's users write it.
pub(crate) const HEADWATER: Template = Template {
    name: "headwater",
    head: r"    use headwater::prelude::*;
    let graph = Graph::new();
    let source = graph.source::<u64>();
    source
",
    tail: r"        .sink(|x| { std::hint::black_box(x); });
    let _ = source.emit_all(0..std::hint::black_box(1000_u64));
",
};

/// The same chain of std: the least any chain of generic adaptors can cost a compiler.
pub(crate) const ITERATOR: Template = Template {
    name: "iterator",
    head: "    (0..std::hint::black_box(1000_u64))\n",
    tail: "        .for_each(|x| { std::hint::black_box(x); });\n",
};

/// A program whose only statement uses the library: what linking and start-up cost.
pub(crate) const EMPTY: Template = Template {
    name: "empty",
    head: "    let _ = headwater::Graph::new();\n",
    tail: "",
};

impl Template {
    /// The program with a chain of so many operators, maps and filters by turns, no two alike: like ones
    /// a compiler might share.
    pub(crate) fn program(&self, operators: usize) -> String {
        let (head, tail) = (self.head, self.tail);
        let chain: String = (0..operators).map(operator).collect();
        format!("fn main() {{\n{head}{chain}{tail}}}\n")
    }
}

fn operator(at: usize) -> String {
    let prime = 2 * at as u64 + 3;
    match at % 2 {
        0 => format!("        .map(|x| x.wrapping_mul({prime}) ^ {at})\n"),
        _ => format!("        .filter(|x| *x % {prime} != 0)\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::ITERATOR;

    #[test]
    fn a_chain_has_as_many_operators_as_asked_for() {
        let program = ITERATOR.program(8);
        assert_eq!(
            program.matches(".map(").count() + program.matches(".filter(").count(),
            8
        );
        assert!(program.starts_with("fn main() {\n    (0..") && program.ends_with("}\n"));
    }
}
