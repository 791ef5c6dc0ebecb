"""The example of the documentation that runs once per verified day, as a copy in the dags folder would be.

Airflow only reads files that name it, and a dag.
"""

import runpy
from pathlib import Path

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "returns_of_verified_days.py"

returns_of_verified_days = runpy.run_path(str(EXAMPLE))["returns_of_verified_days"]()
