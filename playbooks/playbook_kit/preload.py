"""What a fork server imports before it serves, so that no child has to.

Measured, not guessed: together with what they import themselves, these are all modules that the
commands of the playbooks load and that can be imported without settings and without an app
registry. Of a `migrate`, what is left to each child is the project itself and the models, forms and
admin classes of `django.contrib`, which need the registry.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from .launch import freeze_clock

_COMMANDS = (
    "check dumpdata flush inspectdb loaddata makemigrations migrate optimizemigration shell "
    "showmigrations sqlflush sqlmigrate squashmigrations"
)
_DJANGO = """
psutil dj_database_url
django.conf.urls django.conf.urls.static django.core.cache.backends.locmem
django.contrib.admin.apps django.contrib.admin.templatetags.admin_list
django.contrib.admin.templatetags.admin_modify django.contrib.admin.templatetags.log
django.contrib.auth.apps django.contrib.auth.hashers django.contrib.auth.password_validation
django.contrib.auth.tokens django.contrib.contenttypes.apps django.contrib.messages.apps
django.contrib.messages.middleware django.contrib.sessions.apps django.contrib.sessions.middleware
django.contrib.sessions.management django.contrib.sites.shortcuts django.contrib.staticfiles.apps
django.contrib.staticfiles.management django.core.management.base
django.core.serializers.json django.core.serializers.jsonl django.core.serializers.python
django.core.serializers.pyyaml django.core.serializers.xml_serializer
django.db.backends.sqlite3.base django.db.backends.postgresql.base django.db.models.sql.compiler
django.middleware.clickjacking django.middleware.common django.middleware.csrf
django.middleware.security django.templatetags.cache django.templatetags.l10n
django.templatetags.tz django.utils.translation.reloader django.views.csrf django.views.debug
playbook_kit.probe.links
"""
_KERNEL = """
psutil ipykernel.kernelapp ipykernel.ipkernel ipykernel.zmqshell ipykernel.debugger
IPython.core.completerlib IPython.core.debugger IPython.core.logger IPython.core.oinspect
IPython.core.ultratb IPython.extensions.storemagic encodings.idna encodings.latin_1
pygments.formatters.terminal256 pygments.lexers.python pygments.styles.default sqlite3 stack_data
tornado.platform.asyncio playbook_kit.sandbox playbook_kit.forkclient
"""


def _django() -> Iterator[str]:
    yield from _DJANGO.split()
    yield from (f"django.core.management.commands.{name}" for name in _COMMANDS.split())
    for app in ("admin", "auth", "contenttypes", "sessions"):
        package = import_module(f"django.contrib.{app}.migrations")
        names = sorted(module.name for module in iter_modules(package.__path__))
        # The first migration of an app defines models, which needs settings.
        yield from (f"{package.__name__}.{name}" for name in names if name[:4] != "0001")


def preload(name: str) -> None:
    """Import all that the targets of one kind need: `django` for scripts, or `kernel`.

    A module that cannot be imported is skipped, with a line on stderr: it only makes the children
    slower. The clock of Django stops first, because many modules import `now` by its name.
    """
    if name == "django":
        freeze_clock()
    else:
        # No import finds it: ipykernel then does without a debugger, which nobody would attach.
        sys.modules["debugpy"] = None  # type: ignore[assignment]
    for module in _django() if name == "django" else _KERNEL.split():
        try:
            import_module(module)
        except Exception as error:
            print(f"preload: {module} skipped: {error!r}", file=sys.stderr)
