"""The names of base/kill_points.def, and what must happen for a process to come to each."""

import pathlib
import re

TABLE = pathlib.Path(__file__).resolve().parents[2] / "base/kill_points.def"
ROWS = re.findall(r"^KILL_POINT_ROW\((\w+),\s*(PLAIN|FALLIBLE),\s*\"([^\"]*)\"\)", TABLE.read_text(), re.M)
NAMES = [name for name, _, _ in ROWS]
FALLIBLE = [name for name, kind, _ in ROWS if kind == "FALLIBLE"]
MEANING = {name: text for name, _, text in ROWS}
assert len(NAMES) == len(re.findall(r"^KILL_POINT_ROW", TABLE.read_text(), re.M)) > 0

# A start on an empty state directory comes to these; then the changelog is loaded, and the registry
# is asked for schemas.
WITHOUT_STATE = {"restore_changelog", "restore_row", "restore_batch", "restore_position",
                 "schema_fetch", "schema_fetched"}
# A name that the group has not seen takes over what the one before it left, once that is given up.
UNDER_ANOTHER_NAME = {"end_last_owner"}
# Another process joins.
IN_A_REBALANCE = {"revoke", "revoke_committed", "revoked"}
# Frozen for longer than the group waits.
AFTER_A_FREEZE = {"lost"}
# Frozen in the middle of a transaction for longer than the coordinator waits.
AFTER_A_FROZEN_TRANSACTION = {"rolled_back", "recover", "recovered"}
ON_SIGTERM = {"shut_down", "shut_down_committed", "shut_down_checkpoint", "shut_down_released"}

# How often a process comes by before it is worth dying there, at most. Others: a few times.
OFTEN = {"poll": 2000, "polled": 200, "process": 2000, "processed": 2000, "slice_row": 300,
         "restore_row": 300, "restore_tail_record": 20, "begun": 30, "outputs_produced": 30,
         "journal_produced": 30, "tail_produced": 30, "flush": 30, "flushed": 30,
         "offsets_request_sent": 30, "offsets_sent": 30, "commit_request_sent": 30,
         "commit_answered": 30, "committed": 30, "merged": 30}
RARE = 2
