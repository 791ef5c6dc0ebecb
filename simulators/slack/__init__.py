"""A Slack stand-in: ``python -m simulators.slack`` takes messages as Slack does and shows the channel.

Incoming webhooks and the parts of the Web API that post and edit messages, with Slack's own limits, errors
and answers; faults by script. ``simulators.slack_client`` steers it.
"""
