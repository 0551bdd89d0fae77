"""A list that becomes another one while an event is on its way with a value of the list before."""

import gradio as gr
from playwright.sync_api import Browser, expect

from rf_app.ui.page import Blocks
from rf_app.ui.parts.fields import changing, choice


def test_a_value_of_the_list_before_arrives_and_what_is_no_text_does_not(browser: Browser):
    with Blocks() as blocks:
        field = changing(choice(["ddim", "lcm"], "lcm", "Solver", "solver"))
        renew, late, number = (gr.Button(name, elem_id=name) for name in ("renew", "late", "number"))
        said = gr.Textbox("", elem_id="said")
        renew.click(lambda: gr.Dropdown(["ddim", "euler"], value="euler"), outputs=field)
        late.click(lambda solver: f"drawn by {solver}", field, said, js="() => 'lcm'")
        number.click(lambda solver: f"drawn by {solver}", field, said, js="() => 7")
    _, address, _ = blocks.launch(prevent_thread_lock=True, quiet=True)
    page = browser.new_page()
    page.goto(address)
    page.click("#renew")
    expect(page.locator("#solver input")).to_have_value("euler")
    page.click("#late")
    expect(page.locator("#said textarea")).to_have_value("drawn by lcm")
    page.click("#number")
    expect(page.locator(".toast-body")).to_contain_text("7 is not in the list of choices")
    expect(page.locator("#said textarea")).to_have_value("drawn by lcm")
    page.close()
    blocks.close(verbose=False)
