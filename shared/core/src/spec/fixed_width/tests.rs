use super::*;

fn spec(yaml: &str) -> FixedWidthSpec {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"))
}

#[test]
fn columns_follow_each_other_or_start_where_they_say() {
    let spec =
        spec("{ columns: [{ name: id, width: 10 }, { name: amount, start: 12, width: 8 }, { name: c, width: 1 }] }");
    assert_eq!(spec.problem(), None);
    let spans: Vec<_> = spec.spans().collect();
    assert_eq!(spans, [("id", 0, 10), ("amount", 11, 19), ("c", 19, 20)]);
    let written = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<FixedWidthSpec>(&written).unwrap(), spec, "{written}");
}

#[test]
fn options_that_cannot_be_used_are_refused_with_the_fix() {
    let check = |yaml: &str, says: &str| {
        let problem = spec(yaml).problem();
        assert!(problem.as_deref().is_some_and(|problem| problem.contains(says)), "{yaml}: {problem:?}");
    };
    let one = "columns: [{ name: a, width: 3 }]";
    check("{ columns: [] }", "columns is empty");
    check("{ columns: [{ name: a, width: 3 }, { name: A, width: 1 }] }", "columns has `A` more than once");
    check("{ columns: [{ name: _source_row, width: 3 }] }", "is kept for lineage");
    check("{ columns: [{ name: a, width: 0 }] }", "`a` has the width 0");
    check("{ columns: [{ name: a, start: 0, width: 1 }] }", "counted from 1");
    check(
        "{ columns: [{ name: a, width: 3 }, { name: b, start: 3, width: 1 }] }",
        "`b` starts at character 3, and column `a` before it ends at 3",
    );
    check("{ columns: [{ name: a, start: 1000000, width: 2 }] }", "at most 1000000");
    check(&format!("{{ {one}, skip_lines: 1001 }}"), "at most 1000 lines");
    check(&format!("{{ {one}, comment: 'C' }}"), "comment is 'C'");
    check(&format!("{{ {one}, comment: ' ' }}"), "comment is ' '");
    assert_eq!(spec(&format!("{{ {one}, comment: '#', skip_lines: 2, encoding: latin1 }}")).problem(), None);
}
