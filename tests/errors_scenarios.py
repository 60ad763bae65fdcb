"""Troubles that `record_errors.py` brings about, each with the playbooks that are right for it.

A step is files to write, as a dictionary (a name with a `+` is added to), or a line: `sql …` runs a
statement, `hold …` one whose transaction stays open, and any other is a command; the last is recorded.
"""

from __future__ import annotations

from typing import NamedTuple

Step = dict[str, str] | str


class Scenario(NamedTuple):
    """`on`: the first letters of its databases; `djangos`: those it needs, if not any; `new`: on a
    database without tables; `told`: the first letters of those that say it in other languages too."""

    name: str
    right: tuple[str, ...]
    steps: tuple[Step, ...]
    on: str
    djangos: str
    new: bool
    told: str


def _migration(parents: list[str], operations: str, code: str = "") -> str:
    depends = ", ".join(f'("{one.replace(".", chr(34) + ", " + chr(34))}")' for one in parents)
    return (
        f"from django.db import migrations, models\n\n\n{code}class Migration(migrations.Migration):"
        f"\n    dependencies = [{depends}]\n    operations = [{operations}]\n"
    )


def M(name: str, operations: str, *parents: str, code: str = "") -> dict[str, str]:
    """A migration file, `shop.0003_price`, on these parents or the last one of its app."""
    app, _, end = name.partition(".")
    last = {"shop": "shop.0002_code", "blog": "blog.0001_initial"}
    text = _migration(list(parents) or [last[app]], operations, code)
    return {f"{app}/migrations/{end}.py": text}


def P(name: str, body: str, *parents: str, more: str = "") -> dict[str, str]:
    """A data migration that does this, and then these operations."""
    lines = body.replace("\n", "\n    ")
    code = f"def forwards(apps, schema_editor):\n    {lines}\n\n\n"
    return M(name, f"migrations.RunPython(forwards){more}", *parents, code=code)


def field(operation: str, name: str, kind: str, model: str = "item") -> str:
    return f'migrations.{operation}Field("{model}", "{name}", models.{kind})'


ITEM = 'migrations.CreateModel("Item", [("id", models.BigAutoField(primary_key=True)), \
("name", models.CharField(max_length=50)), ("qty", models.IntegerField(null=True))])'
POST = 'migrations.CreateModel("Post", [("id", models.BigAutoField(primary_key=True)), \
("item", models.ForeignKey("shop.item", models.CASCADE)), ("text", models.TextField())])'
MODEL = "class {}(models.Model):\n    {}\n"
FIELDS = "name = models.CharField(max_length=50)\n    qty = models.IntegerField(null=True)\n    "
IMPORT = "from django.db import models\n\n\n"
LINK = 'item = models.ForeignKey("shop.Item", models.CASCADE)\n    text = models.TextField()'
CODE = 'models.CharField(max_length=20, default="")'
ADD = field("Add", "code", CODE.removeprefix("models."))
BASE = {
    "shop/__init__.py": "", "shop/migrations/__init__.py": "",
    "blog/__init__.py": "", "blog/migrations/__init__.py": "",
    "shop/models.py": IMPORT + MODEL.format("Item", f"{FIELDS}code = {CODE}"),
    "blog/models.py": IMPORT + MODEL.format("Post", LINK),
    "shop/migrations/0001_initial.py": _migration([], ITEM),
} | M("shop.0002_code", ADD, "shop.0001_initial") | M("blog.0001_initial", POST, "shop.0002_code")  # fmt: skip
ROWS = """insert into shop_item (name, qty, code) values ('A long grey scarf', null, ''),
('Mug', 5, ''), ('Mug', -7, ''); insert into blog_post (item_id, text) values (1, 'Hi')"""

