"""Evidence of what ran in a Debian in a folder (debian.machine): the versions there, the commit here."""

import json
import pathlib
import shlex

from evidence import LIST_LIBRARIES, versions_in

ROOT = pathlib.Path(__file__).resolve().parents[2]


def adopt_evidence(shell, evidence, name, **figures):
    """docs/evidence/NAME.json here, with the system and the libraries there."""
    system = shell(". /etc/os-release && echo $PRETTY_NAME", capture_output=True, text=True).stdout.strip()
    # It ends with 1 where one of the names is not known.
    listed = shell(shlex.join(LIST_LIBRARIES), capture_output=True, text=True, check=False).stdout
    evidence(name, **figures)
    path = ROOT / "docs/evidence" / f"{name}.json"
    record = {**json.loads(path.read_text()), "system": system, "libraries": versions_in(listed)}
    path.write_text(json.dumps(record, indent=4) + "\n")
