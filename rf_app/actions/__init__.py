"""What a person can do: one typed function a file, without Gradio.

`python -m rf_app NAME` runs the action `NAME` of the file `NAME.py`; the page, the API and MCP run the same.
"""