MIGRATE = "python manage.py migrate"
PRICE = field("Add", "price", "IntegerField(null=True)")
STOCK = field("Add", "stock", "IntegerField(null=True)")
NO_QTY = 'migrations.RemoveField("item", "qty")'
TAG = 'migrations.CreateModel("Tag", [("id", models.BigAutoField(primary_key=True))])'
UUID = "UUIDField(default=uuid.uuid4, {}=True)"
MERGED = M("shop.0004_merge", "", "shop.0003_a", "shop.0003_b")
SEEN_PRICE = {"+shop/models.py": "    price = models.IntegerField(null=True)\n"}
LEAVES = "two_leaf_nodes linear_history two_migrations_one_field"
PARENT = "missing_parent squash_and_other_apps reset_history_keep_data reset_one_app"
ORDER = (
    "history_out_of_order applied_then_rebased reset_throwaway_database reset_one_app rename_app"
)
TABLE = "table_already_exists fake_initial move_model_between_apps"
COLUMN = (
    "table_already_exists schema_changed_by_hand applied_then_rebased undo_unpushed half_applied \
edited_after_applying migrate_once update_last_migration no_transactional_ddl"
)
GONE = (
    "recorded_but_never_ran faked_too_much edited_after_applying restored_from_a_dump name_reused \
reset_live_databases"
)
GHOST = "ghost_migration pulled_from_main back_through_a_merge restored_from_a_dump"
ELSE = "what_else_the_database_says"


TEST = (
    "from django.test import TestCase\n\nfrom shop.models import Item\n\n\n"
    "class T(TestCase):\n    def test_it(self):\n        {}\n"
)
USER = {
    "accounts/__init__.py": "",
    "accounts/models.py": "from django.contrib.auth.models import AbstractUser\n\n\n"
    "class User(AbstractUser):\n    pass\n",
    "+config/settings.py": 'INSTALLED_APPS += ["accounts"]\nAUTH_USER_MODEL = "accounts.User"\n',
}


def _shell(code: str) -> str:
    return f'python manage.py shell -c "{code}"'


LIST = _shell("from shop.models import Item; print(list(Item.objects.all()))")


def S(
    name: str, right: str, *steps: Step, on: str = "S", djangos: str = "", new: bool = False,
    told: str = "",
) -> Scenario:  # fmt: skip
    return Scenario(name, tuple(dict.fromkeys(right.split())), steps, on, djangos, new, told)


