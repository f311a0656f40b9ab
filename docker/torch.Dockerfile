# Models through PyTorch and transformers: one image per service, alike but for the sources. Compose sets PACKAGE and SERVICE.
# Built from the repository's root: docker build -f docker/torch.Dockerfile --build-arg PACKAGE=hf --build-arg SERVICE=hf-chat .
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
COPY services/omnigap_services/torch_utils/ services/omnigap_services/torch_utils/
# The service's own package of services/omnigap_services: hf, qwen_omni, anygpt or nextgpt.
ARG PACKAGE=hf
COPY services/omnigap_services/$PACKAGE/ services/omnigap_services/$PACKAGE/
# The README is only the package's long description: an edit of it must not rebuild the image.
RUN touch README.md && pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .

FROM $BASE_IMAGE
ENV PATH=/opt/omnigap/bin:$PATH PYTHONUNBUFFERED=1 HOME=/tmp OMNIGAP_PORT_FILE=/tmp/omnigap-port \
    HF_HUB_CACHE=/models/hub HF_HUB_OFFLINE=1
RUN groupadd --gid 10001 omnigap && useradd --uid 10001 --gid omnigap --home-dir /tmp --no-create-home omnigap
# Dependencies before the sources, so that a code change keeps their layers; the first layers are shared by all services.
COPY docker/requirements/service.lock.txt /opt/requirements/
RUN python -m venv /opt/omnigap \
    && pip install --no-cache-dir --no-deps --require-hashes -r /opt/requirements/service.lock.txt
# Several gigabytes of wheels. TORCH=torch-cpu takes the wheels without CUDA, from PyTorch's own index. Nothing up to the
# wheel of omnigap depends on PACKAGE or SERVICE, so all services share these layers.
ARG TORCH=torch-cuda
COPY docker/requirements/torch*.lock.txt /opt/requirements/
RUN pip install --no-cache-dir --no-deps --require-hashes -r "/opt/requirements/$TORCH.lock.txt" \
    && pip install --no-cache-dir --no-deps --require-hashes -r /opt/requirements/torch.lock.txt \
    && pip install --no-cache-dir --no-deps --require-hashes --no-build-isolation -r /opt/requirements/torch-services.lock.txt \
    && pip check
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels pip install --no-cache-dir --no-deps /wheels/*.whl \
    && mkdir -p /usr/share/omnigap && (dpkg-query --show && pip list --format=freeze) >/usr/share/omnigap/packages.txt

USER 10001:10001
EXPOSE 50090 9490
# The probe reads the port from OMNIGAP_PORT_FILE, so a child image or a command with another --port is checked there.
HEALTHCHECK --interval=10s --timeout=30s --start-period=1800s --retries=5 \
    CMD ["python", "-m", "omnigap_services.probe"]
ENTRYPOINT ["omnigap-serve", "--host", "0.0.0.0", "--insecure", "--port", "50090", "--metrics-port", "9490"]
# The service that the image starts; a name in the command line has precedence. ENTRYPOINT can't contain arguments of the build.
ARG SERVICE=hf-chat
ENV OMNIGAP_SERVE_NAME=$SERVICE
# Last, so that another commit changes no layer. The build argument COMMIT is the sources' commit: `make images` sets it.
ARG BASE_IMAGE
ARG COMMIT=
LABEL org.opencontainers.image.title="omnigap-$SERVICE" \
      org.opencontainers.image.description="omnigap's service $SERVICE, on PyTorch and transformers" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$COMMIT" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="$BASE_IMAGE"
