# One image for all of eventmill's services; docker-compose.yml says what each container runs.
FROM python:3.11-slim AS build
WORKDIR /opt/eventmill
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
# Installed in place: dbt's project, workspace.yaml and dagster.yaml lie beside the packages.
COPY pyproject.toml constraints.txt README.md LICENSE dagster.yaml workspace.yaml ./
COPY eventmill eventmill
COPY ingest_service ingest_service
COPY analytics_pipeline analytics_pipeline
COPY query_service query_service
COPY dbt_project dbt_project
RUN /opt/venv/bin/python -m pip install --constraint constraints.txt --editable .

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 eventmill \
 && install --directory --owner eventmill --group eventmill --mode 0700 /var/lib/eventmill
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/eventmill /opt/eventmill
WORKDIR /opt/eventmill
USER eventmill
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    EVENTMILL_HOME=/var/lib/eventmill \
    EVENTMILL_BIND=0.0.0.0 \
    DAGSTER_HOME=/var/lib/eventmill/dagster \
    DAGSTER_DISABLE_TELEMETRY=yes \
    DBT_SEND_ANONYMOUS_USAGE_STATS=false \
    DO_NOT_TRACK=1
VOLUME /var/lib/eventmill
CMD ["python", "-m", "eventmill", "--help"]
