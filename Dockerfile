# Two images from one file:
#   docker build --target probe -t reachwatch-probe .
#   docker build --target collector -t reachwatch-collector .
# The probe's holds probe/ and its configuration alone; a volunteer runs no server code. Neither holds a compiler
# or pip. Both run as nobody in particular, with a root that may be read-only: all that is written is /state and,
# by the collector's database, /tmp. Alpine, because Debian's slim Python alone is over 100 MB.

FROM python:3.13-alpine AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
RUN adduser -S -u 10001 -h /state reachwatch && pip uninstall --yes --quiet pip
# The official image ships the standard library without .pyc, and nothing could write them later: each start would
# compile it anew, which doubles what starting takes and holds 3 MB more.
RUN python -m compileall -q -x '/(ensurepip|idlelib|pydoc_data|tkinter|turtledemo)/' /usr/local/lib/python3.13

# pip compiles what it installs, for the same reason.
FROM python:3.13-alpine AS probe-packages
COPY requirements-probe.txt .
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
    --prefix /packages -r requirements-probe.txt

FROM python:3.13-alpine AS collector-packages
COPY requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
    --prefix /packages -r requirements.txt

FROM base AS probe
COPY --from=probe-packages /packages /usr/local
COPY probe/ probe/
COPY configs/probe.toml configs/
COPY configs/platforms/ configs/platforms/
RUN python -m compileall -q probe
ENV REACHWATCH_STATE_DIR=/state
USER reachwatch
VOLUME /state
# The agent touches the file every twenty seconds.
HEALTHCHECK --interval=60s --timeout=5s --start-period=60s CMD ["sh", "-c", "test -n \"$(find /state/alive -mmin -2)\""]
ENTRYPOINT ["python", "-m", "probe"]
CMD ["start"]

FROM base AS collector
COPY --from=collector-packages /packages /usr/local
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
# Touched at each look at the store, every other second.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["sh", "-c", "test -n \"$(find /state/alive -mmin -1)\""]
ENTRYPOINT ["python", "-m", "collector"]
CMD ["serve"]
