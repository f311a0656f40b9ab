# Downloads weights from the Hugging Face hub to the volume that the models read: `docker compose run --rm fetch NAME`.
# Built from the repository's root: docker build -f docker/fetch.Dockerfile .
# An image with CPython 3.11 on Debian: python:3.11-slim-bookworm@sha256:... fixes its content (docs/containers.md).
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM $BASE_IMAGE
ENV PATH=/opt/omnigap/bin:$PATH HOME=/tmp HF_HOME=/tmp/huggingface HF_HUB_CACHE=/models/hub
# A new volume is a copy of this folder, including its owner, so the unprivileged user can write to it.
RUN groupadd --gid 10001 omnigap && useradd --uid 10001 --gid omnigap --home-dir /tmp --no-create-home omnigap \
    && mkdir -p /models/hub && chown -R 10001:10001 /models
COPY docker/requirements/fetch.lock.txt /opt/requirements/
RUN python -m venv /opt/omnigap \
    && pip install --no-cache-dir --no-deps --require-hashes -r /opt/requirements/fetch.lock.txt && pip check \
    && mkdir -p /usr/share/omnigap && (dpkg-query --show && pip list --format=freeze) >/usr/share/omnigap/packages.txt

COPY docker/fetch.py /opt/omnigap/
USER 10001:10001
VOLUME /models
ENTRYPOINT ["python", "/opt/omnigap/fetch.py"]
CMD ["--help"]
# Last, so that another commit changes no layer. The build argument COMMIT is the sources' commit: `make images` sets it.
ARG BASE_IMAGE
ARG COMMIT=
LABEL org.opencontainers.image.title="omnigap-fetch" \
      org.opencontainers.image.description="Downloads weights from the Hugging Face hub to the volume that omnigap's models read" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$COMMIT" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="$BASE_IMAGE"
