"""Everything that differs between places comes from the environment; the password comes from a secret."""
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.staticfiles", "todos"]
MIDDLEWARE = ["todos.middleware.version"]
ROOT_URLCONF = "todos.urls"
WSGI_APPLICATION = "todos.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
STATIC_ROOT = "/var/lib/static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Nothing is signed here: no sessions, no forms of Django's.
SECRET_KEY = "unused"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.mysql",
        "HOST": os.environ.get("DATABASE_HOST", "db"),
        "NAME": os.environ.get("DATABASE_NAME", "todos"),
        "USER": os.environ.get("DATABASE_USER", "todo"),
        "PASSWORD": Path(os.environ["DATABASE_PASSWORD_FILE"]).read_text().strip(),
        "OPTIONS": {"connect_timeout": 5, "charset": "utf8mb4"},
    }
}
