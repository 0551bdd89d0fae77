"""Two replicas behind nginx, as docs/scaling.md has it."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from benchmarks.replicas import Visitor, behind_nginx
from tests.server import ROOT, Server


def test_the_proxy_of_compose_knows_its_replicas_which_see_each_other_s_processes():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    replicas = services["proxy"]["depends_on"]
    conf = (ROOT / "nginx.conf").read_text()
    assert [line.split()[1] for line in conf.splitlines() if line.startswith("    server ")] == [
        f"{each}:7860;" for each in replicas
    ]
    assert services[replicas[1]]["pid"] == f"service:{replicas[0]}"
    for each in replicas:
        assert services[each]["ports"] == []
        assert services[each]["volumes"] == services["studio"]["volumes"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx")
def test_visitors_stay_whole_behind_the_proxy(tmp_path):
    servers = [Server(tmp_path, None), Server(tmp_path, None)]
    (tmp_path / "nginx").mkdir()
    try:
        with behind_nginx([each.port for each in servers], tmp_path / "nginx") as url:
            visitors = [Visitor(url) for _ in range(6)]
            with ThreadPoolExecutor(len(visitors)) as threads:
                drawn = list(threads.map(lambda visitor: [visitor.draw(i) for i in range(3)], visitors))
    finally:
        for each in servers:
            each.kill()
    assert drawn == drawn[:1] * len(visitors)
