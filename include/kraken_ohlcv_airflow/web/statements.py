"""The page of statements: the monthly ones that are kept, one of any range, and post-mortems of incidents."""

from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.statement.period import Period
from kraken_ohlcv.stores.ledger.statements import (
    KeptStatement,
    StatementText,
    count_statements,
    list_statements,
    read_statement,
)
from kraken_ohlcv_airflow.web.queries import Day, PagedQuery, PageQuery, Tier
from kraken_ohlcv_airflow.web.render import page
from kraken_ohlcv_airflow.web.stores import ledger, questdb

router = APIRouter()

PAGE_SIZE: Final = 50
MAX_ID: Final = 2**63 - 1
Number = Annotated[int, Path(ge=1, le=MAX_ID)]


class ListedStatement(BaseModel):
    """A statement that is kept; ``end`` is the day behind its last one, ``name`` that of its files."""

    statement_id: int
    name: str
    tier: str
    start: date
    end: date
    version: int
    made_at: datetime
    sha256: str

    @classmethod
    def of(cls, kept: KeptStatement) -> "ListedStatement":
        """Return a statement as the page lists it."""
        return cls(
            statement_id=kept.statement_id,
            name=f"{kept.tier}_{Period(kept.start_s, kept.end_s)}",
            tier=kept.tier,
            start=utc(kept.start_s).date(),
            end=utc(kept.end_s).date(),
            version=kept.version,
            made_at=utc(kept.made_s),
            sha256=kept.sha256,
        )


class StatementPage(BaseModel):
    """One page of the statements that are kept, the newest range first."""

    total: int
    page: int
    pages: int
    statements: list[ListedStatement]


class RangeQuery(PageQuery):
    """The tier and range of a statement that is to be made.

    :ivar from_: first day, UTC; by default that of the month before
    :ivar to: last day, inclusive; by default that of the month before
    :ivar download: as a file
    """

    tier: Tier = "TIER1"
    from_: Day = Query(default=None, alias="from")
    to: Day = None
    download: bool = False

    def period(self, now_s: int) -> Period:
        """Return the range.

        :raises BadRequestError: if it is none
        """
        before = Period.month_before(now_s)
        first = self.from_ or utc(before.start_s).date()
        last = self.to or utc(before.end_s - 1).date()
        return Period.of(str(first), str(last + timedelta(days=1)))


class PaperQuery(PageQuery):
    """Whether a paper is shown, or downloaded as a file."""

    download: bool = False


def _paper(html: str, name: str, *, is_file: bool) -> Response:
    """Return a paper, whose only style is the one in it."""
    # Templates are slow to import.
    from kraken_ohlcv.statement.paper import style_hash  # noqa: PLC0415

    policy = f"default-src 'none'; style-src '{style_hash()}'; base-uri 'none'; frame-ancestors 'self'"
    return HTMLResponse(html, headers={"Content-Security-Policy": policy, **_as_file(name, is_file=is_file)})


def _as_file(name: str, *, is_file: bool = True) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'} if is_file else {}


def _kept(number: int) -> StatementText:
    with ledger() as connection:
        found = read_statement(connection, number)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no statement {number}.")
    return found


def _made(request: Request, query: RangeQuery) -> Any:
    """Return a statement made now; nothing is written."""
    # Arrays and templates are slow to import, and the other pages do without them.
    from kraken_ohlcv.statement.gather import StatementError  # noqa: PLC0415
    from kraken_ohlcv.statement.make import make_statement  # noqa: PLC0415

    now_s = int(request.app.state.clock())
    try:
        with ledger() as connection, questdb() as store:
            return make_statement(connection, store, query.tier, query.period(now_s), now_s=now_s)
    except BadRequestError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, str(error)) from error
    except StatementError as error:
        raise HTTPException(HTTPStatus.CONFLICT, str(error)) from error


def _postmortem(request: Request, incident_id: int) -> dict[str, Any]:
    from kraken_ohlcv.statement.postmortem import make_postmortem  # noqa: PLC0415 (as above)

    try:
        with ledger() as connection:
            return make_postmortem(connection, incident_id, now_s=int(request.app.state.clock()))
    except BadRequestError as error:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no incident {incident_id}.") from error


@router.get("/api/statements", tags=["statements"])
def read_statements(query: Annotated[PagedQuery, Query()]) -> StatementPage:
    """Return the statements that are kept, page by page."""
    with ledger() as connection:
        n_kept = count_statements(connection)
        number, pages = query.chosen_page(n_kept, PAGE_SIZE)
        found = list_statements(connection, limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE)
    return StatementPage(
        total=n_kept, page=number, pages=pages, statements=[ListedStatement.of(one) for one in found]
    )


@router.get("/api/statements/{number}", tags=["statements"])
def download_statement(number: Number) -> Response:
    """Return the JSON of a statement that is kept, to the byte what its SHA-256 is over."""
    found = _kept(number)
    return Response(
        found.body, media_type="application/json", headers=_as_file(f"{_name_of(found.body)}.json")
    )


@router.get("/statements/{number}", include_in_schema=False)
def show_statement(number: Number, query: Annotated[PaperQuery, Query()]) -> Response:
    """Show a statement that is kept."""
    from kraken_ohlcv.statement.document import document_of  # noqa: PLC0415 (as above)
    from kraken_ohlcv.statement.paper import statement_html  # noqa: PLC0415

    found = _kept(number)
    html = statement_html(document_of(found.body), found.sha256, version=found.version)
    return _paper(html, f"{_name_of(found.body)}.html", is_file=query.download)


@router.get("/api/statement", tags=["statements"])
def read_made(request: Request, query: Annotated[RangeQuery, Query()]) -> Response:
    """Return the statement of any range as JSON, made now; it is not kept."""
    made = _made(request, query)
    headers = _as_file(f"{_name_of(made.text)}.json", is_file=query.download)
    return Response(made.text, media_type="application/json", headers=headers)


@router.get("/statement", include_in_schema=False)
def show_made(request: Request, query: Annotated[RangeQuery, Query()]) -> Response:
    """Show the statement of any range, made now; it is not kept."""
    made = _made(request, query)
    return _paper(made.html(), f"{_name_of(made.text)}.html", is_file=query.download)


@router.get("/statements", include_in_schema=False)
def show_statements(request: Request, query: Annotated[PagedQuery, Query()]) -> Response:
    """Show the statements that are kept, with a form to make one of any range."""
    now_s = int(request.app.state.clock())
    before = Period.month_before(now_s)
    return page(
        "statements.html",
        active="statements",
        now=utc(now_s),
        first=utc(before.start_s).date(),
        last=utc(before.end_s - 1).date(),
        day=timedelta(days=1),
        links=query.links,
        view=read_statements(query),
    )


@router.get("/api/incidents/{number}/postmortem", tags=["incidents"])
def read_postmortem(request: Request, number: Number) -> dict[str, Any]:
    """Return the post-mortem of an incident: its gaps, tries and sources, and what is lost."""
    return _postmortem(request, number)


@router.get("/incidents/{number}/postmortem", include_in_schema=False)
def show_postmortem(request: Request, number: Number, query: Annotated[PaperQuery, Query()]) -> Response:
    """Show the post-mortem of an incident."""
    from kraken_ohlcv.statement.paper import postmortem_html  # noqa: PLC0415 (as above)

    html = postmortem_html(_postmortem(request, number))
    return _paper(html, f"incident_{number}.html", is_file=query.download)


def _name_of(text: str) -> str:
    from kraken_ohlcv.statement.document import document_of, file_name  # noqa: PLC0415 (as above)

    return file_name(document_of(text))
