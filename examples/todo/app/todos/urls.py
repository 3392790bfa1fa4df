from django.conf import settings
from django.urls import path, re_path
from django.views.static import serve

from . import views

urlpatterns = [
    path("", views.page),
    path("healthz", views.healthz),
    path("todos", views.todos),
    path("todos/<int:id>", views.todo),
    re_path(r"^static/(?P<path>.*)$", serve, {"document_root": settings.STATIC_ROOT}),
]
