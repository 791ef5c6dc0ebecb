"""Slack's limits on messages: what it refuses with ``invalid_blocks`` and its relatives.

Rule: Block Kit reference (docs.slack.dev/reference/block-kit); the wording of the complaints is Slack's own.
"""

from __future__ import annotations

from typing import Any

MOST_BLOCKS = 50
MOST_TEXT_CHARACTERS = 40_000
MOST_ATTACHMENTS = 100
# Not documented; users measured about 13,200 (slackapi/bolt-js issues 2509 and 2867).
MOST_BLOCK_CHARACTERS = 13_000
SECTION_TEXT = 3_000
FIELD_TEXT = 2_000
HEADER_TEXT = 150
BUTTON_TEXT = 75
BUTTON_VALUE = 2_000
URL_CHARACTERS = 3_000
BLOCK_ID = 255
MOST_FIELDS = 10
MOST_CONTEXT_ELEMENTS = 10
MOST_ACTIONS = 25
TEXT_TYPES = ("mrkdwn", "plain_text")

Complaints = list[str]


def complaints_about(blocks: Any, pointer: str = "/blocks") -> Complaints:
    """Return what Slack would say against some blocks; nothing if it would take them.

    :param blocks: the value of ``blocks`` as sent
    :param pointer: where they stand in the message
    """
    if not isinstance(blocks, list):
        return [_at("must provide an array", pointer)]
    if len(blocks) > MOST_BLOCKS:
        return [_at(f"no more than {MOST_BLOCKS} items allowed", pointer)]
    found: Complaints = []
    for position, block in enumerate(blocks):
        found += _block(block, f"{pointer}/{position}")
    return found


def count_characters(blocks: Any) -> int:
    """Return the number of characters of all texts in some blocks."""
    if isinstance(blocks, dict):
        own = len(blocks["text"]) if isinstance(blocks.get("text"), str) else 0
        return own + sum(count_characters(value) for value in blocks.values())
    if isinstance(blocks, list):
        return sum(count_characters(value) for value in blocks)
    return 0


def _block(block: Any, pointer: str) -> Complaints:
    if not isinstance(block, dict):
        return [_at("must be an object", pointer)]
    found: Complaints = []
    if len(str(block.get("block_id", ""))) > BLOCK_ID:
        found.append(_at(f"must be less than {BLOCK_ID + 1} characters", f"{pointer}/block_id"))
    match block.get("type"):
        case "section":
            found += _section(block, pointer)
        case "header":
            found += _text(block.get("text"), f"{pointer}/text", HEADER_TEXT, types=("plain_text",))
        case "context":
            found += _items(block, pointer, "elements", MOST_CONTEXT_ELEMENTS, _context_element)
        case "actions":
            found += _items(block, pointer, "elements", MOST_ACTIONS, _element)
        case "image":
            found += _image(block, pointer)
        case "divider" | "rich_text" | "markdown":
            pass
        case unknown:
            found.append(_at(f"unsupported type: {unknown}", f"{pointer}/type"))
    return found


def _section(block: dict[str, Any], pointer: str) -> Complaints:
    if "text" not in block and "fields" not in block:
        return [_at("missing required field: text or fields", pointer)]
    found: Complaints = []
    if "text" in block:
        found += _text(block["text"], f"{pointer}/text", SECTION_TEXT)
    if "fields" in block:
        found += _items(
            block, pointer, "fields", MOST_FIELDS, lambda field, where: _text(field, where, FIELD_TEXT)
        )
    if "accessory" in block:
        found += _element(block["accessory"], f"{pointer}/accessory")
    return found


def _items(block: dict[str, Any], pointer: str, name: str, most: int, check: Any) -> Complaints:
    items, where = block.get(name), f"{pointer}/{name}"
    if not isinstance(items, list) or not items:
        return [_at("must provide an array with at least one item", where)]
    if len(items) > most:
        return [_at(f"no more than {most} items allowed", where)]
    return [
        complaint for position, item in enumerate(items) for complaint in check(item, f"{where}/{position}")
    ]


def _context_element(element: Any, pointer: str) -> Complaints:
    if isinstance(element, dict) and element.get("type") == "image":
        return _image(element, pointer)
    return _text(element, pointer, SECTION_TEXT)


def _element(element: Any, pointer: str) -> Complaints:
    if not isinstance(element, dict) or not isinstance(element.get("type"), str):
        return [_at("must be an object with a type", pointer)]
    if element["type"] == "image":
        return _image(element, pointer)
    if element["type"] != "button":
        return []
    found = _text(element.get("text"), f"{pointer}/text", BUTTON_TEXT, types=("plain_text",))
    for name, most in (("value", BUTTON_VALUE), ("url", URL_CHARACTERS)):
        if len(str(element.get(name, ""))) > most:
            found.append(_at(f"must be less than {most + 1} characters", f"{pointer}/{name}"))
    return found


def _image(element: dict[str, Any], pointer: str) -> Complaints:
    return [
        _at(f"missing required field: {name}", pointer)
        for name in ("image_url", "alt_text")
        if name not in element
    ]


def _text(value: Any, pointer: str, most: int, *, types: tuple[str, ...] = TEXT_TYPES) -> Complaints:
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        return [_at("must be a text object", pointer)]
    if value.get("type") not in types:
        return [_at(f"must be one of: {', '.join(types)}", f"{pointer}/type")]
    if not value["text"]:
        return [_at("must be more than 0 characters", f"{pointer}/text")]
    if len(value["text"]) > most:
        return [_at(f"must be less than {most + 1} characters", f"{pointer}/text")]
    return []


def _at(complaint: str, pointer: str) -> str:
    return f"{complaint} [json-pointer:{pointer}]"
