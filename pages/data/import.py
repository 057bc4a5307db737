"""Import: bring in deals from another program's file."""

import streamlit as st

st.title("Import deals")
st.markdown("Deals come from a CSV file, all or nothing. Run this where the program is installed:")
st.code("python -m crm_core import opportunities FILE --dry-run", language="shell")
