# One image for the API and the workers: `plusone serve` and `plusone work`.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

RUN groupadd --gid 10001 plusone && useradd --uid 10001 --gid plusone --no-create-home --shell /usr/sbin/nologin plusone

WORKDIR /app
COPY requirements.txt ./
RUN pip install --require-hashes -r requirements.txt
COPY domain ./domain
COPY api ./api
COPY workers ./workers
COPY plusone ./plusone
# Nothing is written when it runs, so without this every start would compile all of it.
RUN python -m compileall -q domain api workers plusone

USER plusone
ENV PLUSONE_HOST=0.0.0.0 PLUSONE_PORT=8000
EXPOSE 8000 8001
STOPSIGNAL SIGTERM

# HEALTH_PORT is 8000 for the API; the worker's service sets 8001.
ENV HEALTH_PORT=8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['HEALTH_PORT']}/health/live\", timeout=2)"]

ENTRYPOINT ["python", "-m", "plusone"]
CMD ["serve"]
