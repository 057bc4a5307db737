import logging
import re

from crm_core import incidents

NUMBER = re.compile(r"[2-9A-HJKMNP-TV-Z]{4}-[2-9A-HJKMNP-TV-Z]{4}")


def test_a_number_is_short_and_can_be_read_out():
    numbers = {incidents.new_number() for _ in range(1000)}

    assert len(numbers) == 1000
    assert all(NUMBER.fullmatch(number) for number in numbers)


def test_the_log_has_the_whole_trace_under_the_number(caplog):
    try:
        raise ZeroDivisionError("the cause")
    except ZeroDivisionError as error:
        number = incidents.record(logging.getLogger("crm.test"), error)

    assert f"Incident {number}" in caplog.text
    assert "Traceback" in caplog.text
    assert "ZeroDivisionError: the cause" in caplog.text
