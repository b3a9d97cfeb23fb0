"""Holds the exports of rings in a directory against readers and validators that other people wrote.

    python validate.py DIR

DIR holds rings.csv, rings.json, rings.stix.json, rings.ocsf.jsonl, rings.misp.json, rings.graphml, rings.gexf, rings.parquet, families.parquet and
members.parquet of one store. What is compared is what the JSON export says: every format tells of the same rings, members and families, and is marked
TLP:GREEN. A validator that is not installed is told as skipped, by name; anything else that is not as it should be ends with status 1.
"""

import csv
import importlib
import json
import sys
from pathlib import Path

MARK = "TLP:GREEN"
FORBIDDEN = [c for c in range(0x20) if c not in (9, 10, 13)] + [0x202E, 0x2066, 0x2067, 0x2068, 0xFFFE, 0xFFFF]


def expected(held: Path):
    """Rings of the JSON export: name to (accounts, families)."""
    page = json.loads((held / "rings.json").read_text())
    assert page["tlp"] == MARK, page["tlp"]
    rings = {
        ring["id"]: ({m["account"] for m in ring["members"]}, {f["family_id"] for f in ring["families"]}) for ring in page["rings"]
    }
    assert rings and all(accounts for accounts, _ in rings.values()), "the demonstration store has rings with members"
    return rings


def check_csv(held, rings):
    rows = list(csv.DictReader((held / "rings.csv").open(newline="")))
    assert {row["tlp"] for row in rows} == {MARK}
    got = {}
    for row in rows:
        got.setdefault(row["ring_id"], set()).add(row["account"])
        assert not any(cell[:1] in "=+-@\t" and cell for cell in row.values()), row
    assert got == {ring: accounts for ring, (accounts, _) in rings.items()}
    return f"{len(rows)} rows"


def check_stix(held, rings):
    validator = importlib.import_module("stix2validator")
    path = held / "rings.stix.json"
    # Identifiers follow from names (UUID version 5), so that a ring has the same one each night; the standard recommends random ones.
    options = validator.ValidationOptions(version="2.1", strict=True, disabled="uuid-check")
    result = validator.validate_file(str(path), options)
    bad = [str(error) for one in result.object_results for error in [*one.errors, *one.warnings]]
    assert result.is_valid and not bad, "\n".join(bad[:20])
    objects = json.loads(path.read_text())["objects"]
    accounts = {o["user_id"] for o in objects if o["type"] == "user-account"}
    assert accounts == set().union(*(accounts for accounts, _ in rings.values()))
    campaigns = {o["aliases"][0]: o for o in objects if o["type"] == "campaign"}
    assert set(campaigns) == set(rings)
    declared = {o["id"] for o in objects if o["type"] == "extension-definition"}
    for campaign in campaigns.values():
        (name, said), = campaign["extensions"].items()
        assert name in declared and {"null_hypothesis", "expected_false_share", "rung", "gamma_star", "log10_e"} <= set(said)
    return f"{len(objects)} objects, no error and no warning of the OASIS validator in strict mode"


def check_ocsf(held, rings):
    ocsf = importlib.import_module("ocsf_json_schema.embedded")
    loader = importlib.import_module("ocsf_json_schema.loader")
    jsonschema = importlib.import_module("jsonschema")
    findings = [json.loads(line) for line in (held / "rings.ocsf.jsonl").read_text().splitlines()]
    version = findings[0]["metadata"]["version"]
    schema = ocsf.OcsfJsonSchemaEmbedded(loader.get_ocsf_schema(version=version)).get_class_schema("detection_finding")
    validator = jsonschema.validators.validator_for(schema)(schema)
    for finding in findings:
        errors = [f"{'/'.join(map(str, e.path))}: {e.message[:200]}" for e in validator.iter_errors(finding)]
        assert not errors, "\n".join(errors)
        assert finding["class_uid"] == 2004 and finding["unmapped"]["tlp"] == MARK
        assert {r["uid"] for r in finding["resources"]} == rings[finding["unmapped"]["ring"]][0]
    # The schema is one that refuses: without a required field, and with one of another type.
    for name, value in (("finding_info", None), ("time", "yesterday")):
        wrong = {**findings[0], name: value}
        if value is None:
            del wrong[name]
        assert not validator.is_valid(wrong), f"the schema takes anything for {name}"
    assert {f["unmapped"]["ring"] for f in findings} == set(rings)
    return f"{len(findings)} findings of class 2004 by the published schema {version}"


