//! Habits of files that are published for anyone.

use super::{check, habit, init, lab};
use crate::small::{assert_says, land};

#[test]
fn public_files_run_without_an_edit() {
    let habits = [
        habit(
            "a title that Excel fills up with delimiters",
            "a.csv",
            "Title of all,,\nid,name,v\n1,a,2\n2,b,3\n3,c,4\n",
            &["id int64", "name text", "v int64"],
            &["1|a|2", "2|b|3", "3|c|4"],
        ),
        habit(
            "a legend below the records",
            "a.csv",
            "20160101:0010,1,2\n20160101:0110,2,3\n20160101:0210,3,4\n20160101:0310,4,5\n\na: b\nPVGIS (c) EU, 2001\n",
            &["column_1 text", "column_2 int64", "column_3 int64"],
            &["20160101:0010|1|2", "20160101:0110|2|3", "20160101:0210|3|4", "20160101:0310|4|5"],
        ),
        habit(
            "a backslash before quotes",
            "a.csv",
            "id,note\n1,\"say \\\"hi\\\", ok\"\n2,\"b\"\n",
            &["id int64", "note text"],
            &["1|say \"hi\", ok", "2|b"],
        ),
        habit(
            "COPY with quotes in a text",
            "a.tsv",
            "1\tabc\tline 1\\nline 2\t\\N\n2\txyz\tb\\tc\td\n3\ta\t\"quoted\"\te\n",
            &["column_1 int64", "column_2 text", "column_3 text", "column_4 text"],
            &["1|abc|line 1\nline 2|NULL", "2|xyz|b\tc|d", "3|a|\"quoted\"|e"],
        ),
        habit(
            "a list among numbers",
            "a.csv",
            "country,minor\nA,2\nB,0\nC,\"2,2\"\nD,3\nE,2\n",
            &["country text", "minor text"],
            &["A|2", "B|0", "C|2,2", "D|3", "E|2"],
        ),
        habit(
            "JSON text in an object",
            "a.ndjson",
            "{\"after\":{\"id\":1,\"j\":\"{\\\"k\\\":1}\"},\"op\":\"c\"}\n{\"after\":null,\"op\":\"d\"}\n",
            &["after_id int64", "after_j text", "op text"],
            &["1|{\"k\":1}|c", "NULL|NULL|d"],
        ),
        habit(
            "ids of JSON in quotes",
            "a.ndjson",
            "{\"account\":\"1234567890\",\"n\":1}\n{\"account\":\"1234567891\",\"n\":2}\n",
            &["account text", "n int64"],
            &["1234567890|1", "1234567891|2"],
        ),
    ];
    habits.iter().for_each(check);
}

#[test]
fn texts_without_a_delimiter_are_refused_with_the_fix() {
    let check = |text: &str, says: &[&str]| {
        let lab = lab();
        land(&lab, "a.txt", text);
        let run = init(&lab, &[]).expect_code(1);
        assert_says(&run.stdout, says, text);
        assert!(!lab.pipeline().exists(), "{text}");
    };
    check("1001 Ann     12.50\n1002 Robert   3.00\n1003 Eve    100.00\n", &["fixed width", "format: fixed_width"]);
    check("id~name\n1~Ann\n2~Bob\n", &["`~`", "`delimiter`"]);
    check("/*\n * x\n */\n\n{\"id\":1}\n{\"id\":2}\n", &["JSON behind a comment", "remove the comment"]);
}
