"""The page, and the list of todos as JSON: GET and POST /todos, DELETE /todos/ID. /healthz asks nobody."""
from django.http import HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import redirect
from django.utils.html import format_html, format_html_join

from .models import Todo

PAGE = """<!doctype html><meta charset="utf-8"><title>Todos</title><link rel="stylesheet" href="/static/style.css">
<h1>Todos</h1><ul>{}</ul>
<form method="post" action="/todos"><input name="title" maxlength="200" required autofocus><input type="hidden" name="back" value="1"> <button>Add</button></form>"""


def page(_request):
    items = format_html_join("\n", "<li>{}</li>", Todo.objects.order_by("id").values_list("title"))
    return HttpResponse(format_html(PAGE, items))


def healthz(_request):
    return HttpResponse("ok")


def todos(request):
    if request.method == "POST":
        title = request.POST.get("title", "").strip()
        if not title or len(title) > 200:
            return JsonResponse({"error": "a todo has a title of at most 200 characters"}, status=400)
        made = Todo.objects.create(title=title)
        return redirect("/") if "back" in request.POST else JsonResponse({"id": made.id, "title": made.title}, status=201)
    return JsonResponse(list(Todo.objects.order_by("id").values("id", "title")), safe=False)


def todo(request, id):
    if request.method != "DELETE":
        return HttpResponseNotAllowed(["DELETE"])
    deleted, _ = Todo.objects.filter(id=id).delete()
    return HttpResponse(status=204 if deleted else 404)
