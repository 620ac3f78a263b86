"""Services for the checklist, each in a process of its own: the help desk, and one that was made without care.

python tests/checked_server.py desk PORT STORE
python tests/checked_server.py careless PORT STORE
"""

import sys

import uvicorn


def desk(store):
    """The help desk as it is, with an agent that needs no model."""
    from desk_server import WordAgent

    from babyagi_lib.apps.desk.server import Settings, create

    return create(WordAgent(), store, Settings(explore=0.1), "the-key-of-colleagues")


def careless(store):
    """What a first program for a service often looks like."""
    from fastapi import FastAPI
    from fastapi.responses import HTMLResponse

    app, said = FastAPI(debug=True), []

    @app.get("/")
    def page():
        style = '<link rel="stylesheet" href="https://cdn.example.org/style.css"><script src="/app.js"></script>'
        answer = HTMLResponse(f"<!doctype html><title>Chat</title>{style}<div id=log></div>")
        answer.set_cookie("user", "1")
        return answer

    @app.get("/app.js")
    def script():
        return HTMLResponse("document.querySelector('#log').innerHTML = location.hash", media_type="text/javascript")

    @app.get("/api/messages")
    def see():
        return HTMLResponse("<br>".join(said))

    async def say(request):
        body = await request.json()
        said.append(body["text"])
        return HTMLResponse(body["text"])

    app.add_route("/api/messages", say, methods=["POST"])
    app.add_route("/api/conversation", lambda request: page(), methods=["POST"])
    return app


if __name__ == "__main__":
    kind, port, store = sys.argv[1:]
    made = {"desk": desk, "careless": careless}[kind](store)
    uvicorn.run(made, host="127.0.0.1", port=int(port), log_level="critical", access_log=False)
