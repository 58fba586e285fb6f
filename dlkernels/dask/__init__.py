"""Estimators on the workers of a Dask cluster. They need the extra `dask`."""

from __future__ import annotations

from dlkernels.extras import need

need("dask", "dlkernels.dask", "dask")
need("distributed", "dlkernels.dask", "dask")
