#!/usr/bin/python3
"""The examples are valid, the documents' YAML is, and docs/policy.md names every field with its default."""

import os
import pathlib
import re
import subprocess
import unittest

PILLIONCTL = "control/cli/pillionctl"
SCRATCH = pathlib.Path(os.environ["TEST_TMPDIR"])

# What the fragments in the documents refer to.
CLUSTERS = "clusters:\n" + "".join(
    f"- {{ name: {name}, endpoints: [127.0.0.1:1] }}\n"
    for name in ["users", "billing", "audit", "orders", "reports"]
)


def validate(kind, path):
    """What the program that reads such files says of it: exit status and text."""
    if kind == "control":  # It looks at the policy, too, so that has to be there.
        text = pathlib.Path(path).read_text(encoding="utf-8")
        policy = pathlib.Path("examples/quickstart/policy").absolute()
        path = SCRATCH / "control.yaml"
        path.write_text(re.sub(r"(?<=directory: )[^ }]+", str(policy), text), encoding="utf-8")
    if kind == "policy":
        command = [PILLIONCTL, "validate", path]
    else:
        command = [f"{kind}/pillion-{kind}", "--config", path, "--mode", "validate"]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def yaml_blocks(document):
    text = pathlib.Path(document).read_text(encoding="utf-8")
    return re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def kind_of(block):
    if re.search(r"^node:", block, re.MULTILINE):
        return "sidecar"
    return "control" if re.search(r"^xds:", block, re.MULTILINE) else "policy"


def as_policy(block):
    """A fragment is a list of routes, with what else a policy has at top level after it."""
    if block.startswith("- "):
        routes, rest = re.fullmatch(r"((?:[- ].*\n|\n)*)((?s:.*))", block).groups()
        indented = "".join(f"  {line}\n" if line else "\n" for line in routes.splitlines())
        block = (
            f"virtual_hosts:\n- name: fragment\n  domains: [fragment]\n  routes:\n{indented}{rest}"
        )
    return block if "clusters:" in block else CLUSTERS + block


def fields_of_schema():
    """(name, default) of every field that people write; default is None where the schema states none."""
    for proto in ["bootstrap", "policy"]:
        text = pathlib.Path(f"protos/pillion/config/v1/{proto}.proto").read_text(encoding="utf-8")
        text = re.sub(r"//.*", "", text)
        for field in re.finditer(
            r"(?:repeated |optional )?[\w.]+ (\w+) = \d+\s*(\[.*?\])?;", text, re.DOTALL
        ):
            default = re.search(r'default_value\s*[:=]\s*"([^"{\[]*)"', field[2] or "")
            yield field[1], default[1].strip("'") if default and default[1] else None


class Documents(unittest.TestCase):
    def expect_valid(self, kind, path, what):
        status, said = validate(kind, path)
        self.assertEqual(status, 0, f"{what}:\n{said}")
        return said

    def test_files_of_the_examples_are_valid(self):
        for kind, path in [
            ("policy", "examples/quickstart/policy"),
            ("control", "examples/quickstart/control.yaml"),
            ("control", "examples/deploy/control.yaml"),
            ("sidecar", "examples/deploy/sidecar.yaml"),
            *(("sidecar", path) for path in pathlib.Path("examples/quickstart/sidecars").iterdir()),
        ]:
            with self.subTest(path=str(path)):
                self.assertNotIn("warning", self.expect_valid(kind, path, path))

    def test_sidecar_in_the_kubernetes_example_is_valid(self):
        text = pathlib.Path("examples/deploy/kubernetes.yaml").read_text(encoding="utf-8")
        block = re.search(r"sidecar.yaml: \|\n((?:    .*\n)+)", text)[1]
        path = SCRATCH / "kubernetes.yaml"
        path.write_text(
            re.sub("^    ", "", block, flags=re.MULTILINE).replace("POD_NAME", "orders-0"),
            encoding="utf-8",
        )
        self.expect_valid("sidecar", path, "examples/deploy/kubernetes.yaml")

    def test_yaml_in_the_documents_is_valid(self):
        for document in ["README.md", "docs/policy.md"]:
            blocks = yaml_blocks(document)
            self.assertGreaterEqual(len(blocks), 3, document)
            for number, block in enumerate(blocks):
                kind = kind_of(block)
                path = SCRATCH / f"block-{number}.yaml"
                path.write_text(as_policy(block) if kind == "policy" else block, encoding="utf-8")
                with self.subTest(document=document, block=block):
                    self.expect_valid(
                        kind, path, f"{document}:\n{path.read_text(encoding='utf-8')}"
                    )

    def test_reference_names_every_field_with_its_default(self):
        reference = pathlib.Path("docs/policy.md").read_text(encoding="utf-8")
        rows = [row.split("|") for row in reference.splitlines() if row.startswith("| `")]
        fields = list(fields_of_schema())
        self.assertGreater(len(fields), 100)
        for name, default in fields:
            with self.subTest(field=name, default=default):
                self.assertTrue(
                    re.search(rf"[`.]{name}\b", reference), "docs/policy.md does not name the field"
                )
                if default:
                    stated = [row[2] for row in rows if re.search(rf"[`.]{name}`", row[1])]
                    self.assertTrue(
                        any(default in each for each in stated),
                        f"docs/policy.md does not state the default {default}; it says {stated}",
                    )


if __name__ == "__main__":
    unittest.main()
