"""Says in each answer which version gave it."""
import os


def version(get_response):
    def respond(request):
        response = get_response(request)
        response["X-Version"] = os.environ.get("APP_VERSION", "")
        return response

    return respond
