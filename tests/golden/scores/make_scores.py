"""Make scores.json anew, after a score was changed on purpose: python tests/golden/scores/make_scores.py"""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.golden.scores.scored import evaluated, numbers

with tempfile.TemporaryDirectory() as folder:
    found = {name: numbers(scores) for name, scores in evaluated(Path(folder)).items()}
Path(__file__).with_name("scores.json").write_text(json.dumps(found, indent=1) + "\n")
