"""What many services do today to answer early: a Flask endpoint that makes a job of the call, for a worker of RQ.

The port of Redis is in the environment, in REDIS_PORT.
"""

import os

import flask
import redis
import rq

app = flask.Flask(__name__)
queue = rq.Queue(connection=redis.Redis(port=int(os.environ["REDIS_PORT"])))


@app.post("/enqueue")
def enqueue():
    job = queue.enqueue("jobs.handle", flask.request.get_data())
    return {"id": job.id}, 202
