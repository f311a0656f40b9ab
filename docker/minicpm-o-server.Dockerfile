# vLLM-Omni's server with the package that turns MiniCPM-o's audio tokens into audio.
# Built from the repository's root: docker build -f docker/minicpm-o-server.Dockerfile .
ARG VLLM_OMNI_IMAGE=vllm/vllm-omni:v0.30.0
FROM $VLLM_OMNI_IMAGE
COPY docker/requirements/minicpm-o-server.lock.txt /opt/requirements/
# The package is verified by its hash. What else it needs must fit the versions in the image, so pip selects it, unverified.
RUN python3 -m pip install --no-cache-dir --no-deps --require-hashes -r /opt/requirements/minicpm-o-server.lock.txt \
    && python3 -m pip install --no-cache-dir stepaudio2-minicpmo==0.1.1
# Last, so that another commit changes no layer. The build argument COMMIT is the sources' commit: `make images` sets it.
ARG VLLM_OMNI_IMAGE
ARG COMMIT=
LABEL org.opencontainers.image.title="omnigap-minicpm-o-server" \
      org.opencontainers.image.description="vLLM-Omni's server with the package that turns MiniCPM-o's audio tokens into audio" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$COMMIT" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="$VLLM_OMNI_IMAGE"