def check_misp(held, rings):
    pymisp = importlib.import_module("pymisp")
    events = json.loads((held / "rings.misp.json").read_text())["response"]
    for one in events:
        event = pymisp.MISPEvent()
        event.load(one, validate=False)
        said = {a.comment: a.value for a in event.attributes}
        assert [tag.name for tag in event.tags] == ["tlp:green"] and "null_hypothesis" in said
        accounts = {o.get_attributes_by_relation("user-id")[0].value for o in event.objects}
        assert accounts == rings[said["ring"]][0] and not any(a.to_ids for a in event.attributes)
        # What pymisp writes of it is an event again.
        pymisp.MISPEvent().from_json(event.to_json())
    assert len(events) == len(rings)
    return f"{len(events)} events"


def check_graph(held, rings, name, read):
    networkx = importlib.import_module("networkx")
    text = (held / name).read_text()
    assert MARK in text and not any(chr(c) in text for c in FORBIDDEN)
    graph = getattr(networkx, read)(held / name)
    kinds = {node: data["kind"] for node, data in graph.nodes(data=True)}
    accounts = {node for node, kind in kinds.items() if kind == "account"}
    families = {node for node, kind in kinds.items() if kind == "family"}
    assert accounts == set().union(*(a for a, _ in rings.values())) and families == set().union(*(f for _, f in rings.values()))
    assert graph.number_of_edges() > 0 and all({kinds[a], kinds[b]} == {"account", "family"} for a, b in graph.edges())
    assert all(data["requests"] > 0 for _, _, data in graph.edges(data=True))
    # A ring is a ring because its accounts share families: each member has an edge.
    assert all(graph.degree(node) > 0 for node in accounts)
    return f"{len(accounts)} accounts, {len(families)} families, {graph.number_of_edges()} edges"


def check_parquet(held, rings):
    parquet = importlib.import_module("pyarrow.parquet")

    def read(name):
        path = held / f"{name}.parquet"
        assert parquet.read_metadata(path).metadata[b"stillhunt.tlp"].decode() == MARK
        return parquet.read_table(path)

    table = read("rings")
    got = {}
    for row in table.to_pylist():
        accounts, families = got.setdefault(row["ring_id"], (set(), set()))
        (accounts if row["row"] == "member" else families).add(row["account"] or row["family_id"])
    assert got == rings
    lines = [table.num_rows]
    for name in ("families", "members"):
        table = read(name)
        assert table.num_rows == sum(1 for _ in csv.reader((held / f"{name}.csv").open(newline=""))) - 1, name
        lines.append(table.num_rows)
    return "{} rows of rings, {} of families, {} of members".format(*lines)


def main(held: Path) -> int:
    rings = expected(held)
    checks = [
        ("CSV", check_csv, ()),
        ("STIX 2.1 (stix2-validator)", check_stix, ()),
        ("OCSF (ocsf-json-schema, jsonschema)", check_ocsf, ()),
        ("MISP (pymisp)", check_misp, ()),
        ("GraphML (networkx)", check_graph, ("rings.graphml", "read_graphml")),
        ("GEXF (networkx)", check_graph, ("rings.gexf", "read_gexf")),
        ("Parquet (pyarrow)", check_parquet, ()),
    ]
    failed = 0
    for name, check, more in checks:
        try:
            print(f"good: {name}: {check(held, rings, *more)}")
        except ImportError as cause:
            print(f"skipped: {name}: {cause}")
        except AssertionError as cause:
            failed += 1
            print(f"bad: {name}: {cause}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
