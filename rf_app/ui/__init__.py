"""The page: one file a tab, one for assembly, one for the theme; what it does is in rf_app.workflows."""
