"""The look: pine, mist and one sun, after the national-park posters the pocket models draw.

Colours, type and shapes that Gradio's own parts use are set here; layout and our own parts are in
assets/style.css, which reads the same variables. Every font ships inside Gradio: no network is needed.
"""

from gradio.themes import Base
from gradio.themes.utils.colors import Color
from gradio.themes.utils.fonts import LocalFont
from gradio.themes.utils.sizes import Size

PINE = Color(
    name="pine",
    c50="#eef7f1",
    c100="#d8ecdf",
    c200="#b3dac2",
    c300="#83c09e",
    c400="#4f9f78",
    c500="#2c8159",
    c600="#1b6746",
    c700="#165339",
    c800="#13432f",
    c900="#0f3726",
    c950="#071f15",
)
SUN = Color(
    name="sun",
    c50="#fff8e8",
    c100="#ffedc2",
    c200="#ffdd8c",
    c300="#ffca55",
    c400="#fcb733",
    c500="#f29f18",
    c600="#d07d0b",
    c700="#a65b0d",
    c800="#874812",
    c900="#703c13",
    c950="#411e06",
)
MIST = Color(
    name="mist",
    c50="#f6f8f5",
    c100="#edf1ec",
    c200="#dde4dd",
    c300="#c3cec5",
    c400="#94a499",
    c500="#6d7f74",
    c600="#54645b",
    c700="#3d4b44",
    c800="#222d27",
    c900="#161e1a",
    c950="#0e1411",
)
ROUND = Size(name="round", xxs="4px", xs="6px", sm="8px", md="12px", lg="14px", xl="18px", xxl="24px")


def theme() -> Base:
    """The Gradio theme, light and dark."""
    look = Base(
        primary_hue=PINE,
        secondary_hue=SUN,
        neutral_hue=MIST,
        radius_size=ROUND,
        # Quicksand is for the name and the main button, in style.css; here it only gets its @font-face.
        font=(
            LocalFont("IBM Plex Sans", (400, 700)),
            LocalFont("Quicksand", (700,)),
            "ui-sans-serif",
            "system-ui",
            "sans-serif",
        ),
        font_mono=(LocalFont("IBM Plex Mono"), "ui-monospace", "monospace"),
    )
    return look.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="#16211b",
        body_text_color_dark="#e8efe9",
        body_text_color_subdued="*neutral_600",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_100",
        background_fill_secondary_dark="*neutral_800",
        border_color_primary_dark="*neutral_800",
        color_accent="*primary_600",
        color_accent_soft_dark="*primary_900",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_padding="0px",
        block_title_text_size="*text_sm",
        block_title_text_color="*neutral_600",
        block_title_text_color_dark="*neutral_400",
        panel_border_width="0px",
        input_background_fill="white",
        input_background_fill_dark="*neutral_900",
        input_border_color="*neutral_500",
        input_border_color_dark="*neutral_500",
        input_border_color_focus="*primary_500",
        input_border_color_focus_dark="*secondary_400",
        input_border_width="1px",
        input_shadow_focus="0 0 0 3px color-mix(in srgb, *primary_400 25%, transparent)",
        input_shadow_focus_dark="0 0 0 3px color-mix(in srgb, *secondary_400 25%, transparent)",
        input_radius="*radius_md",
        input_placeholder_color="*neutral_600",
        input_placeholder_color_dark="*neutral_400",
        checkbox_border_radius="4px",
        input_padding="10px 12px",
        button_large_padding="11px 18px",
        button_border_width="0px",
        button_transition="background-color .15s, transform .08s, box-shadow .15s",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*secondary_400",
        button_primary_background_fill_hover_dark="*secondary_300",
        button_primary_text_color_dark="#241a04",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_text_color="#16211b",
        button_secondary_text_color_dark="#e8efe9",
        slider_color="*primary_600",
        slider_color_dark="*secondary_400",
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_500",
        checkbox_background_color_selected="*primary_700",
        checkbox_background_color_selected_dark="*secondary_400",
        checkbox_border_color_selected="*primary_700",
        checkbox_border_color_selected_dark="*secondary_400",
        checkbox_label_text_size="*text_sm",
        checkbox_label_background_fill="transparent",
        checkbox_label_background_fill_dark="transparent",
        loader_color="*secondary_400",
    )