# fmt: off
# ruff: noqa: E501
SCENARIOS = [
    # The files do not load.
    S("two leaves", LEAVES, M("shop.0003_price", PRICE), M("shop.0003_stock", STOCK), MIGRATE),
    S("two leaves, seen by makemigrations", LEAVES, M("shop.0003_price", PRICE),
      M("shop.0003_stock", STOCK), "python manage.py makemigrations"),
    S("two leaves, seen by test", LEAVES, M("shop.0003_price", PRICE), M("shop.0003_stock", STOCK),
      {"shop/tests.py": TEST.format("pass")},
      "python manage.py test"),
    S("leaves of long branches", f"merge_of_long_branches {LEAVES}", M("shop.0003_price", PRICE),
      M("shop.0004_price_0", field("Alter", "price", "IntegerField(default=0)"), "shop.0003_price"),
      M("shop.0003_stock", STOCK), MIGRATE),
    S("parent never committed", PARENT, M("shop.0004_stock", STOCK, "shop.0003_price"), MIGRATE),
    S("another app names a squashed one", f"squash_and_other_apps {PARENT}", "rm shop/migrations/0*",
      M("shop.0001_squashed_0002_code", f"{ITEM}, {ADD}", "auth.0001_initial"), MIGRATE),
    S("files of one app deleted", f"reset_one_app {PARENT}", "rm shop/migrations/0*",
      "python manage.py makemigrations shop"),
    S("circle", "dependency_cycle", M("shop.0003_price", PRICE, "shop.0002_code", "blog.0002_rank"),
      M("blog.0002_rank", field("Add", "rank", "IntegerField(null=True)", "post"),
        "blog.0001_initial", "shop.0003_price"), MIGRATE),
    S("circle after a squash", "squash_in_a_circle", "rm shop/migrations/0*", M(
        "shop.0001_squashed_0003_top", f"{ITEM}, {ADD}", "blog.0001_initial"),
      "sed -i 's/    operations/    replaces = [(\"shop\", \"0001_initial\"), (\"shop\", \"0002_code\"), "
      "(\"shop\", \"0003_top\")]\\n&/' shop/migrations/0001*", MIGRATE, new=True),
    S("history out of order", f"{ORDER} merge_of_long_branches", M("shop.0003_stock", STOCK), MIGRATE,
      M("shop.0003_price", PRICE), M("shop.0003_stock", STOCK, "shop.0003_price"), MIGRATE, on="SP"),
    S("user model late", f"custom_user_mid_project {ORDER}", USER,
      "python manage.py makemigrations accounts", MIGRATE, on="SPM"),
    S("history of one app emptied", f"reset_throwaway_database {ORDER}",
      "sql delete from django_migrations where app = 'shop'", MIGRATE, on="SM"),
    S("app renamed", f"rename_app {ORDER}", "mv shop store",
      "sed -i 's/shop/store/' config/settings.py blog/models.py */migrations/0*", MIGRATE),
    S("originals of a squash deleted", "originals_deleted_too_early squash_in_two_releases",
      "rm shop/migrations/0*", M("shop.0001_squashed_0002_code", f"{ITEM}, {ADD}", "auth.0001_initial"),
      "sed -i s/0002_code/0001_squashed_0002_code/ blog/migrations/0*", MIGRATE, on="SP"),
    S("squash applied in part", "squash_in_two_releases squash_applied_in_part",
      f"{MIGRATE} shop 0001", "rm shop/migrations/0*",
      M("shop.0001_squashed_0002_code", f"{ITEM}, {ADD}", "auth.0001_initial"),
      "sed -i 's/    operations/    replaces = [(\"shop\", \"0001_initial\"), (\"shop\", \"0002_code\")]"
      "\\n&/' shop/migrations/0001*", MIGRATE),
    S("squash with a function", "squash_with_runpython", P("shop.0003_fill", "pass"),
      "python manage.py squashmigrations --noinput shop 0003", MIGRATE),
    S("squash of a squash", "squash_of_a_squash", f"{MIGRATE} -v 0",
      "python manage.py squashmigrations --noinput shop 0002", M("shop.0003_price", PRICE, "shop.0002_code"),
      "python manage.py squashmigrations --noinput shop 0003", djangos="4.2 5.2"),
    S("helper deleted", "helper_was_deleted", P("shop.0003_fill", "make_code(apps)"),
      "sed -i '1i from shop.helpers import make_code' shop/migrations/0003*", MIGRATE),
    S("helper renamed", "helper_was_deleted", P("shop.0003_fill", "make_code(apps)"),
      "touch shop/helpers.py; sed -i '1i from shop.helpers import make_code' shop/migrations/0003*",
      "python manage.py makemigrations --check"),
    S("default function deleted", "helper_was_deleted", "sed -i '2i import shop.models' "
      "shop/migrations/0002*; sed -i 's/default=\"\"/default=shop.models.new_code/' shop/migrations/0002*",
      "python manage.py showmigrations"),
    S("old import after an upgrade", "upgrade_django", "sed -i '1i from django.utils.translation "
      "import ugettext_lazy as _' shop/migrations/0001*", MIGRATE),
    S("old argument after an upgrade", "upgrade_django", M("shop.0003_check",
      'migrations.AddConstraint("item", models.CheckConstraint(check=models.Q(qty__gt=0), name="c"))'),
      MIGRATE, djangos="6.0 6.1"),
    S("no migration class", "what_else_django_says", {"shop/migrations/helpers.py": "N = 1\n"}, MIGRATE),
    # The state.
    S("both branches removed a field", "both_branches_removed_it removed_here_altered_there",
      M("shop.0003_a", NO_QTY), M("shop.0003_b", NO_QTY), MERGED, MIGRATE),
    S("both branches deleted a model", "both_branches_removed_it", M("shop.0003_tag", TAG),
      M("shop.0004_a", 'migrations.DeleteModel("Tag")', "shop.0003_tag"),
      M("shop.0005_b", 'migrations.DeleteModel("Tag")', "shop.0004_a"), MIGRATE),
    S("removed here, altered there", "removed_here_altered_there both_branches_removed_it",
      M("shop.0003_b", NO_QTY), M("shop.0003_a", field("Alter", "qty", "IntegerField(default=0)")),
      MERGED, MIGRATE, on="SP"),
    S("renamed on both branches", "removed_here_altered_there both_branches_removed_it",
      M("shop.0003_a", 'migrations.RenameField("item", "qty", "n")'),
      M("shop.0003_b", 'migrations.RenameField("item", "qty", "number")'), MERGED, MIGRATE),
    S("dependency on another app missing", "what_else_django_says", M("shop.0003_tag", TAG), M("blog.0002_tag",
      field("Add", "tag", 'ForeignKey("shop.tag", models.CASCADE, null=True)', "post")), MIGRATE, new=True),
    S("key to an app that is not there", "what_else_django_says", M("shop.0003_tag", field("Add", "ad",
      'ForeignKey("ads.ad", models.CASCADE, null=True)')), MIGRATE),
    S("model in the wrong app's base", "change_bases", M("shop.0003_book", 'migrations.CreateModel("Book", '
      '[("item_ptr", models.AutoField(primary_key=True))], bases=("shop.product",))'), MIGRATE),
    S("through added", "many_to_many_through", M("blog.0002_items", field("Add", "items",
      'ManyToManyField("shop.item", related_name="+")', "post")), MIGRATE, M("blog.0003_through",
      'migrations.CreateModel("Use", [("id", models.BigAutoField(primary_key=True)), ("post", '
      'models.ForeignKey("blog.post", models.CASCADE)), ("item", models.ForeignKey("shop.item", '
      'models.CASCADE))]), ' + field("Alter", "items", 'ManyToManyField("shop.item", through="blog.use", '
      'related_name="+")', "post"), "blog.0002_items"), MIGRATE),
    S("method of a model", "no_custom_methods", P("shop.0003_fill", "for item in apps.get_model('shop', "
      "'Item').objects.all():\n    item.make_code()"), MIGRATE, on="SPM"),
    S("method of a manager", "no_custom_methods", P("shop.0003_fill", "Item = apps.get_model('shop', 'Item')"
      "\nItem.objects.without_code().update(code='x')"), MIGRATE),
    S("model of another app", "app_registry_dependency", P("blog.0002_fill",
      "apps.get_model('sessions', 'Session').objects.count()"), MIGRATE, new=True),
    S("model of another app, later", "app_registry_dependency", P("blog.0002_fill",
      "apps.get_model('shop', 'Tag').objects.count()"), M("shop.0003_tag", TAG), MIGRATE, new=True),
    S("permission too early", "permissions_in_a_migration", P("shop.0003_grant",
      "Permission = apps.get_model('auth', 'Permission')\nPermission.objects.get(codename='add_tag')",
      "shop.0002_code", "auth.0001_initial"), MIGRATE, on="SP"),
    S("content type too early", "permissions_in_a_migration", P("shop.0003_grant",
      "Kind = apps.get_model('contenttypes', 'ContentType')\nKind.objects.get(model='tag')",
      "shop.0002_code", "contenttypes.0002_remove_content_type_name"), MIGRATE, new=True),
    S("not reversible", "irreversible", M("shop.0003_sql", 'migrations.RunSQL("select 1")'), MIGRATE,
      f"{MIGRATE} shop 0002", on="SM"),
    S("fixture of an old model", "fixtures_rot", {"shop/fixtures/items.json":
      '[{"model": "shop.item", "pk": 9, "fields": {"title": "Mug"}}]'}, P("shop.0003_load",
      "from django.core.management import call_command\ncall_command('loaddata', 'items')"), MIGRATE, on="SP"),
    S("fixture of a field that comes later", "fixtures_rot", SEEN_PRICE, {"shop/fixtures/items.json":
      '[{"model": "shop.item", "pk": 9, "fields": {"name": "Mug"}}]'}, P("shop.0003_load",
      "from django.core.management import call_command\ncall_command('loaddata', 'items')"),
      M("shop.0004_price", PRICE, "shop.0003_load"), MIGRATE, on="SPM"),
    S("model of today", "historical_models", SEEN_PRICE, P("shop.0003_fill",
      "from shop.models import Item\nlist(Item.objects.all())"), M("shop.0004_price", PRICE,
      "shop.0003_fill"), MIGRATE, on="SPM", new=True),
    S("model of today, in a test", "historical_models", SEEN_PRICE, P("shop.0003_fill",
      "from shop.models import Item\nlist(Item.objects.all())"), M("shop.0004_price", PRICE, "shop.0003_fill"),
      {"shop/tests.py": TEST.format("pass")},
      "python manage.py test", on="SP"),
    S("function with one argument", "what_else_django_says", P("shop.0003_fill", "pass"),
      "sed -i 's/apps, schema_editor/apps/' shop/migrations/0003*", MIGRATE),
    # Writing them.
    S("lambda", "serialize_errors", {"+shop/models.py": "    n = models.IntegerField(default=lambda: 1)\n"},
      "python manage.py makemigrations"),
    S("function in a function", "serialize_errors", {"+shop/models.py": "    def up():\n        def to(i, n):\n"
      "            pass\n        return to\n    n = models.FileField(upload_to=up(), default='')\n"},
      "python manage.py makemigrations"),
    S("required field, no terminal", "add_required_column", {"+shop/models.py": "    n = models.IntegerField()\n"},
      "python manage.py makemigrations < /dev/null"),
    S("renamed field, no terminal", "rename_field", "sed -i s/qty/count/ shop/models.py",
      "python manage.py makemigrations < /dev/null"),
    S("ambiguous number", "numbers_collide", M("shop.0003_a", PRICE), M("shop.0003_b", STOCK, "shop.0003_a"),
      f"{MIGRATE} shop 0003"),
    # The schema is not what the history says.
    S("history of an app lost", TABLE, "sql delete from django_migrations where app = 'blog'", MIGRATE,
      on="SPM", told="PM"),
    S("table from before", f"fake_initial {TABLE}", "sql create table tags (id integer)", M("shop.0003_tag",
      TAG[:-1] + ', options={"db_table": "tags"})'), MIGRATE, on="SPM"),
    S("column added by hand", f"schema_changed_by_hand {COLUMN}", "sql alter table shop_item add price integer",
      M("shop.0003_price", PRICE), MIGRATE, on="SPM", told="P"),
    S("renumbered after it was applied", f"applied_then_rebased {COLUMN}", M("shop.0003_price", PRICE), MIGRATE,
      "rm shop/migrations/0003*", M("shop.0003_stock", STOCK), M("shop.0004_price", PRICE, "shop.0003_stock"),
      MIGRATE, on="SPM"),
    S("column recorded and not there", GONE, SEEN_PRICE, M("shop.0003_price", PRICE), f"{MIGRATE} --fake", LIST,
      on="SPM", told="PM"),
    S("column not there, seen by a page", GONE, SEEN_PRICE, M("shop.0003_price", PRICE), f"{MIGRATE} --fake",
      {"+config/urls.py": "from django.http import HttpResponse\nfrom shop.models import Item\nurlpatterns += "
      "[path('items/', lambda request: HttpResponse(list(Item.objects.all())))]\n"}, _shell("from django.test "
      "import Client; Client(raise_request_exception=False).get('/items/', headers={'host': 'localhost'})"),
      on="SP"),
    S("table never made", "no_changes_detected recorded_but_never_ran", {"+shop/models.py":
      "\n\n" + MODEL.format("Shelf", "n = models.IntegerField()")},
      _shell("from shop.models import Shelf; Shelf.objects.create(n=1)"), on="SPM", told="PM"),
    S("table never made, in a test", "no_changes_detected recorded_but_never_ran", {"+shop/models.py":
      "\n\n" + MODEL.format("Shelf", "n = models.IntegerField()"), "shop/tests.py": TEST.replace("Item", "Shelf").format("Shelf.objects.create(n=1)")}, "python manage.py test", on="SP"),
    S("column of another branch", GHOST, M("shop.0003_shelf", field("Add", "shelf", "IntegerField(default=1)")),
      MIGRATE, "rm shop/migrations/0003*", _shell("from shop.models import Item; Item.objects.create(name='A')"),
      on="SPM", told="P"),
    # The rows do not fit.
    S("required over null", "make_column_required", M("shop.0003_qty", field("Alter", "qty", "IntegerField()")),
      MIGRATE, on="SPM"),
    S("one value for all rows", "add_unique_column no_transactional_ddl", M("shop.0003_token", field("Add", "token",
      UUID.format("unique")), code="import uuid\n\n\n"), MIGRATE, on="SPM"),
    S("unique over two alike", "add_unique_column half_applied no_transactional_ddl", M("shop.0003_name",
      field("Alter", "name", "CharField(max_length=50, unique=True)")), MIGRATE, on="SPM"),
    S("half of it stayed", "no_transactional_ddl " + COLUMN, M("shop.0003_two", PRICE + ", " + field("Alter",
      "name", "CharField(max_length=50, unique=True)")), MIGRATE, MIGRATE, on="M"),
    S("model renamed without a yes", "rename_model move_model_between_apps", M("shop.0003_product",
      ITEM.replace("Item", "Product")), M("blog.0002_product", field("Alter", "item",
      'ForeignKey("shop.product", models.CASCADE)', "post"), "blog.0001_initial", "shop.0003_product"), MIGRATE,
      on="SPM", told="P"),
    S("too long for the new column", "shrink_column", M("shop.0003_name", field("Alter", "name",
      "CharField(max_length=5)")), MIGRATE, on="PM"),
    S("text to number", "change_column_type", M("shop.0003_name", field("Alter", "name", "IntegerField()")),
      MIGRATE, on="PM"),
    S("text to number with SQL", "change_column_type", M("shop.0003_name", "migrations.RunSQL("
      '"alter table shop_item alter column name type integer")'), MIGRATE, on="P", told="P"),
    S("number to UUID", "change_primary_key", M("shop.0003_id", field("Alter", "id", UUID.format("primary_key")),
      code="import uuid\n\n\n"), MIGRATE, on="P"),
    S("check over rows", "constraints_without_long_locks", M("shop.0003_check", 'migrations.AddConstraint("item", '
      'models.CheckConstraint(name="qty_positive", **{NAME: models.Q(qty__gt=0)}))', code="import django\n\nNAME = "
      '"condition" if django.VERSION >= (5, 1) else "check"\n\n\n'), MIGRATE, on="SPM"),
    S("rows and table in one", "pending_trigger_events", P("blog.0002_fill", "apps.get_model('blog', 'Post')."
      "objects.create(item_id=1, text='')", more=", " + field("Alter", "text", "CharField(max_length=9)", "post")),
      MIGRATE, on="P", told="P"),
    S("error caught, and on", "pending_trigger_events", P("shop.0003_fill", "from django.db import Error\nItem = "
      "apps.get_model('shop', 'Item')\ntry:\n    Item.objects.create(id=1, name='A' * 99)\nexcept Error:\n    pass\n"
      "Item.objects.count()"), MIGRATE, on="SPM"),
    S("error of SQL caught, and on", "pending_trigger_events", P("shop.0003_fill", "with schema_editor.connection."
      "cursor() as c:\n    try:\n        c.execute('select nothing')\n    except Exception:\n        pass\n"
      "    c.execute('select 1')"), MIGRATE, on="P"),
    S("delete blocked by a removed app", "remove_an_app", "sed -i 's/, .blog.//' config/settings.py",
      _shell("from shop.models import Item; Item.objects.all().delete()"), on="SPM", told="M"),
    S("app not installed any more", f"missing_parent remove_an_app {PARENT}", "sed -i 's/.shop., //' config/settings.py",
      {"blog/models.py": IMPORT + MODEL.format("Post", "text = models.TextField()")}, MIGRATE),
    S("content types of a dump", "reset_history_keep_data", {"dump.json": '[{"model": "contenttypes.contenttype", '
      '"pk": 99, "fields": {"app_label": "shop", "model": "item"}}]'}, "python manage.py loaddata dump.json", on="SPM"),
    S("rows of a migration, in a test", "rows_vanish_in_tests", P("shop.0003_fill", "apps.get_model('shop', 'Item')"
      ".objects.create(name='Seed')"), {"shop/tests.py": "from django.test import TransactionTestCase\n\nfrom "
      "shop.models import Item\n\n\nclass T(TransactionTestCase):\n    def test_a(self):\n        Item.objects.get("
      "name='Seed')\n\n    def test_b(self):\n        Item.objects.get(name='Seed')\n"}, "python manage.py test", on="SP"),
    S("user model without a table", "custom_user_mid_project no_changes_detected recorded_but_never_ran", USER,
      "python manage.py createsuperuser --noinput --username ada --email ada@example.com", on="SPM"),
    S("user model swapped out", "custom_user_mid_project", USER, {"+blog/models.py": '    by = models.ForeignKey("auth.User", models.CASCADE, null=True)\n'}, MIGRATE),
    S("required field, no input", "add_required_column", {"+shop/models.py": "    n = models.IntegerField()\n"},
      "python manage.py makemigrations --noinput"),
    S("made required, no terminal", "make_column_required", "sed -i 's/null=True//' shop/models.py",
      "python manage.py makemigrations < /dev/null"),
    S("update of an applied one", "update_last_migration", {"+shop/models.py": "    n = models.IntegerField(null=True)\n"},
      "python manage.py makemigrations --update shop"),
    # The server.
    S("schema public", "permission_denied_for_schema_public",
      {"+config/settings.py": 'DATABASES["default"]["USER"] = "clerk"\n'}, MIGRATE, on="P", new=True, told="P"),
    S("not the owner", ELSE, "sql grant all on all tables in schema public to clerk",
      {"+config/settings.py": 'DATABASES["default"]["USER"] = "clerk"\n'}, M("shop.0003_price", PRICE), MIGRATE,
      on="P"),
    S("lock timeout", "lock_queue index_concurrently", {"+config/settings.py": 'DATABASES["default"]["OPTIONS"] = '
      '{"options": "-c lock_timeout=500"}\n'}, "hold select * from shop_item", M("shop.0003_price", PRICE), MIGRATE,
      on="P", told="P"),
    S("lock wait timeout", ELSE, {"+config/settings.py": 'DATABASES["default"]["OPTIONS"] = {"init_command": "set '
      'lock_wait_timeout=1"}\n'}, "hold select * from shop_item", M("shop.0003_price", PRICE), MIGRATE, on="M"),
    S("locked", ELSE, {"+config/settings.py": 'DATABASES["default"]["OPTIONS"] = {"timeout": 0.2}\n'},
      "hold update shop_item set qty = 1", M("shop.0003_price", PRICE), MIGRATE),
    S("statement timeout", "statement_timeouts", {"+config/settings.py": 'DATABASES["default"]["OPTIONS"] = '
      '{"options": "-c statement_timeout=200"}\n'}, M("shop.0003_slow", 'migrations.RunSQL("update shop_item set '
      'qty = 1 from pg_sleep(3)")'), MIGRATE, on="P"),
    S("concurrently", "index_concurrently", M("shop.0003_index", 'AddIndexConcurrently("item", models.Index('
      'fields=["name"], name="by_name"))', code="from django.contrib.postgres.operations import "
      "AddIndexConcurrently\n\n\n"), MIGRATE, on="P"),
    S("concurrently, as SQL", "index_concurrently squash_by_hand", M("shop.0003_index", 'migrations.RunSQL("create '
      'index concurrently by_name on shop_item (name)")'), MIGRATE, on="P"),
    S("view", ELSE, "sql create view names as select name from shop_item", M("shop.0003_name",
      field("Alter", "name", "TextField()")), MIGRATE, on="P"),
    S("key over a long text", ELSE, M("shop.0003_tag", TAG.replace(
      "BigAutoField(", "CharField(max_length=1000, ")), MIGRATE, on="M"),
    S("key of another type", "mariadb_key_types", "sql drop table blog_post; alter table shop_item modify id int not null", M("shop.0003_use", 'migrations.CreateModel("Use", [("id", models.BigAutoField(primary_key=True)'
      '), ("item", models.ForeignKey("shop.item", models.CASCADE))])'), MIGRATE, on="M"),
    S("key that a table of others uses", "mariadb_key_types", "sql create table letters (item_id bigint, constraint "
      "letter_of foreign key (item_id) references shop_item (id))", M("shop.0003_id", field("Alter", "id",
      "AutoField(primary_key=True)")), MIGRATE, on="M"),
    S("copied rows", "sequences_after_copy", "sql insert into shop_item (id, name, code) values (4, 'B', '')",       _shell("from shop.models import Item; Item.objects.create(name='A')"), on="P"),
    S("no such database", "exit_codes", {"+config/settings.py": 'DATABASES["default"]["NAME"] = "nowhere/else"\n'},
      MIGRATE, on="SPM"),
]

