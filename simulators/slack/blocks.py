"""Block Kit as HTML: what a message says, drawn like Slack draws it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from simulators.slack.mrkdwn import to_html, to_plain_html

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_NAMED_COLOURS = {"good": "#2eb67d", "warning": "#ecb22e", "danger": "#e01e5a"}
Json = dict[str, Any]


def message_html(text: str, blocks: list[Json], attachments: list[Json]) -> Markup:
    """Return the blocks, or the text when there are none, and the attachments below, as HTML."""
    parts = [_block(block) for block in blocks]
    if not parts and text:
        parts.append(_paragraph(to_html(text)))
    return _joined([*parts, *(_attachment(attachment) for attachment in attachments)])


def _attachment(attachment: Json) -> Markup:
    colour = str(attachment.get("color", ""))
    colour = _NAMED_COLOURS.get(colour, colour if colour.startswith("#") and colour[1:].isalnum() else "")
    parts = [_block(block) for block in attachment.get("blocks", [])]
    texts = [str(attachment[name]) for name in ("title", "text") if attachment.get(name)]
    parts += [_paragraph(to_html(text)) for text in texts]
    style = Markup(' style="border-color: {}"').format(colour) if colour else Markup("")
    return Markup('<div class="attachment"{}>{}</div>').format(style, _joined(parts))


def _block(block: Json) -> Markup:
    return _DRAWN.get(block["type"], _other)(block)


def _header(block: Json) -> Markup:
    return Markup("<h3>{}</h3>").format(_text(block["text"]))


def _section(block: Json) -> Markup:
    parts = [_paragraph(_text(block["text"]))] if "text" in block else []
    if block.get("fields"):
        cells = _joined(Markup("<div>{}</div>").format(_text(field)) for field in block["fields"])
        parts.append(Markup('<div class="fields">{}</div>').format(cells))
    if "accessory" in block:
        parts.append(_element(block["accessory"]))
    return Markup('<div class="section">{}</div>').format(_joined(parts))


def _context(block: Json) -> Markup:
    return Markup('<div class="context">{}</div>').format(_joined(map(_element, block["elements"]), " "))


def _actions(block: Json) -> Markup:
    return Markup('<div class="actions">{}</div>').format(_joined(map(_element, block["elements"]), " "))


def _divider(_: Json) -> Markup:
    return Markup("<hr>")


def _image(block: Json) -> Markup:
    return Markup('<span class="image">🖼 {}</span>').format(block.get("alt_text", ""))


def _markdown(block: Json) -> Markup:
    return _paragraph(to_html(str(block.get("text", ""))))


def _other(block: Json) -> Markup:
    """Return the bare texts of a kind of block that is not drawn in detail."""
    return _paragraph(to_plain_html(_flat(block)))


_DRAWN: dict[str, Callable[[Json], Markup]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "divider": _divider,
    "image": _image,
    "markdown": _markdown,
}


def _element(element: Json) -> Markup:
    if element.get("type") == "image":
        return _image(element)
    if element.get("type") != "button":
        return _text(element)
    label, url = _text(element["text"]), str(element.get("url", ""))
    if url.startswith(("http://", "https://")):
        return Markup('<a class="button" href="{}" rel="noreferrer">{}</a>').format(url, label)
    return Markup('<span class="button">{}</span>').format(label)


def _text(value: Json) -> Markup:
    """Return a text object; anything else that may stand in its place, as its bare texts."""
    text = value.get("text")
    if not isinstance(text, str):
        return to_plain_html(_flat(value))
    return to_html(text) if value.get("type") == "mrkdwn" else to_plain_html(text)


def _paragraph(content: Markup) -> Markup:
    return Markup("<p>{}</p>").format(content)


def _joined(parts: Iterable[Markup], between: str = "\n") -> Markup:
    return Markup(between).join(parts)  # noqa: S704 (a separator of this module, never a text from outside)


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        own = value["text"] if isinstance(value.get("text"), str) else ""
        return own + "".join(_flat(inner) for inner in value.values() if not isinstance(inner, str))
    if isinstance(value, list):
        return "".join(_flat(inner) for inner in value)
    return ""
