# vLLM-Omni's server with the package that turns MiniCPM-o's audio tokens into audio.
# Built from the repository's root: docker build -f docker/minicpm-o-server.Dockerfile .
ARG VLLM_OMNI_IMAGE=vllm/vllm-omni:v0.30.0
FROM $VLLM_OMNI_IMAGE
COPY docker/requirements/minicpm-o-server.lock.txt /opt/requirements/
# The package is verified by its hash. What else it needs must fit the versions in the image, so pip selects it, unverified.
RUN python3 -m pip install --no-cache-dir --no-deps --require-hashes -r /opt/requirements/minicpm-o-server.lock.txt \
    && python3 -m pip install --no-cache-dir stepaudio2-minicpmo==0.1.1
