# The orchestrator: runs, scores and reports. It calls the other containers and needs no model library.
# Built from the repository's root: docker build -f docker/orchestrator.Dockerfile .
FROM python:3.11-slim-bookworm AS wheel
WORKDIR /source
COPY pyproject.toml LICENSE ./
COPY proto/ proto/
COPY orchestrator/ orchestrator/
# The README is only the package's long description: an edit of it must not rebuild the image.
RUN touch README.md && pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim-bookworm
ENV PATH=/opt/omnigap/bin:$PATH PYTHONUNBUFFERED=1 HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib
COPY constraints.txt docker/requirements/orchestrator.txt /opt/requirements/
RUN python -m venv /opt/omnigap \
    && pip install --no-cache-dir -c /opt/requirements/constraints.txt -r /opt/requirements/orchestrator.txt
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels pip install --no-cache-dir --no-deps /wheels/*.whl
COPY --chmod=755 docker/as-owner-of-runs.sh /usr/local/bin/as-owner-of-runs

WORKDIR /omnigap
VOLUME /omnigap/runs
ENTRYPOINT ["as-owner-of-runs", "omnigap-orchestrate"]
CMD ["--help"]
