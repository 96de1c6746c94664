"""Every kind of cluster that localreg knows."""

from __future__ import annotations

from localreg.clusters.k3d import K3D
from localreg.clusters.kind import KIND
from localreg.clusters.minikube import MINIKUBE

KINDS = {kind.name: kind for kind in (KIND, K3D, MINIKUBE)}