# What has nothing to do with migrations.
REFUSED = {"+config/settings.py": 'DATABASES["default"] |= {"HOST": "127.0.0.1", "PORT": 1}\n'}
GET = "from django.test import Client; Client(raise_request_exception=False, enforce_csrf_checks=True)"
HOST = "headers={'host': 'localhost'}"
VIEW = {"+config/urls.py": "from django.shortcuts import render\nfrom shop.models import Item\n"
        "urlpatterns += [path('items/', lambda request: render(request, 'items.html', {'all': Item.objects.all()})), "
        "path('one/', lambda request: Item.objects.get(pk=99)), path('title/', lambda request: Item.objects.first()"
        ".title), path('post/', lambda request: request.POST['name'])]\n"}
SCENARIOS += [
    S("no url of that name", "", _shell("from django.urls import reverse; reverse('basket')")),
    S("no template", "", VIEW, _shell(f"{GET}.get('/items/', {HOST})")),
    S("no row, seen by a page", "", VIEW, _shell(f"{GET}.get('/one/', {HOST})"), on="SP"),
    S("attribute of a model, seen by a page", "", VIEW, _shell(f"{GET}.get('/title/', {HOST})")),
    S("key of a form", "", VIEW, _shell(f"{GET}.get('/post/', {HOST})")),
    S("no page", "", _shell(f"{GET}.get('/nothing/', {HOST})")),
    S("host", "", _shell(f"{GET}.get('/admin/', headers={{'host': 'shop.example'}})")),
    S("csrf", "", _shell(f"{GET}.post('/admin/login/', {HOST})")),
    S("no settings", "", "python -c 'from django.conf import settings; settings.DEBUG'"),
    S("no secret key", "", {"+config/settings.py": "SECRET_KEY = ''\n"}, _shell("from django.core import signing; signing.dumps(1)")),
    S("static files", "", "python manage.py collectstatic --noinput"),
    S("no module", "", {"+config/urls.py": "import stripe\n"}, "python manage.py check"),
    S("import in a circle", "", "sed -i '1i from blog.models import Post' shop/models.py",
      "sed -i '1i from shop.models import Item' blog/models.py", "python manage.py check"),
    S("syntax", "", {"+config/urls.py": "urlpatterns += [path('a/' None)]\n"}, "python manage.py check"),
    S("test that fails", "", {"shop/tests.py": TEST.format("self.assertEqual(Item.objects.count(), 3)")},
      "python manage.py test"),
    S("test that fails, and says what it applies", "", {"shop/tests.py": TEST.format(
      "self.assertEqual(Item.objects.count(), 3)")}, "python manage.py test -v 2", on="SP"),
    S("test with an error", "", {"shop/tests.py": TEST.format("Item.objects.create(colour='red')")},
      "python manage.py test"),
    S("field of a query", "", _shell("from shop.models import Item; Item.objects.filter(colour=1)")),
    S("no related object", "", _shell("from blog.models import Post; Post().item")),
    S("two rows", "", _shell("from shop.models import Item; Item.objects.get(name='Mug')"), on="M"),
    S("value of a query", "", _shell("from shop.models import Item; Item.objects.get(qty='many')")),
    S("user name taken", "", _shell("from django.contrib.auth.models import User as U; [U.objects.create_user('ada')"
      " for _ in '12']"), on="SPM"),
    S("not valid", "", _shell("from shop.models import Item; Item().full_clean()")),
    S("mail", "", _shell("from django.core.mail import send_mail; send_mail('A', 'B', 'a@example.com', "
      "['b@example.com'])"), djangos="5.2"),
    S("template syntax", "", _shell("from django.template import engines; engines['django'].from_string('{% if %}')")),
    S("async", "", _shell("import asyncio\nfrom shop.models import Item\nasync def page():\n    return Item.objects.count()\n\n"
      "asyncio.run(page())")),
    S("no such command", "", "python manage.py migrat"),
    S("port in use", "", "hold port 8765", "python manage.py runserver --noreload 8765"),
    S("refused outside of migrate", "", REFUSED, LIST, on="PM"),
    S("pip", "", "python -m pip install --no-index celery"),
    S("npm", "", "npm run build"),
    S("docker", "", "docker -H unix:///run/docker.none ps"),
    S("psql", "", "psql -h 127.0.0.1 -p 1 -U shop shop"),
    S("test database of a run that was killed", "exit_codes", "sql create database test_shop", {"shop/tests.py":
      TEST.format("pass")}, "python manage.py test", on="PM"),
    S("git", "", "git pull origin main"),
]
