"""The page of the Slack stand-in: the channel as a person would see it."""

from __future__ import annotations

import pytest
import requests
from slack_sdk import WebClient

from simulators.slack.mrkdwn import to_html
from simulators.slack_client import BOT_TOKEN, SlackAdmin

RENDERED = [
    pytest.param(
        "*bold* _slanted_ ~gone~", "<strong>bold</strong> <em>slanted</em> <del>gone</del>", id="styles"
    ),
    pytest.param("2*3*4 gap_records_x a~b", "2*3*4 gap_records_x a~b", id="marks inside words"),
    pytest.param("`a*b*c` *x*", "<code>a*b*c</code> <strong>x</strong>", id="code is not styled"),
    pytest.param("```\nx &lt; y\n```", "<pre>x &lt; y</pre>", id="preformatted"),
    pytest.param(
        "*<http://a/b?c=1&amp;d=2|the run>*",
        '<strong><a href="http://a/b?c=1&amp;d=2" rel="noreferrer">the run</a></strong>',
        id="link with a name in bold",
    ),
    pytest.param("<https://a/b>", '<a href="https://a/b" rel="noreferrer">https://a/b</a>', id="bare link"),
    pytest.param(
        "<!channel> <#C1|ops>",
        '<span class="mention">@channel</span> <span class="mention">#ops</span>',
        id="mentions",
    ),
    pytest.param("a &lt;b&gt; &amp; c", "a &lt;b&gt; &amp; c", id="escapes"),
    pytest.param(
        '<script>alert("x")</script>',
        "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;",
        id="no markup gets through",
    ),
    pytest.param("<javascript:alert(1)|x>", "&lt;javascript:alert(1)|x&gt;", id="no script links"),
    pytest.param("&gt; said\nnext", "<blockquote>said</blockquote>next", id="quote"),
    pytest.param(":red_circle: :nothing_known:", "🔴 :nothing_known:", id="emoji"),
    pytest.param("one\ntwo", "one<br>two", id="lines"),
]


@pytest.mark.parametrize(("text", "html"), RENDERED)
def test_mrkdwn_is_shown_as_slack_shows_it(text: str, html: str) -> None:
    assert to_html(text) == html


@pytest.fixture
def slack(slack_session: SlackAdmin) -> SlackAdmin:
    slack_session.reset()
    return slack_session


def page(slack: SlackAdmin, channel: str | None = None) -> str:
    query = {} if channel is None else {"channel": channel}
    response = requests.get(slack.url, params=query, timeout=60)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    return response.text


def test_an_empty_channel_says_so(slack: SlackAdmin) -> None:
    slack.reset()
    assert "Nothing has been said here yet." in page(slack)


def test_messages_are_shown_with_blocks_threads_edits_and_all_channels(slack: SlackAdmin) -> None:
    slack.reset()
    bot = WebClient(BOT_TOKEN, base_url=slack.api_url)
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "3 series stale :red_circle:"}},
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": "*XBTUSD* 60"},
            "fields": [{"type": "mrkdwn", "text": "*Since*\n02:00"}],
        },
        {"type": "divider"},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "run `x`"}]},
        {
            "type": "actions",
            "elements": [
                {"type": "button", "text": {"type": "plain_text", "text": "Open run"}, "url": "http://h/r"}
            ],
        },
    ]
    first = bot.chat_postMessage(channel="#alerts", text="only a fallback", blocks=blocks)
    bot.chat_postMessage(channel="#alerts", text="grown to *5*", thread_ts=first["ts"])
    html = page(slack)
    assert "<h3>3 series stale 🔴</h3>" in html
    assert "<strong>XBTUSD</strong> 60" in html
    assert "<strong>Since</strong><br>02:00" in html
    assert '<a class="button" href="http://h/r" rel="noreferrer">Open run</a>' in html
    assert "only a fallback" not in html
    assert "(edited" not in html
    thread = html.index('class="thread"')
    assert html.index("XBTUSD") < thread < html.index("grown to <strong>5</strong>")

    bot.chat_update(channel=first["channel"], ts=first["ts"], text="all well again")
    html = page(slack)
    assert "all well again" in html
    assert "XBTUSD" not in html
    assert html.count("(edited") == 1

    coloured = [{"color": "danger", "text": "in a coloured attachment"}]
    requests.post(slack.webhook_url, json={"channel": "#ops", "attachments": coloured}, timeout=60)
    assert "in a coloured attachment" not in page(slack)
    assert "# ops" in page(slack)
    assert 'style="border-color: #e01e5a"' in page(slack, "ops")


def test_the_page_has_a_light_and_a_dark_dress_and_needs_nothing_from_elsewhere(slack: SlackAdmin) -> None:
    html = page(slack)
    assert "prefers-color-scheme: dark" in html
    assert "<script" not in html
    assert 'src="http' not in html
