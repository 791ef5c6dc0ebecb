"""The button that sends a test message, and its JSON twin."""

from http import HTTPStatus

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from kraken_ohlcv.core.errors import SetUpError, SlackError
from kraken_ohlcv.core.wording import sentence
from kraken_ohlcv.monitoring.channel_check import send_test_message
from kraken_ohlcv_airflow.web.access import SNOOZE_DAG_ID, insist_on_trigger, same_origin

router = APIRouter(dependencies=[Depends(same_origin)])


class SentOut(BaseModel):
    """Who had the message sent."""

    by: str


@router.post("/api/test-message", tags=["actions"])
def send_test(request: Request, user: GetUserDep) -> SentOut:
    """Send a message that says that nothing is wrong; needs the right to trigger the validation DAG."""
    # The Slack provider is slow to import, and other pages do without it.
    from kraken_ohlcv_airflow.slack import slack_channel  # noqa: PLC0415

    insist_on_trigger(request, user, SNOOZE_DAG_ID)
    try:
        send_test_message(slack_channel(), by=user.get_name(), now_s=request.app.state.clock())
    except (SetUpError, SlackError) as error:
        raise HTTPException(HTTPStatus.CONFLICT, sentence(str(error))) from None
    return SentOut(by=user.get_name())


@router.post("/actions/test-message", include_in_schema=False)
def send_test_by_form(request: Request, user: GetUserDep) -> Response:
    """Send a test message, and return to the page of incidents."""
    send_test(request, user)
    return RedirectResponse("../incidents?test=sent", HTTPStatus.SEE_OTHER)
