"""What a screen says about an error; `tests/browser/test_incidents.py` looks at whole screens."""

import logging
import re

from streamlit.testing.v1 import AppTest

from ui import incidents


def broken() -> None:
    from ui import incidents

    incidents.show(ZeroDivisionError("Zanzibar"))


def refused() -> None:
    from crm_core.errors import NotFound
    from ui import incidents

    incidents.show(NotFound("“**Roof** ![x](http://evil.example)” was deleted meanwhile."))


def test_an_error_is_told_by_its_number_alone(caplog):
    screen = AppTest.from_function(broken).run()

    said = screen.error[0].value
    number = re.search(r"incident \*\*(\w{4}-\w{4})\*\*", said).group(1)
    assert "Nothing of yours was saved" in said
    assert "Zanzibar" not in said
    assert f"Incident {number}\n" in caplog.text
    assert "ZeroDivisionError: Zanzibar" in caplog.text


def test_a_refusal_is_its_own_sentence_and_no_incident(caplog):
    screen = AppTest.from_function(refused).run()

    assert "was deleted meanwhile" in screen.error[0].value
    assert r"\*\*Roof\*\* \!\[x\]" in screen.error[0].value
    assert "Incident" not in caplog.text


def test_the_log_has_nothing_twice(caplog):
    incidents.take_over_log()
    log = logging.getLogger("streamlit.error_util")
    log.addHandler(caplog.handler)

    log.error("Uncaught app execution")
    log.error("on_script_error handler raised an exception")

    assert [entry.message for entry in caplog.records] == ["on_script_error handler raised an exception"]
