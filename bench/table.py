#!/usr/bin/env python3
"""The figures of a benchmark run as a table: table.py testlog.json. Fields: doc/benchmarks.md."""
import json
import sys

COLUMNS = ("case", "against", "ours", "floor", "unit", "ratio", "aim", "load")


def text(value):
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def main():
    rows = [COLUMNS]
    with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
        for program in map(json.loads, filter(str.strip, log)):
            for line in (program.get("stdout") or "").splitlines():
                try:
                    figures = json.loads(line)
                except ValueError:
                    continue
                if isinstance(figures, dict) and "case" in figures:
                    rows.append([text(figures.get(name)) for name in COLUMNS])
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    return 0 if len(rows) > 1 else 1


if __name__ == "__main__":
    sys.exit(main())
