# Without the repository and its base image: omnigap's wheel, its lock file, and the files of the model in one folder.
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM $BASE_IMAGE
RUN useradd --uid 10001 --user-group --home-dir /tmp --no-create-home omnigap
COPY service.lock.txt requirements.lock.txt omnigap-*.whl /opt/wheel/
RUN pip install --no-cache-dir --no-deps --require-hashes -r /opt/wheel/service.lock.txt -r /opt/wheel/requirements.lock.txt \
    && pip install --no-cache-dir --no-deps /opt/wheel/omnigap-*.whl && pip check
ENV PYTHONUNBUFFERED=1 OMNIGAP_PORT_FILE=/tmp/omnigap-port OMNIGAP_SERVE_HOST=0.0.0.0 OMNIGAP_SERVE_INSECURE=1
WORKDIR /opt/model
COPY --chmod=644 lookup_model.py ./
USER 10001
EXPOSE 6000 9600
HEALTHCHECK --interval=10s --timeout=30s --start-period=180s --retries=5 \
    CMD ["python", "-m", "omnigap_services.probe"]
ENTRYPOINT ["omnigap-serve", "lookup_model:LookupAdapter", "--port", "6000", "--metrics-port", "9600"]
