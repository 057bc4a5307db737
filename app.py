"""The only entry: screens and REST API on one port, by `streamlit run app.py` or `uvicorn app:app`."""

import streamlit as st

from ui import navigation

if __name__ == "__main__":  # Streamlit runs this file as a script for every screen it draws
    navigation.run()
else:
    from starlette.middleware import Middleware

    from api.main import routes, start
    from front_door import FrontDoor
    from ui import incidents, uncut, warm_up

    start()
    navigation.claim_pages_folder()
    incidents.take_over_log()
    uncut.take_over()
    app = st.App(__file__, routes=routes, middleware=[Middleware(FrontDoor)], on_script_error=incidents.show)
    warm_up.begin()
