"""The only entry: screens and REST API on one port, by `streamlit run app.py` or `uvicorn app:app`."""

import streamlit as st

if __name__ == "__main__":  # Streamlit runs this file as a script for every screen it draws
    from ui import navigation

    navigation.run()
else:
    from api.main import routes, start

    start()
    app = st.App(__file__, routes=routes)
