"""What the screens share; draws with Streamlit, asks `crm_core`."""
