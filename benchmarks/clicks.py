"""
One process of the benchmark: what somebody waits for who opens the EXPLAIN panel, a statement in it, and its plan.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")
EXPLAIN = re.compile(r'data-perf-post="([^"]*/plan/)" data-perf-token="([^"]+)"')


def main() -> None:
    django.setup()
    from django.test import Client

    client = Client()

    def timed(send):
        began = time.perf_counter()
        response = send()
        assert response.status_code == 200, response.content
        return (time.perf_counter() - began) * 1000, response.json()["content"]

    print("ready", flush=True)
    for line in sys.stdin:
        request_id = client.get(f"/statements/{line.strip()}/").headers["djdt-request-id"]
        wanted = {"request_id": request_id, "panel_id": "ExplainPanel"}
        opened, content = timed(lambda wanted=wanted: client.get("/__debug__/render_panel/", wanted))
        token = re.search(r'data-perf-open="([^"]+)"', content)[1]
        row, content = timed(lambda token=token: client.post("/__debug__/perf_panels/explain/row/", {"token": token}))
        url, token = EXPLAIN.search(content).groups()
        plan, _ = timed(lambda url=url, token=token: client.post(url, {"token": token}))
        print(json.dumps([opened, row, plan]), flush=True)


main()
