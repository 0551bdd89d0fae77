"""The page: a folder for each tab, parts that several have, assembly and theme; what it does is in
rf_app.actions.
"""
