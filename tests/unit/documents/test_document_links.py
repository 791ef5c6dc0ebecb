"""Links in README and docs lead somewhere: files exist, anchors exist, every document is reachable."""

from __future__ import annotations

from posixpath import join, normpath

import pytest

from tests.documents import ROOT, anchors, documents, links

LINKS = [
    pytest.param(document, target, id=f"{document} to {target}")
    for document in documents()
    for target in links(document)
    if "://" not in target and not target.startswith("mailto:")
]


def place(document: str, target: str) -> tuple[str, str]:
    """Return file and anchor of a link, the file as a path from the project's root."""
    path, _, anchor = target.partition("#")
    return (normpath(join(document, "..", path)) if path else document), anchor


def test_links_are_found() -> None:
    assert len(LINKS) >= 20


@pytest.mark.parametrize(("document", "target"), LINKS)
def test_the_link_leads_to_a_file_and_a_heading(document: str, target: str) -> None:
    file, anchor = place(document, target)
    assert (ROOT / file).exists(), f"{document} links to {target}: there is no {file}"
    if anchor and file.endswith(".md"):
        assert anchor in anchors(file), f"{document} links to {target}; {file} has {sorted(anchors(file))}"


def test_every_document_can_be_reached_from_the_readme() -> None:
    seen, waiting = set(), ["README.md"]
    while waiting:
        document = waiting.pop()
        seen.add(document)
        targets = {place(document, target)[0] for target in links(document) if "://" not in target}
        waiting += [target for target in targets if target.endswith(".md") and target not in seen]
    assert set(documents()) - seen == set()
