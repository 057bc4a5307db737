"""Screens with each kind of element that ours use, and each way to go wrong; served just as `app.py` is."""

import wave
from datetime import date
from io import BytesIO
from pathlib import Path

import altair as alt
import pandas as pd
import streamlit as st

from crm_core.errors import NotFound
from tests.browser.typed import TYPED
from ui import data, messages, navigation, words

SECRET = "Zanzibar"  # must not reach a browser

GONE = "“Roof” was deleted meanwhile."
DEALS = pd.DataFrame(
    {"deal": ["Roof", "Boat"], "value": [1, 2], "closes": [date(2026, 1, 1), date(2026, 2, 1)]}
)


def break_something() -> None:
    raise ZeroDivisionError(SECRET)


def refuse() -> None:
    raise NotFound(GONE)


def break_after_saving() -> None:
    with data.saving("The deal is saved."):
        pass
    break_something()


@st.fragment
def fragment() -> None:
    if st.button("Break the fragment"):
        break_something()
    if st.button("Refuse in the fragment"):
        refuse()


@st.dialog("A deal", position="right")
def dialog() -> None:
    st.text_input("Name")
    st.dataframe(DEALS)
    if st.button("Break the dialog"):
        break_something()


def wrong() -> None:
    st.title("Ways to go wrong")
    st.write("What stands above stays.")
    with st.container(horizontal=True):
        st.button("Break the action", on_click=break_something)
        st.button("Break after saving", on_click=break_after_saving)
        st.button("Refuse the action", on_click=refuse)
        if st.button("Open the dialog"):
            dialog()
        is_broken, is_refused = st.button("Break the body"), st.button("Refuse in the body")
    fragment()
    if is_broken:
        break_something()
    if is_refused:
        refuse()
    st.write("The end of the screen.")


def drawn() -> None:
    st.markdown(":material/science: **Text**, :red[red], $x^2$")
    st.metric("Open value", "$1", 2, border=True, chart_data=[1, 2, 3])
    st.dataframe(DEALS, on_select="rerun", key="list")
    st.data_editor(DEALS, num_rows="dynamic", key="editor")
    bars = alt.Chart(DEALS).transform_calculate(double="datum.value * 2").mark_bar()
    picked = alt.selection_point(name="picked", fields=["deal"])
    colored = alt.condition("datum.value > 1", alt.value("green"), alt.value("blue"))
    st.altair_chart(
        bars.encode(x="deal", y="double:Q", color=colored, tooltip="deal").add_params(picked),
        on_select="rerun",
        key="chart",
    )
    funnel = [{"name": "Won", "value": 1}, {"name": "Open", "value": 3}]
    st.echarts_chart({"series": [{"type": "funnel", "data": funnel}], "tooltip": {}})
    st.image(Path("ui/icon.png"), width=20)
    st.audio(sound(), format="audio/wav")


def sound() -> bytes:
    file = BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setparams((1, 2, 8000, 0, "NONE", ""))
        wav.writeframes(bytes(1600))
    return file.getvalue()


def answered() -> None:
    st.date_input("Day")
    st.selectbox("Stage", ["Proposal", "Discovery"])
    st.pills("Owner", ["Rita", "Otto"])
    with st.popover("More"):
        st.slider("Probability")
    sent = st.file_uploader("File")
    if sent:
        st.text(f"{sent.name} has {len(sent.getvalue())} bytes")
    st.download_button("Download", "deal,value\n", "deals.csv", "text/csv")
    st.download_button(
        "Download a page", f"<script>document.title = '{SECRET}'</script>", "a.html", "text/html"
    )
    if st.button("Say it"):
        st.toast("It is said.", icon=":material/check:")
    if st.button("Open it"):
        dialog()


def quoted() -> None:
    for number, text in enumerate(TYPED):
        shown = words.literal(text)
        st.markdown(f"**{shown}** :gray[:small[{shown}]]", help=shown)
        st.caption(shown)
        st.error(shown)
        st.button(shown, key=f"button {number}")
        st.link_button(shown, "#", key=f"link {number}")
        st.expander(shown, key=f"expander {number}")
        st.popover(shown, key=f"popover {number}")
    st.tabs([words.literal(text) for text in TYPED])
    st.table([{"What": words.literal(text)} for text in TYPED], hide_index=True)
    st.toast(words.literal(" ".join(TYPED), limit=1000), duration="infinite")
    if st.button("Ask"):
        st.dialog(words.literal(" ".join(TYPED), limit=1000))(lambda: None)()


def components() -> None:
    board = st.components.v2.component(
        "board",
        html='<button class="card">Move</button>',
        css=".card { color: rgb(1, 2, 3) }",
        js="""export default function ({ parentElement, setTriggerValue }) {
            parentElement.querySelector(".card").onclick = () => setTriggerValue("moved", "moved")
        }""",
    )
    st.text(f"The board says {board(key='board', on_moved_change=lambda: None).moved}")
    tiny = st.components.v1.declare_component("tiny", path=Path(__file__).parent / "tiny_component")
    st.text(f"The component says {tiny(key='tiny')}")


if __name__ == "__main__":
    chosen = {page.__name__: st.Page(page) for page in (wrong, drawn, answered, quoted, components)}
    st.set_page_config(layout="wide")
    shown = st.navigation(list(chosen.values()))
    messages.show(data.undo)
    shown.run()
else:
    from starlette.middleware import Middleware

    from api.main import routes
    from front_door import FrontDoor
    from ui import incidents

    navigation.claim_pages_folder()
    incidents.take_over_log()
    app = st.App(__file__, routes=routes, middleware=[Middleware(FrontDoor)], on_script_error=incidents.show)
