"""billing: writes an invoice for every purchase, and wants to know when a customer changes.

PORT is where it listens.
"""

import os
import threading

from flask import Flask, jsonify, request

app = Flask(__name__)
lock = threading.Lock()
invoices = []
notices = []


@app.post("/purchases")
def purchase():
    order = request.get_json()
    with lock:
        invoice = {"invoice": len(invoices) + 1, **order}
        invoices.append(invoice)
    return jsonify(invoice), 201


@app.get("/purchases")
def list_purchases():
    with lock:
        return jsonify(invoices)


@app.post("/customer-changed")
def customer_changed():
    """Notes which customer's address has to be looked up again before the next invoice."""
    notice = {
        "type": request.headers.get("ce-type"),
        "subject": request.headers.get("ce-subject"),
        "body": request.get_data(as_text=True),
    }
    with lock:
        notices.append(notice)
    return "", 204


@app.get("/customer-changed")
def list_notices():
    with lock:
        return jsonify(notices)


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]))
