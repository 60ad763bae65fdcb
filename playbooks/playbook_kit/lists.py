"""The lists made from the headers of all playbooks: their order, the navigation, the error texts."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping

from .family import INDEX, code, order
from .header import GROUPS, Header
from .source import Playbook

Headers = list[tuple[Playbook, Header]]


def in_reading_order(headers: Headers, texts: Mapping[str, str]) -> Headers:
    """Family by family, each as its landing page has it; what that does not name comes last."""
    orders = {group: order(texts.get(group, "")) for group in GROUPS}

    def place(one: tuple[Playbook, Header]) -> tuple[int, int, str]:
        playbook, header = one
        names = orders[header.group]
        known = names.index(playbook.name) if playbook.name in names else len(names)
        return list(GROUPS).index(header.group), known, playbook.name

    return sorted(headers, key=place)


def navigation(headers: Headers, landing: Container[str] = ()) -> str:
    """The playbooks' part of `nav`, one section for each family that has any, with its landing
    page first where it has one."""
    lines = ["  - Playbooks:"]
    for group, title in GROUPS.items():
        pages = [(p, header) for p, header in headers if header.group == group]
        if pages:
            lines.append(f"      - {json.dumps(title)}:")
            if group in landing:
                lines.append(f"          - Which page is mine?: playbooks/{group}/{INDEX}")
        lines += [
            f"          - {json.dumps(header.title)}: playbooks/{playbook.page}.md"
            for playbook, header in pages
        ]
    return "\n".join(lines)


def symptoms(headers: Headers, landing: Container[str] = ()) -> str:
    """The tables of error texts, each with its playbook, one table for each family."""
    lines = [""]
    for group, title in GROUPS.items():
        said = [
            (symptom, f"[{header.title}](playbooks/{playbook.page}.md)")
            for playbook, header in headers
            for symptom in header.symptoms
            if header.group == group
        ]
        if not said:
            continue
        name = f"[{title}](playbooks/{group}/{INDEX})" if group in landing else title
        lines += [f"## {name}", "", "| It says | The playbook |", "|---|---|"]
        for symptom, link in said:
            lines.append(f"| {code(' '.join(symptom.split()))} | {link} |")
        lines.append("")
    return "\n".join(lines)
