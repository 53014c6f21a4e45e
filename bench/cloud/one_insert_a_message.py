"""A consumer as the reference has it: one streaming-pull callback, and one insert for each message.

Consumes for a while or until so many messages are stored, and prints how many a second.
"""

import argparse
import json
import os
import threading
import time

from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, pubsub_v1

PROJECT = os.environ["PROJECT_ID"]


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["prepare", "consume"])
    parser.add_argument("--subscription", required=True)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--messages", type=int, default=10**9)
    return parser.parse_args()


def tables():
    options = ClientOptions(api_endpoint=os.environ["BIGQUERY_REST_ENDPOINT"])
    client = bigquery.Client(PROJECT, AnonymousCredentials(), client_options=options)
    return client, f"{PROJECT}.reference.sensor_readings"


def prepare(subscription):
    with pubsub_v1.SubscriberClient() as subscriber:
        name = subscriber.subscription_path(PROJECT, subscription)
        topic = f"projects/{PROJECT}/topics/{os.environ['TOPIC_NAME']}"
        subscriber.create_subscription(request={"name": name, "topic": topic})
    client, table = tables()
    client.create_dataset("reference", exists_ok=True)
    kinds = {"device_id": "STRING", "timestamp": "TIMESTAMP", "building": "STRING", "floor": "STRING", "room": "STRING",
             "device_type": "STRING", "temperature": "FLOAT", "vibration": "FLOAT", "is_anomaly": "BOOLEAN"}
    schema = [bigquery.SchemaField(name, kind) for name, kind in kinds.items()]
    client.create_table(bigquery.Table(table, schema), exists_ok=True)


def consume(subscription, seconds, messages):
    client, table = tables()
    stored, done, lock = 0, threading.Event(), threading.Lock()

    def callback(message):
        nonlocal stored
        told = json.loads(message.data)
        row = {
            "device_id": told["device_id"],
            "timestamp": told["timestamp"],
            **{part: told.get("location", {}).get(part) for part in ("building", "floor", "room")},
            "device_type": told.get("device_type"),
            **{signal: told["sensor_data"].get(signal) for signal in ("temperature", "vibration")},
            "is_anomaly": told.get("is_anomaly"),
        }
        errors = client.insert_rows_json(table, [{name: value for name, value in row.items() if value is not None}])
        if errors:
            message.nack()
            return
        message.ack()
        with lock:
            stored += 1
            if stored >= messages:
                done.set()

    with pubsub_v1.SubscriberClient() as subscriber:
        begun = time.monotonic()
        pulling = subscriber.subscribe(subscriber.subscription_path(PROJECT, subscription), callback)
        done.wait(seconds)
        took, counted = time.monotonic() - begun, stored
        pulling.cancel()
        pulling.result()
    print(f"{counted / took:.1f}")


if __name__ == "__main__":
    given = arguments()
    if given.what == "prepare":
        prepare(given.subscription)
    else:
        consume(given.subscription, given.seconds, given.messages)
