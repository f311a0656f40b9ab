# The orchestrator: runs, scores and reports. It calls the other containers and needs no model library.
# Built from the repository's root: docker build -f docker/orchestrator.Dockerfile .
# An image with CPython 3.11 on Debian: python:3.11-slim-bookworm@sha256:... fixes its content (docs/containers.md).
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM $BASE_IMAGE AS wheel
WORKDIR /source
COPY docker/requirements/build.lock.txt /opt/requirements/
RUN pip install --no-cache-dir --no-deps --require-hashes -r /opt/requirements/build.lock.txt
COPY pyproject.toml LICENSE ./
COPY proto/ proto/
COPY orchestrator/ orchestrator/
# The README is only the package's long description: an edit of it must not rebuild the image.
RUN touch README.md && pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .

FROM $BASE_IMAGE
ENV PATH=/opt/omnigap/bin:$PATH PYTHONUNBUFFERED=1 HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib
COPY docker/requirements/orchestrator.lock.txt /opt/requirements/
RUN python -m venv /opt/omnigap \
    && pip install --no-cache-dir --no-deps --require-hashes -r /opt/requirements/orchestrator.lock.txt && pip check
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels pip install --no-cache-dir --no-deps /wheels/*.whl \
    && mkdir -p /usr/share/omnigap && (dpkg-query --show && pip list --format=freeze) >/usr/share/omnigap/packages.txt
# The addresses of Compose's services, which its OMNIGAP_CONFIG names.
COPY docker/orchestrator.toml /etc/omnigap/compose.toml
COPY --chmod=755 docker/as-owner-of-runs.sh /usr/local/bin/as-owner-of-runs

WORKDIR /omnigap
VOLUME /omnigap/runs
ENTRYPOINT ["as-owner-of-runs", "omnigap-orchestrate"]
CMD ["--help"]
# Last, so that another commit changes no layer. The build argument COMMIT is the sources' commit: `make images` sets it.
ARG BASE_IMAGE
ARG COMMIT=
LABEL org.opencontainers.image.title="omnigap-orchestrator" \
      org.opencontainers.image.description="omnigap's orchestrator: runs, scores and reports" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$COMMIT" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="$BASE_IMAGE"
