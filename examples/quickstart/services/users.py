"""users: owns the data about users, which it reads from users.csv. PORT is where it listens."""

import csv
import os
import pathlib
import threading
import time

from flask import Flask, jsonify, request

app = Flask(__name__)
lock = threading.Lock()
slow_seconds = 0.0


def read_users():
    with open(pathlib.Path(__file__).with_name("users.csv"), encoding="utf-8", newline="") as file:
        return {
            int(row["user_id"]): row | {"user_id": int(row["user_id"])}
            for row in csv.DictReader(file)
        }


users = read_users()


@app.before_request
def require_authorization():
    if request.path.startswith("/user") and not request.headers.get("Authorization", "").startswith(
        "Bearer "
    ):
        return jsonify(error="who are you? Send an Authorization header"), 401
    return None


@app.get("/user/")
def get_user():
    time.sleep(slow_seconds)
    with lock:
        user = users.get(request.args.get("user_id", type=int))
    if user is None:
        return jsonify(error="no such user"), 404
    return jsonify(user)


@app.put("/user/<int:user_id>")
def change_user(user_id):
    with lock:
        if user_id not in users:
            return jsonify(error="no such user"), 404
        users[user_id] = users[user_id] | {"email": request.get_json()["email"]}
        return jsonify(users[user_id])


@app.put("/slow")
def be_slow():
    """{"seconds": 2}: from now on reading a user takes that long, as on a bad day of the database."""
    global slow_seconds
    slow_seconds = min(60.0, float(request.get_json()["seconds"]))
    return jsonify(seconds=slow_seconds)


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]))
