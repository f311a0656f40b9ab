# Qwen2.5-Omni and Qwen3-Omni through transformers. PyTorch's wheels include CUDA: the host needs only the NVIDIA container toolkit.
# Built from the repository's root: docker build -f docker/qwen-omni.Dockerfile .
FROM python:3.11-slim-bookworm AS wheel
WORKDIR /source
COPY pyproject.toml LICENSE ./
COPY proto/ proto/
COPY services/omnigap_services/*.py services/omnigap_services/py.typed services/omnigap_services/
COPY services/omnigap_services/server/ services/omnigap_services/server/
COPY services/omnigap_services/torch_utils/ services/omnigap_services/torch_utils/
COPY services/omnigap_services/qwen_omni/ services/omnigap_services/qwen_omni/
# The README is only the package's long description: an edit of it must not rebuild the image.
RUN touch README.md && pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim-bookworm
ENV PATH=/opt/omnigap/bin:$PATH PYTHONUNBUFFERED=1 HOME=/tmp \
    HF_HUB_CACHE=/models/hub HF_HUB_OFFLINE=1
RUN groupadd --gid 10001 omnigap && useradd --uid 10001 --gid omnigap --home-dir /tmp --no-create-home omnigap
# Dependencies before the sources, so that a code change keeps their layers; the first layers are shared by all services.
COPY constraints.txt docker/requirements/service.txt /opt/requirements/
RUN python -m venv /opt/omnigap \
    && pip install --no-cache-dir -c /opt/requirements/constraints.txt -r /opt/requirements/service.txt
# Several gigabytes of wheels, in one layer that every image with torch shares.
RUN pip install --no-cache-dir -c /opt/requirements/constraints.txt torch torchvision
COPY docker/requirements/qwen-omni.txt /opt/requirements/
RUN pip install --no-cache-dir -c /opt/requirements/constraints.txt -r /opt/requirements/qwen-omni.txt
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels pip install --no-cache-dir --no-deps /wheels/*.whl

USER 10001:10001
EXPOSE 50080 9480
HEALTHCHECK --interval=10s --timeout=30s --start-period=1800s --retries=5 \
    CMD ["python", "-m", "omnigap_services.probe", "127.0.0.1:50080"]
ENTRYPOINT ["omnigap-serve", "qwen-omni", "--host", "0.0.0.0", "--insecure", "--port", "50080", "--metrics-port", "9480"]
