# TTS: text in, speech out, with Piper voices (piper-tts: GPL-3.0-or-later, from its wheel). Voices are not in the image.
# Built from the repository's root: docker build -f docker/piper.Dockerfile .
# An image with CPython 3.11 on Debian: python:3.11-slim-bookworm@sha256:... fixes its content (docs/containers.md).
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM $BASE_IMAGE AS wheel
WORKDIR /source
COPY docker/requirements/build.lock.txt /opt/requirements/
RUN pip install --no-cache-dir --no-deps --require-hashes -r /opt/requirements/build.lock.txt
COPY pyproject.toml LICENSE ./
COPY proto/ proto/
COPY services/omnigap_services/*.py services/omnigap_services/py.typed services/omnigap_services/
COPY services/omnigap_services/server/ services/omnigap_services/server/
COPY services/omnigap_services/piper/ services/omnigap_services/piper/
# The README is only the package's long description: an edit of it must not rebuild the image.
RUN touch README.md && pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .

FROM $BASE_IMAGE
ENV PATH=/opt/omnigap/bin:$PATH PYTHONUNBUFFERED=1 OMNIGAP_PORT_FILE=/tmp/omnigap-port
RUN groupadd --gid 10001 omnigap && useradd --uid 10001 --gid omnigap --home-dir /tmp --no-create-home omnigap
# Dependencies before the sources, so that a code change keeps their layers; the first layers are shared by all services.
COPY docker/requirements/service.lock.txt /opt/requirements/
RUN python -m venv /opt/omnigap \
    && pip install --no-cache-dir --no-deps --require-hashes -r /opt/requirements/service.lock.txt
COPY docker/requirements/piper.lock.txt /opt/requirements/
RUN pip install --no-cache-dir --no-deps --require-hashes -r /opt/requirements/piper.lock.txt && pip check
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels pip install --no-cache-dir --no-deps /wheels/*.whl \
    && mkdir -p /usr/share/omnigap && (dpkg-query --show && pip list --format=freeze) >/usr/share/omnigap/packages.txt

USER 10001:10001
EXPOSE 50065 9465
# The probe reads the port from OMNIGAP_PORT_FILE, so a child image or a command with another --port is checked there.
HEALTHCHECK --interval=10s --timeout=30s --start-period=180s --retries=5 \
    CMD ["python", "-m", "omnigap_services.probe"]
ENTRYPOINT ["omnigap-serve", "piper", "--host", "0.0.0.0", "--insecure", "--port", "50065", "--metrics-port", "9465"]
# Last, so that another commit changes no layer. The build argument COMMIT is the sources' commit: `make images` sets it.
ARG BASE_IMAGE
ARG COMMIT=
LABEL org.opencontainers.image.title="omnigap-piper" \
      org.opencontainers.image.description="omnigap's TTS service: text in, speech out, with Piper voices" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$COMMIT" \
      org.opencontainers.image.licenses="Apache-2.0 AND GPL-3.0-or-later" \
      org.opencontainers.image.base.name="$BASE_IMAGE"
