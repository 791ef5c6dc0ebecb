"""Slack's mrkdwn as HTML, the way Slack shows it."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_EMOJI = {
    "alarm_clock": "⏰",
    "arrow_up": "⬆️",
    "arrows_counterclockwise": "🔄",
    "bar_chart": "📊",
    "bell": "🔔",
    "chart_with_upwards_trend": "📈",
    "clock1": "🕐",
    "construction": "🚧",
    "double_vertical_bar": "⏸️",
    "eyes": "👀",
    "fire": "🔥",
    "hourglass": "⌛",
    "hourglass_flowing_sand": "⏳",
    "information_source": "ℹ️",  # noqa: RUF001 (the emoji itself)
    "large_blue_circle": "🔵",
    "large_green_circle": "🟢",
    "large_orange_circle": "🟠",
    "large_yellow_circle": "🟡",
    "link": "🔗",
    "mag": "🔍",
    "memo": "📝",
    "mute": "🔇",
    "no_entry": "⛔",
    "octagonal_sign": "🛑",
    "package": "📦",
    "question": "❓",
    "red_circle": "🔴",
    "repeat": "🔁",
    "rotating_light": "🚨",
    "skull": "💀",
    "tada": "🎉",
    "warning": "⚠️",
    "wastebasket": "🗑️",
    "white_check_mark": "✅",
    "white_circle": "⚪",
    "wrench": "🔧",
    "x": "❌",
    "zzz": "💤",
}
_ATOMS = re.compile(r"```(?P<pre>.+?)```|`(?P<code>[^`\n]+)`|<(?P<link>[^<>\n]+)>", re.DOTALL)
_ATOM_MARK = "\x00{}\x00"
_STYLES = [
    (re.compile(rf"(?<![\w{mark}]){mark}(?=\S)([^\n]*?(?<=\S)){mark}(?![\w{mark}])"), tag)
    for mark, tag in ((r"\*", "strong"), ("_", "em"), ("~", "del"))
]
_SAFE_SCHEMES = ("http://", "https://", "mailto:")


def to_html(text: str) -> Markup:
    """Return a mrkdwn text as HTML.

    :param text: with ``&``, ``<`` and ``>`` escaped by its author, as Slack asks for
    """
    atoms: list[Markup] = []

    def put_aside(match: re.Match[str]) -> str:
        atoms.append(_atom(match))
        return _ATOM_MARK.format(len(atoms) - 1)

    rest = _ATOMS.sub(put_aside, text.replace("\x00", ""))
    html = str(escape(_unescaped(rest)))
    for pattern, tag in _STYLES:
        html = pattern.sub(rf"<{tag}>\1</{tag}>", html)
    html = "\n".join(_line(line) for line in _with_emoji(html).split("\n"))
    html = html.replace("</blockquote>\n", "</blockquote>").replace("\n", "<br>")
    for number, atom in enumerate(atoms):
        html = html.replace(_ATOM_MARK.format(number), str(atom))
    return Markup(html)  # noqa: S704 (every piece of the text was escaped above)


def to_plain_html(text: str) -> Markup:
    """Return a plain_text as HTML: emoji are shown, marks are not."""
    return Markup(_with_emoji(str(escape(_unescaped(text)))).replace("\n", "<br>"))  # noqa: S704 (escaped)


def _atom(match: re.Match[str]) -> Markup:
    if match["pre"] is not None:
        return Markup("<pre>{}</pre>").format(_unescaped(match["pre"].strip("\n")))
    if match["code"] is not None:
        return Markup("<code>{}</code>").format(_unescaped(match["code"]))
    target, _, label = match["link"].partition("|")
    if target.startswith("!"):
        return Markup('<span class="mention">{}</span>').format(label or f"@{target[1:].split('^')[0]}")
    if target.startswith(("@", "#")):
        return Markup('<span class="mention">{}</span>').format(f"{target[0]}{label or target[1:]}")
    if target.startswith(_SAFE_SCHEMES):
        shown = to_plain_html(label or target)
        return Markup('<a href="{}" rel="noreferrer">{}</a>').format(_unescaped(target), shown)
    return Markup("&lt;{}&gt;").format(_unescaped(match["link"]))


def _line(line: str) -> str:
    quoted = line.removeprefix("&gt;")
    return line if quoted == line else f"<blockquote>{quoted.strip()}</blockquote>"


def _with_emoji(html: str) -> str:
    return re.sub(r":([a-z0-9_+-]+):", lambda match: _EMOJI.get(match[1], match[0]), html)


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
