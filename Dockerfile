# Two images from one file:
#   docker build --target probe -t reachwatch-probe .
#   docker build --target collector -t reachwatch-collector .
# The probe's holds probe/ and its configuration alone; a volunteer runs no server code.

FROM python:3.13-slim AS base
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
RUN useradd --system --uid 10001 --home-dir /state --create-home reachwatch

FROM base AS probe
COPY requirements-probe.txt .
RUN pip install --require-hashes -r requirements-probe.txt
COPY probe/ probe/
COPY configs/probe.toml configs/
COPY configs/platforms/ configs/platforms/
RUN python -m compileall -q probe
ENV REACHWATCH_STATE_DIR=/state
USER reachwatch
VOLUME /state
ENTRYPOINT ["python", "-m", "probe"]
CMD ["start"]

FROM base AS collector
COPY requirements.txt .
RUN pip install --require-hashes -r requirements.txt
COPY probe/wire/ probe/wire/
COPY probe/verdict/ probe/verdict/
COPY probe/__init__.py probe/
COPY collector/ collector/
# What was measured of detection, for the page that says how often it is wrong.
COPY docs/detection.md collector/web/
# The platforms, for reading others' measurements.
COPY configs/platforms/ configs/platforms/
RUN python -m compileall -q probe collector
ENV REACHWATCH_DATA_DIR=/state REACHWATCH_LISTEN=0.0.0.0:8460 REACHWATCH_METRICS_LISTEN=0.0.0.0:8461
USER reachwatch
VOLUME /state
EXPOSE 8460 8461
ENTRYPOINT ["python", "-m", "collector"]
CMD ["serve"]
