"""web: the site that customers see. Asks users and billing, by name, over plain HTTP.

PORT is where it listens. HTTP_PROXY, which requests obeys, is all that leads its calls through a sidecar.
"""

import os

import requests
from flask import Flask, jsonify, request

app = Flask(__name__)
HEADERS = {"Authorization": "Bearer web-7f3a"}
TIMEOUT_SECONDS = 30


@app.get("/profile/<int:user_id>")
def profile(user_id):
    answer = requests.get(
        f"http://users/user/?user_id={user_id}", headers=HEADERS, timeout=TIMEOUT_SECONDS
    )
    return jsonify(answer.json()), answer.status_code


@app.put("/profile/<int:user_id>")
def change_profile(user_id):
    answer = requests.put(
        f"http://users/user/{user_id}",
        json=request.get_json(),
        headers=HEADERS,
        timeout=TIMEOUT_SECONDS,
    )
    return jsonify(answer.json()), answer.status_code


@app.post("/buy")
def buy():
    answer = requests.post(
        "http://billing/purchases",
        json=request.get_json(),
        headers=HEADERS,
        timeout=TIMEOUT_SECONDS,
    )
    return jsonify(answer.json()), answer.status_code


@app.errorhandler(requests.RequestException)
def service_is_away(error):
    return jsonify(error=str(error)), 502


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]))
