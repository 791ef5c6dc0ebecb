"""The plugin loads in every process of Airflow, cheaply, and offers its pages where Airflow shows them."""

from __future__ import annotations

import subprocess
import sys

LOOK = """
import sys
from airflow import plugins_manager
assert plugins_manager.get_import_errors() == {}, plugins_manager.get_import_errors()
(plugin,) = [one for one in plugins_manager._get_plugins()[0] if one.name == "ohlcv"]
assert [app["url_prefix"] for app in plugin.fastapi_apps] == ["/ohlcv"]
routes = [view["url_route"] for view in plugin.external_views]
assert routes and len(routes) == len(set(routes)), routes
assert all(not view["href"].startswith(("/", "http")) for view in plugin.external_views)
assert "fastapi" not in sys.modules, "tasks would pay for the web framework"
assert "kraken_ohlcv_airflow.web.app" not in sys.modules
"""


def test_the_plugin_loads_without_the_web_framework_and_its_links_are_relative() -> None:
    look = [sys.executable, "-c", LOOK]
    ended = subprocess.run(look, check=False, capture_output=True, text=True)  # noqa: S603 (our own text)
    assert ended.returncode == 0, ended.stderr
