"""The only entry: screens and REST API on one port, by `streamlit run app.py` or `uvicorn app:app`."""

import streamlit as st

from ui import navigation

if __name__ == "__main__":  # Streamlit runs this file as a script for every screen it draws
    navigation.run()
else:
    from api.main import routes, start

    start()
    navigation.claim_pages_folder()
    app = st.App(__file__, routes=routes)
