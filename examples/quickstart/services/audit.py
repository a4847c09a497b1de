"""audit: keeps a record of whatever it is told, as it was told. PORT is where it listens."""

import os
import threading

from flask import Flask, jsonify, request

app = Flask(__name__)
lock = threading.Lock()
records = []


@app.post("/records")
def record():
    event = {
        name.lower(): value
        for name, value in request.headers.items()
        if name.lower().startswith("ce-")
    }
    with lock:
        records.append({"event": event, "body": request.get_data(as_text=True)})
    return "", 204


@app.get("/records")
def list_records():
    with lock:
        return jsonify(records)


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]))
