"""The site's settings, for Sphinx. The pages are staged by tools/build_site.py."""

project = "wsolo"
root_doc = "index"
extensions = ["myst_parser"]
myst_enable_extensions = ["html_image"]
myst_heading_anchors = 4
exclude_patterns = []
highlight_language = "none"
html_theme = "furo"
html_title = "wsolo"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b6e5f", "color-brand-content": "#0b6e5f"},
    "dark_css_variables": {"color-brand-primary": "#5fd3b8", "color-brand-content": "#5fd3b8"},
}
