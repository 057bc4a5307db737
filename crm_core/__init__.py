"""The CRM as a library: models, services and figures. It knows neither Streamlit nor HTTP."""

__version__ = "0.1.0"
