"""The inputs of the benchmarks, made afresh: the same bytes for the same numbers on every machine."""

from __future__ import annotations

import hashlib

_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  annotations:
    config.kubernetes.io/index: '{index}'
    config.kubernetes.io/path: 'apps/app-{number}.yaml'
  labels:
    app: app-{number}
  name: app-{number}
  namespace: team-{team}
spec:
  replicas: 2
  selector:
    matchLabels:
      app: app-{number}
  template:
    metadata:
      labels:
        app: app-{number}
    spec:
      containers:
      - image: {first}
        name: main
        env:
        - name: LOG_LEVEL
          value: "info"
        ports:
        - containerPort: 8080
      - image: {second}
        name: sidecar
"""
_SMALL = """\
apiVersion: v1
kind: Pod
metadata: {{name: app-{number}}}
spec:
  containers:
  - name: main
    image: {first}
"""


def digest(number: int) -> str:
    """A digest that nobody serves."""
    return "@sha256:" + hashlib.sha256(str(number).encode()).hexdigest()


def deployment(number: int, first: str, second: str) -> str:
    """A Deployment of two containers, about 0.8 kB, as kpt hands it over."""
    return _DEPLOYMENT.format(number=number, team=number % 50, index=number % 3, first=first, second=second)


def names(number: int, pinned: bool) -> tuple[str, str]:
    """The two images of a Deployment: 997 applications in 50 teams, and one sidecar for all."""
    end = digest(number) if pinned else ""
    app = f"registry.example.com/team-{number % 50}/app-{number % 997}:1.{number % 7}.{number % 11}"
    return app + end, "docker.io/library/nginx:1.25" + end


def resource_list(count: int, pinned: bool) -> str:
    """A ResourceList of `count` Deployments."""
    items = []
    for number in range(count):
        lines = deployment(number, *names(number, pinned)).splitlines(keepends=True)
        items.append("- " + "  ".join(lines))
    return "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n" + "".join(items)


def stream(count: int, size: int = 240) -> str:
    """A stream of `count` small objects that are pinned already, about `size` bytes each."""
    documents = []
    for number in range(count):
        text = _SMALL.format(number=number, first=f"registry.example.com/app-{number}:1.0" + digest(number))
        documents.append(text + "#" * max(size - len(text) - 5, 1) + "\n")
    return "---\n".join(documents)


def lookups(host: str) -> str:
    """100 Deployments, 200 images of which 101 differ, all with tags, at one registry."""
    return "---\n".join(
        deployment(number, f"{host}/bench/app-{number}:1", f"{host}/bench/sidecar:1") for number in range(100)
    )


def distinct(count: int) -> str:
    """A stream of Pods with `count` images, no two alike, at 500 registries; ten containers each."""
    documents = []
    for first in range(0, count, 10):
        containers = "".join(
            f"  - {{name: c{number}, image: {_spread(number)}}}\n" for number in range(first, first + 10)
        )
        documents.append(
            f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: app-{first}\nspec:\n  containers:\n{containers}"
        )
    return "---\n".join(documents)


def _spread(number: int) -> str:
    return f"registry-{number % 500}.example.com/team-{number % 7}/app-{number}:1.0"


def mirroring(rules: int, rewrite: bool) -> str:
    """A policy that pins nothing, with a mirror for each of so many registries."""
    mirrors = "".join(
        f"  - source: registry-{number}.example.com\n    locations:\n"
        f"    - to: mirror.example.com/from-{number}\n"
        + (f'      rewrite: {{"^team-([0-9]+)/(.*)$": "teams/$1/{number}/$2"}}\n' if rewrite else "")
        for number in range(rules)
    )
    head = "apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\nspec:\n  pin: {style: tag}\n"
    return head + (f"  mirrors:\n{mirrors}" if rules else "")


def proved(source: str, mirror: str, warm: bool) -> str:
    """A policy with one mirror of one registry."""
    return (
        "apiVersion: pindown.dev/v1alpha1\nkind: ImageTransformer\nspec:\n  mirrors:\n"
        f'  - {{source: "{source}", locations: [{{to: "{mirror}/copy", warm: {str(warm).lower()}}}]}}\n'
    )
