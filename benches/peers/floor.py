"""The least that Python pays for reading a log: `json.loads`, NFKC and `casefold` of each prompt. `floor.py LOG`."""

import json
import sys
import unicodedata

from common import Clock, peak, tell

clock, rows, characters = Clock(), 0, 0
with open(sys.argv[1], "rb") as file:
    for line in file:
        prompt = json.loads(line)["prompt"]
        characters += len(unicodedata.normalize("NFKC", prompt).casefold())
        rows += 1
tell(engine="python", rows=rows, characters=characters, **clock.took(), peak=peak())
