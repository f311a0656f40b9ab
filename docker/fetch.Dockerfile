# Downloads weights from the Hugging Face hub to the volume that the models read: `docker compose run --rm fetch NAME`.
# Built from the repository's root: docker build -f docker/fetch.Dockerfile .
FROM python:3.11-slim-bookworm
ENV PATH=/opt/omnigap/bin:$PATH HOME=/tmp HF_HOME=/tmp/huggingface HF_HUB_CACHE=/models/hub
# A new volume is a copy of this folder, including its owner, so the unprivileged user can write to it.
RUN groupadd --gid 10001 omnigap && useradd --uid 10001 --gid omnigap --home-dir /tmp --no-create-home omnigap \
    && mkdir -p /models/hub && chown -R 10001:10001 /models
COPY constraints.txt docker/requirements/fetch.txt /opt/requirements/
RUN python -m venv /opt/omnigap \
    && pip install --no-cache-dir -c /opt/requirements/constraints.txt -r /opt/requirements/fetch.txt

USER 10001:10001
VOLUME /models
ENTRYPOINT ["hf", "download"]
CMD ["--help"]
