"""Which columns each column of a statement is computed from, by sqlglot.

Reads a JSON file: `domain`, `tables` (columns by `layer/domain/table`) and `statements` (each with `name`, `sql` and
`columns`). Prints, by the name of the statement and the column, the sorted columns `layer/domain/table.column`.
sqlglot knows no kinds: the conditions of CASE count as the values do, and what filters or joins does not count.
"""

import json
import sys

import sqlglot
from sqlglot import exp
from sqlglot.lineage import lineage

DIALECT = "spark"


def nested(tables):
    """The schema as sqlglot has it: catalog, database, table, column."""
    schema = {}
    for address, columns in tables.items():
        layer, domain, table = address.split("/")
        schema.setdefault(layer, {}).setdefault(domain, {})[table] = {column: "STRING" for column in columns}
    return schema


def with_domain(sql, domain):
    """The statement with `<layer>.<domain>.<table>` wherever it has `<layer>.<table>`."""
    tree = sqlglot.parse_one(sql, dialect=DIALECT)
    for table in tree.find_all(exp.Table):
        layer = table.args.get("db")
        if layer and not table.args.get("catalog"):
            table.set("catalog", layer)
            table.set("db", exp.to_identifier(domain))
            # The name before its columns stays the short one.
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
    for column in tree.find_all(exp.Column):
        # `silver.orders.amount` names the table by more than its alias.
        column.set("catalog", None)
        column.set("db", None)
    return tree


def sources(column, tree, schema):
    found = set()
    for node in lineage(column, tree.copy(), schema=schema, dialect=DIALECT).walk():
        table = node.expression
        if not node.downstream and isinstance(table, exp.Table):
            found.add(f"{table.catalog}/{table.db}/{table.name}.{node.name.rsplit('.', 1)[-1]}")
    return sorted(found)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        asked = json.load(file)
    schema = nested(asked["tables"])
    answer = {}
    for statement in asked["statements"]:
        tree = with_domain(statement["sql"], asked["domain"])
        answer[statement["name"]] = {column: sources(column, tree, schema) for column in statement["columns"]}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
