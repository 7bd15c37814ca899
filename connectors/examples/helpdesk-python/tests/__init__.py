"""Makes `python -m unittest` find the SDK and the connector without installing them."""

import sys
import tomllib
from pathlib import Path

_PROJECT = Path(__file__).parents[1]
_CONNECTOR = tomllib.loads((_PROJECT / "connector.toml").read_text())["connector"]
sys.path[:0] = [str(_PROJECT / "src"), str(_PROJECT / _CONNECTOR.get("sdk", "sdk"))]
