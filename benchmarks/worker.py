"""
One process of the benchmark: reads a page's name from standard input, requests it, prints the CPU seconds it took.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")


def main() -> None:
    django.setup()
    from django.db.models.sql import Query
    from django.test import Client

    built = 0
    original = Query.build_filter

    def build_filter(self, *args, **kwargs):
        nonlocal built
        built += 1
        return original(self, *args, **kwargs)

    client = Client()
    if os.environ["BENCH_VARIANT"] == "off":
        client.cookies["djdtNPlusOnePanel"] = "off"
    print("ready", flush=True)
    for line in sys.stdin:
        count_filters = line.startswith("filters ")
        page = line.split()[-1]
        Query.build_filter = build_filter if count_filters else original
        built = 0
        gc.collect()
        began = time.process_time()
        response = client.get(f"/{page}/")
        seconds = time.process_time() - began
        assert response.status_code == 200, response.status_code
        print(json.dumps(built if count_filters else seconds), flush=True)


main()
