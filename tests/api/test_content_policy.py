"""What a page may load and run."""

import pytest

from api.content_policy import inline_scripts, policy


def test_nothing_is_allowed_but_what_is_named():
    assert policy() == (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    )
    assert policy(img_src="'self'", form_action="'self'") == (
        "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
        "img-src 'self'"
    )


def test_a_script_in_a_page_is_named_by_its_hash():
    page = '<script src="/x.js"></script><script type="module" src="y"></script><script>alert(1)\n</script>'

    assert inline_scripts(page) == "'sha256-MaeD7tQk/YNyd6Pm9J12ROmv0Z93QwNN4VH7v3gI+RI='"
    assert inline_scripts(page.replace("alert", "Alert")) != inline_scripts(page)


@pytest.mark.on_sqlite
def test_the_page_at_docs_runs_its_own_scripts_alone(client):
    answer = client.get("/docs")

    told = answer.headers["Content-Security-Policy"]
    assert f"script-src 'self' {inline_scripts(answer.text)};" in told
    assert "default-src 'none'" in told
    assert "frame-ancestors 'none'" in told
    assert "unsafe-eval" not in told
