"""Our pages keep the rules of axe-core, which checks them in a real browser, light and dark."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from search.findings.comparison import record_differences
from search.findings.study_results import StudyResults
from search.pages.comparison import write_comparison
from search.pages.report import html_report
from tests.search.pages.test_browser import BROWSER, FLAGS
from tests.search.pages.test_example_pictures import EXAMPLES
from tests.search.plausible import plausible_study

AXE = importlib.util.find_spec("axe_core_python")
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no chromium is installed (Debian: apt-get install chromium)"),
    pytest.mark.skipif(AXE is None, reason="axe-core-python is not installed (pip install axe-core-python)"),
]
SCHEMES = {"dark": 0, "light": 1}
"""Chromium's numbers of the colour schemes that a page can be asked for."""
CHECK = """
addEventListener("load", () => setTimeout(async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] }), facts = document.createElement("pre");
  const what = (rule) => [rule.id, rule.nodes.map((node) => node.html.slice(0, 120))];
  facts.id = "axe";
  facts.textContent = JSON.stringify({ passes: found.passes.length, violations: found.violations.map(what) });
  document.body.append(facts);
}, 300));
"""


def _checked(page: str, scheme: str, folder: Path) -> dict[str, Any]:
    """Return what axe-core says of a page. Its policy, which would forbid the checker, is taken out first."""
    assert AXE is not None and AXE.submodule_search_locations
    checker = (Path(AXE.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")
    open_page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    scripts = f"<script>{checker}</script><script>{CHECK}</script></body>"
    (folder / "page.html").write_text(open_page.replace("</body>", scripts), encoding="utf-8")
    asked = [f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}", "--virtual-time-budget=20000", "--dump-dom"]
    command = [str(BROWSER), *FLAGS, f"--user-data-dir={folder / 'profile'}", *asked]
    address = (folder / "page.html").as_uri()
    done = subprocess.run([*command, address], capture_output=True, text=True, timeout=120, check=True)
    shutil.rmtree(folder / "profile")
    facts = re.search(r'<pre id="axe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert facts is not None, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(unescape(facts[1]))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_report_breaks_no_rule(scheme: str, tmp_path: Path) -> None:
    found = plausible_study(trials=6)
    page = html_report(StudyResults(found.study, found.records, found.fronts), b"", examples=EXAMPLES)
    seen = _checked(page, scheme, tmp_path)
    assert seen["violations"] == [] and seen["passes"] > 30


@pytest.mark.slow
def test_the_comparison_breaks_no_rule_and_a_page_that_does_is_found(tmp_path: Path) -> None:
    one, other = plausible_study(trials=6).records[:2]
    page = write_comparison(tmp_path / "c", (one, other), record_differences(one, other, ("a", "b")))[0].read_text()
    assert _checked(page, "light", tmp_path)["violations"] == []
    nameless = page.replace("<main>", '<main><img src="data:,">')
    assert [rule for rule, _ in _checked(nameless, "light", tmp_path)["violations"]] == ["image-alt"]
