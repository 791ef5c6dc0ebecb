"""A JSON schema is checked once per process: Airflow checks that of a param whenever it looks at its value.

Without this, ``dag.test()`` spends two thirds of its time on checks that have passed before.
"""

from __future__ import annotations

import json
from typing import Any


class EachOnce:
    """Stands before the check of a validator class.

    :param validator: a class of jsonschema's validators
    """

    def __init__(self, validator: Any) -> None:
        self._check = validator.check_schema
        self._passed: set[str] = set()
        validator.check_schema = self

    def __call__(self, schema: Any, **options: Any) -> None:
        """Check a schema, unless one that is equal has passed.

        :raises jsonschema.SchemaError: if it is none
        """
        text = json.dumps([schema, sorted(options)], sort_keys=True, default=repr)
        if text not in self._passed:
            self._check(schema, **options)
            self._passed.add(text)


def check_each_schema_once() -> None:
    """Begin with it, for the validator that Airflow uses."""
    from jsonschema.validators import Draft202012Validator  # type: ignore[import-untyped]  # noqa: PLC0415

    if not isinstance(Draft202012Validator.check_schema, EachOnce):
        EachOnce(Draft202012Validator)
