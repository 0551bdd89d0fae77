"""What the flow lab has found, as HTML: a sentence, the table that grows, charts, and pictures of paths."""

from collections.abc import Callable, Sequence
from html import escape

from rf_app.actions.flow_experiments import Coupled, Drawing, Tried
from rf_app.actions.flow_lab import percent, sentences
from rf_app.actions.trajectory import number
from rf_app.ui.parts.chart import Axis, Point, Series, chart

COLOURS = {"Euler": "c0 d0", "Heun": "c1 d0", "Runge-Kutta 45": "c2 d0"}
LEAST = 1e-4  # errors below are drawn as this: it is what single precision can tell
SIDE = 100.0  # units of the shorter side of a small picture

OPENING = (
    '<div class="lead"><p>Rectified flow joins any two clouds of points. It learns from random pairs, whose '
    "straight lines cross; but a flow’s points never meet, so they swap partners, and hardly a line crosses."
    "</p></div>"
)
PATHS = (
    "Each row learns from the same pairs; each column takes so many Euler steps. Diffusion’s paths (VP, "
    "sub-VP) bend and start slowly, so few steps leave the points where they were."
)
DISTILLED = (
    "One step learned from random pairs can only say the mean of all targets, E[X1 | X0]. After reflow each "
    "point has one target of its own, and one step is enough: so reflow comes before distilling."
)


def found(seed: int, coupled: Sequence[Coupled], drawings: Sequence[Drawing]) -> str:
    """All of it; seed: of the experiment."""
    if drawings:
        return _drawings(drawings)
    said = " ".join(f"<span>{escape(each)}</span>" for each in (*sentences(coupled), f"Seed {seed}."))
    lead = f'<div class="lead"><p>{said}</p></div>' if len(coupled) > 1 else ""
    return lead + _table(coupled) + _charts(coupled)


