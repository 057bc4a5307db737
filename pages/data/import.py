"""Import: bring in deals from another program's file, after a look at what would happen."""

import streamlit as st

from ui import imports
from ui.data import workspace

st.title("Import deals")
st.markdown("From a CSV file of another program: all or nothing, and importing a file again changes nothing.")

file = st.file_uploader("CSV file", type="csv", key="import_file")
mapping = imports.mapping_choice()

if file is not None:
    imports.preview(file, mapping)
elif workspace().has_demo_data:
    st.warning("The demo deals are still here. Start empty first, or yours will be counted along with them.")
