# `pg2 serve` on the CPU, without root and with a read-only file system (docs/install.md).
#     docker build -t pg2 .
#     docker run --rm --read-only --cap-drop ALL -p 127.0.0.1:8000:8000 pg2
FROM python:3.11-slim AS build
WORKDIR /build
# PyTorch first, from its index of CPU wheels: it is by far the largest layer, and seldom changes.
COPY requirements.lock ./
RUN python -m venv --without-pip /opt/pg2 \
    && pip --python /opt/pg2/bin/python install --no-cache-dir --no-deps \
      --index-url https://download.pytorch.org/whl/cpu "$(grep '^torch==' requirements.lock)"
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY LICENSES LICENSES
COPY src src
RUN pip --python /opt/pg2/bin/python install --no-cache-dir --constraint requirements.lock ".[serve]"

FROM python:3.11-slim
COPY --from=build /opt/pg2 /opt/pg2
# Nothing is downloaded at run time: the shipped models are in the image.
ENV PATH=/opt/pg2/bin:$PATH HF_HUB_OFFLINE=1
# A number, so that Kubernetes can see that it is not root's.
USER 10001:10001
WORKDIR /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["pg2"]
CMD ["serve", "--host", "0.0.0.0"]