def _table(coupled: Sequence[Coupled]) -> str:
    head = "".join(
        f'<th scope="col" title="{escape(why)}">{name}</th>'
        for name, why in (
            ("", ""),
            ("Crossings", "Share of random couples of pairs whose straight lines cross"),
            ("Cost", "Mean squared distance from start to end"),
            ("Straightness", "How far the paths stray from straight lines; 0 is straight"),
            ("One-step error", "How far a single step ends from where the flow does"),
            (
                "Off target",
                "Energy distance between where points arrive and the target; near 0: it is preserved",
            ),
        )
    )
    body = "".join(
        f'<tr><th scope="row">{escape(each.title)}</th><td>{_or(each.crossings, percent)}</td>'
        f"<td>{each.costs['|x|²']:.2f}</td><td>{_or(each.straightness, number)}</td>"
        f"<td>{_or(each.one_step_error, number)}</td><td>{max(0, each.distance):.3f}</td></tr>"
        for each in coupled
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide" tabindex="0" role="region" aria-label="The figures">{table}</div>'


def _or(value: float | None, said: Callable[[float], str]) -> str:
    return "–" if value is None else said(value)


def _charts(coupled: Sequence[Coupled]) -> str:
    flows = coupled[1:]
    if not flows:
        return ""
    charts = [_solvers(flows[i]) for i in sorted({0, len(flows) - 1})]
    if len(flows) > 1:
        charts += [_costs(coupled), _straighter(flows)]
    return f'<div class="charts">{"".join(charts)}</div>'


def _solvers(flow: Coupled) -> str:
    def point(each: Tried) -> Point:
        said = f"{each.solver}, {each.evaluations} evaluations: error {number(each.error)}"
        return Point(each.evaluations, max(LEAST, each.error), said)

    series = [
        Series(name, colour, [point(each) for each in flow.solvers if each.solver == name])
        for name, colour in COLOURS.items()
    ]
    points = [point for each in series for point in each.points]
    return chart(
        f"Solvers on the {flow.title}",
        series,
        Axis("evaluations of the network", 0.8, max(point.x for point in points) * 1.2, scale="log"),
        Axis("how far from the exact end", LEAST, 4, scale="log", ticks=(0.0001, 0.001, 0.01, 0.1, 1)),
        note=(
            "On a curved flow a clever solver pays; on a straight one a single Euler step does."
            if flow.rectified == 1
            else "The straighter the flow, the less it matters which solver takes how many steps."
        ),
    )


def _costs(coupled: Sequence[Coupled]) -> str:
    def point(each: Coupled, name: str) -> Point:
        said = f"{name} after {each.rectified}: {each.costs[name]:.4g}"
        return Point(each.rectified, each.costs[name] / coupled[0].costs[name], said)

    series = [
        Series(name, f"c{i} d0", [point(each, name) for each in coupled])
        for i, name in enumerate(coupled[0].costs)
    ]
    low = min(point.y for each in series for point in each.points)
    return chart(
        "No convex cost grows",
        series,
        _times(coupled),
        Axis("cost E c(X1 − X0), beside that of the first pairs", low - 0.05, 1.05),
        note="Whatever convex cost one has in mind, rectifying lowers it or leaves it; the first time most.",
    )


def _straighter(flows: Sequence[Coupled]) -> str:
    figures = {
        "straightness S": [each.straightness for each in flows],
        "one-step error": [each.one_step_error for each in flows],
    }

    def point(flow: Coupled, name: str, value: float) -> Point:
        return Point(flow.rectified, max(1e-6, value), f"{name} of the {flow.title}: {number(value)}")

    series = [
        Series(
            name, f"c{i} d0", [point(flow, name, value) for flow, value in zip(flows, values, strict=True)]
        )
        for i, (name, values) in enumerate(figures.items())
    ]
    values = [point.y for each in series for point in each.points]
    return chart(
        "Straight stays straight",
        series,
        _times(flows),
        Axis("how curved the flow is", min(values) / 2, max(values) * 2, scale="log"),
        note="A straight coupling is a fixed point: rectified again, it stays, but for what learning adds.",
    )


def _times(coupled: Sequence[Coupled]) -> Axis:
    low, high = coupled[0].rectified, coupled[-1].rectified
    return Axis("rectifications", low - 0.15, high + 0.15, ticks=tuple(range(low, high + 1)))


def _drawings(drawings: Sequence[Drawing]) -> str:
    groups = list(dict.fromkeys(each.group for each in drawings))
    lead = PATHS if groups[0] else DISTILLED
    points = [point for each in drawings for path in (*each.paths, each.ends) for point in path]
    xs, ys = zip(*points, strict=True)
    box = min(xs) - 0.2, max(xs) + 0.2, min(ys) - 0.2, max(ys) + 0.2
    rows = "".join(
        (f"<h4>{escape(group)}</h4>" if group else "")
        + '<div class="drawings">'
        + "".join(_drawing(each, box) for each in drawings if each.group == group)
        + "</div>"
        for group in groups
    )
    return f'<div class="lead"><p>{escape(lead)}</p></div>{rows}'


def _drawing(drawing: Drawing, box: tuple[float, float, float, float]) -> str:
    left, right, low, high = box
    scale = SIDE / min(right - left, high - low)

    def at(point: Sequence[float]) -> str:
        return f"{(point[0] - left) * scale:.0f} {(high - point[1]) * scale:.0f}"

    lines = "".join("M" + "L".join(map(at, path)) for path in drawing.paths)
    ends = "".join(f"M{at(point)}h0" for point in drawing.ends)
    said = f"{drawing.title}: {drawing.evaluations} evaluations, off target by {max(0, drawing.distance):.3f}"
    return (
        f'<figure><svg viewBox="0 0 {(right - left) * scale:.0f} {(high - low) * scale:.0f}" role="img" '
        f'aria-label="{escape(said)}"><path class="paths" d="{lines}"/><path class="ends" d="{ends}"/></svg>'
        f"<figcaption>{escape(drawing.title)}<small>off target by {max(0, drawing.distance):.3f}</small>"
        "</figcaption></figure>"
    )
