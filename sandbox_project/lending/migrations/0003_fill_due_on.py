from datetime import timedelta

from django.db import migrations


def fill_due_on(apps, schema_editor):
    """Date in Python: on SQLite, F("lent_on") + timedelta would store a date with a time."""
    Loan = apps.get_model("lending", "Loan")
    loans = Loan.objects.using(schema_editor.connection.alias)
    undated = list(loans.filter(due_on=None))
    for loan in undated:
        loan.due_on = loan.lent_on + timedelta(days=14)
    loans.bulk_update(undated, ["due_on"], batch_size=500)


class Migration(migrations.Migration):
    dependencies = [
        ("lending", "0002_loan_due_on"),
    ]

    operations = [
        # Backwards there is nothing to do: the column allows null or a date, and which rows
        # were null before is no longer known.
        migrations.RunPython(fill_due_on, migrations.RunPython.noop),
    ]
