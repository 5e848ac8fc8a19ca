# One image for every service; which one runs is the command (`radpool serve api`, `radpool migrate`, ...).
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
RUN python -m venv /opt/radpool
COPY requirements.lock ./
RUN /opt/radpool/bin/pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements.lock
COPY . ./
RUN /opt/radpool/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --create-home --home-dir /data radpool
COPY --from=build /opt/radpool /opt/radpool
ENV PATH=/opt/radpool/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER radpool
WORKDIR /data
VOLUME /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["radpool"]
CMD ["--help"]
