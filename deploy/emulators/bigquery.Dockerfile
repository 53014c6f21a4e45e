# The BigQuery emulator, with the launcher that the tests use.
FROM python:3.11.11-slim-bookworm
WORKDIR /emulator
COPY scripts/requirements-bigquery.txt ./
RUN pip install --no-cache-dir --requirement requirements-bigquery.txt
COPY scripts/bigquery_emulator.py ./
USER 10001:10001
EXPOSE 9050 9060
ENTRYPOINT ["python", "bigquery_emulator.py"]
